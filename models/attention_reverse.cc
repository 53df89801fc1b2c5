// SPDX-License-Identifier: Apache-2.0
#include "models/attention_reverse.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/check.h"
#include "quant/matmul.h"

namespace bitpact {
namespace {

constexpr std::int64_t kTile = 64;

// Columns [column, column + width) of a matrix with rows of `stride`.
struct Columns {
  std::int64_t stride = 0;
  std::int64_t column = 0;
  std::int64_t width = 0;
};

void Gather(std::span<const float> from,
            const Columns& columns,
            std::vector<float>& to) {
  const std::int64_t rows = std::ssize(from) / columns.stride;
  to.resize(static_cast<std::size_t>(rows * columns.width));
  for (std::int64_t row = 0; row < rows; ++row) {
    std::copy_n(from.data() + row * columns.stride + columns.column,
                columns.width,
                to.data() + row * columns.width);
  }
}

void Scatter(const std::vector<float>& from,
             const Columns& columns,
             std::span<float> to) {
  const std::int64_t rows = std::ssize(to) / columns.stride;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::copy_n(from.data() + row * columns.width,
                columns.width,
                to.data() + row * columns.stride + columns.column);
  }
}

// Scores of one position over its `seen` keys become probabilities, and dp
// beside them ds, both times what the scale of the scores asks; keys behind it
// get 0.
void SoftmaxReverse(std::span<float> scores,
                    std::span<float> slopes,
                    std::int64_t seen,
                    float scale) {
  const auto count = static_cast<std::size_t>(seen);
  const float most = *std::max_element(scores.begin(), scores.begin() + seen);
  double sum = 0.0;
  for (std::size_t j = 0; j < count; ++j) {
    scores[j] = std::exp(scale * (scores[j] - most));
    sum += static_cast<double>(scores[j]);
  }
  const auto factor = static_cast<float>(1.0 / sum);
  double mean = 0.0;
  for (std::size_t j = 0; j < count; ++j) {
    scores[j] *= factor;
    mean += static_cast<double>(scores[j]) * static_cast<double>(slopes[j]);
  }
  const auto middle = static_cast<float>(mean);
  for (std::size_t j = 0; j < count; ++j) {
    slopes[j] = scale * scores[j] * (slopes[j] - middle);
  }
  std::fill(scores.begin() + seen, scores.end(), 0.0F);
  std::fill(slopes.begin() + seen, slopes.end(), 0.0F);
}

// Positions [first, first + count) of the head that lies in the scratch.
void ReverseTile(std::int64_t width,
                 std::int64_t first,
                 std::int64_t count,
                 AttentionReverseScratch& s) {
  const std::int64_t keys = first + count;
  const auto rows = [&](auto& matrix, std::int64_t from, std::int64_t some) {
    return std::span(matrix).subspan(static_cast<std::size_t>(from * width),
                                     static_cast<std::size_t>(some * width));
  };
  const auto size = static_cast<std::size_t>(count * keys);
  const auto scores = std::span(s.weights).first(size);
  const auto slopes = std::span(s.slopes).first(size);
  MatMulTransposed(rows(s.queries, first, count),
                   rows(s.keys, 0, keys),
                   scores,
                   count,
                   width,
                   keys);
  MatMulTransposed(rows(s.incoming, first, count),
                   rows(s.values, 0, keys),
                   slopes,
                   count,
                   width,
                   keys);
  const float scale = 1.0F / std::sqrt(static_cast<float>(width));
  for (std::int64_t t = 0; t < count; ++t) {
    const auto at = static_cast<std::size_t>(t * keys);
    const auto length = static_cast<std::size_t>(keys);
    SoftmaxReverse(scores.subspan(at, length),
                   slopes.subspan(at, length),
                   first + t + 1,
                   scale);
  }
  const UpdateShape by_key{.rows = keys,
                           .cols = width,
                           .inner = count,
                           .a_stride = keys,
                           .b_stride = width,
                           .c_stride = width};
  AddTransposedProduct(
      scores, rows(s.incoming, first, count), s.value_gradient, by_key);
  AddTransposedProduct(
      slopes, rows(s.queries, first, count), s.key_gradient, by_key);
  const auto turned = std::span(s.turned).first(size);
  for (std::int64_t t = 0; t < count; ++t) {
    for (std::int64_t j = 0; j < keys; ++j) {
      turned[static_cast<std::size_t>(j * count + t)] =
          slopes[static_cast<std::size_t>(t * keys + j)];
    }
  }
  AddTransposedProduct(turned,
                       rows(s.keys, 0, keys),
                       rows(s.query_gradient, first, count),
                       {.rows = count,
                        .cols = width,
                        .inner = keys,
                        .a_stride = count,
                        .b_stride = width,
                        .c_stride = width});
}

}  // namespace

void AttendReverse(const AttentionShape& shape,
                   const AttentionReverseInput& input,
                   std::span<float> dq,
                   std::span<float> dk,
                   std::span<float> dv,
                   AttentionReverseScratch& s) {
  const std::int64_t width = shape.head_dim;
  const std::int64_t q_stride = shape.num_heads * width;
  const std::int64_t kv_stride = shape.num_kv_heads * width;
  const std::int64_t tokens = std::ssize(input.q) / q_stride;
  BITPACT_CHECK(std::ssize(input.q) == tokens * q_stride &&
                    input.dout.size() == input.q.size() &&
                    std::ssize(input.k) == tokens * kv_stride &&
                    input.v.size() == input.k.size() &&
                    dq.size() == input.q.size() &&
                    dk.size() == input.k.size() && dv.size() == input.v.size(),
                "shapes of q, k, v and their gradients");
  const auto size = static_cast<std::size_t>(tokens * width);
  const auto tile = static_cast<std::size_t>(std::min(tokens, kTile) * tokens);
  s.weights.resize(tile);
  s.slopes.resize(tile);
  s.turned.resize(tile);
  const int group = shape.num_heads / shape.num_kv_heads;
  for (int h = 0; h < shape.num_heads; ++h) {
    const Columns query{q_stride, h * width, width};
    const Columns key{kv_stride, h / group * width, width};
    if (h % group == 0) {
      Gather(input.k, key, s.keys);
      Gather(input.v, key, s.values);
      s.key_gradient.assign(size, 0.0F);
      s.value_gradient.assign(size, 0.0F);
    }
    Gather(input.q, query, s.queries);
    Gather(input.dout, query, s.incoming);
    s.query_gradient.assign(size, 0.0F);
    for (std::int64_t first = 0; first < tokens; first += kTile) {
      ReverseTile(width, first, std::min(kTile, tokens - first), s);
    }
    Scatter(s.query_gradient, query, dq);
    if (h % group == group - 1) {
      Scatter(s.key_gradient, key, dk);
      Scatter(s.value_gradient, key, dv);
    }
  }
}

}  // namespace bitpact
