// SPDX-License-Identifier: Apache-2.0
#include "models/attention.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "models/simd_kernels.h"

// As many query positions of one head as a vector has lanes go together; a
// key's and a value's numbers are broadcast. So scores, maxima, exponentials
// and sums need no step across lanes, whatever the head's width (8 in the
// smallest models), a position's sums run over the keys in their order, and a
// masked key adds an exact zero: a row does not depend on what stands behind
// it. The scores of a block of positions stay in the first-level cache up to
// some 500 tokens. Softmax over a whole [tokens, tokens] matrix a head takes
// twice the exponentials and leaves the cache.

namespace bitpact {
namespace {

// Copies columns [column, column + width) of a [rows, stride] matrix.
void CopyColumns(std::span<const float> from,
                 std::int64_t stride,
                 std::int64_t column,
                 std::int64_t width,
                 std::span<float> to) {
  const std::int64_t rows = std::ssize(to) / width;
  for (std::int64_t row = 0; row < rows; ++row) {
    std::copy_n(
        from.data() + row * stride + column, width, to.data() + row * width);
  }
}

// Writes the first `count` rows from `from` into the lanes of queries: [width,
// lanes], scaled for the softmax; zero in the other lanes.
void GatherQueries(const float* from,
                   std::int64_t stride,
                   std::int64_t count,
                   std::int64_t lanes,
                   std::span<float> queries) {
  const std::int64_t width = std::ssize(queries) / lanes;
  const float scale = 1.0F / std::sqrt(static_cast<float>(width));
  for (std::int64_t d = 0; d < width; ++d) {
    float* to = queries.data() + d * lanes;
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      to[lane] = lane < count ? from[lane * stride + d] * scale : 0.0F;
    }
  }
}

// The way back: results is [width, lanes].
void ScatterResults(std::span<const float> results,
                    std::int64_t lanes,
                    std::int64_t count,
                    float* to,
                    std::int64_t stride) {
  const std::int64_t width = std::ssize(results) / lanes;
  for (std::int64_t lane = 0; lane < count; ++lane) {
    for (std::int64_t d = 0; d < width; ++d) {
      to[lane * stride + d] =
          results[static_cast<std::size_t>(d * lanes + lane)];
    }
  }
}

}  // namespace

RotaryTable::RotaryTable(int head_dim, float theta)
    : head_dim_(head_dim), theta_(static_cast<double>(theta)) {}

void RotaryTable::Reserve(std::int64_t tokens) {
  const std::int64_t half = head_dim_ / 2;
  const std::int64_t known = std::ssize(cosines_) / half;
  for (std::int64_t t = known; t < tokens; ++t) {
    for (std::int64_t i = 0; i < half; ++i) {
      const double frequency = std::pow(
          theta_,
          -2.0 * static_cast<double>(i) / static_cast<double>(head_dim_));
      const double angle = static_cast<double>(t) * frequency;
      cosines_.push_back(static_cast<float>(std::cos(angle)));
      sines_.push_back(static_cast<float>(std::sin(angle)));
    }
  }
}

void RotaryTable::Rotate(std::span<float> x,
                         std::int64_t tokens,
                         int heads) const {
  Turn(x, tokens, heads, 1.0F);
}

void RotaryTable::RotateBack(std::span<float> x,
                             std::int64_t tokens,
                             int heads) const {
  Turn(x, tokens, heads, -1.0F);
}

void RotaryTable::Turn(std::span<float> x,
                       std::int64_t tokens,
                       int heads,
                       float direction) const {
  const std::int64_t half = head_dim_ / 2;
  BITPACT_CHECK(std::ssize(x) == tokens * heads * head_dim_,
                "x is [tokens, heads * head_dim]");
  BITPACT_CHECK(tokens * half <= std::ssize(cosines_), "positions reserved");
  float* vector = x.data();
  for (std::int64_t t = 0; t < tokens; ++t) {
    const float* cosine = cosines_.data() + t * half;
    const float* sine = sines_.data() + t * half;
    for (int head = 0; head < heads; ++head) {
      for (std::int64_t i = 0; i < half; ++i) {
        const float a = vector[i];
        const float b = vector[i + half];
        const float s = direction * sine[i];
        vector[i] = a * cosine[i] - b * s;
        vector[i + half] = b * cosine[i] + a * s;
      }
      vector += head_dim_;
    }
  }
}

void Attend(const AttentionShape& shape,
            std::span<const float> q,
            std::span<const float> k,
            std::span<const float> v,
            std::span<float> out,
            AttentionScratch& scratch) {
  const std::int64_t width = shape.head_dim;
  const std::int64_t q_stride = shape.num_heads * width;
  const std::int64_t kv_stride = shape.num_kv_heads * width;
  const std::int64_t tokens = std::ssize(q) / q_stride;
  BITPACT_CHECK(std::ssize(q) == tokens * q_stride && out.size() == q.size() &&
                    std::ssize(k) == tokens * kv_stride && v.size() == k.size(),
                "shapes of q, k, v and out");
  const SimdKernels& kernels = BestSimdKernels();
  const std::int64_t lanes = kernels.lanes;
  const auto size = static_cast<std::size_t>(tokens * width);
  scratch.keys.resize(size);
  scratch.values.resize(size);
  scratch.queries.resize(static_cast<std::size_t>(width * lanes));
  scratch.results.resize(static_cast<std::size_t>(width * lanes));
  scratch.scores.resize(static_cast<std::size_t>(tokens * lanes));
  const AttentionHead head{.queries = scratch.queries.data(),
                           .keys = scratch.keys.data(),
                           .values = scratch.values.data(),
                           .scores = scratch.scores.data(),
                           .out = scratch.results.data(),
                           .width = width};
  const int group = shape.num_heads / shape.num_kv_heads;
  for (int h = 0; h < shape.num_heads; ++h) {
    if (h % group == 0) {
      const std::int64_t column = h / group * width;
      CopyColumns(k, kv_stride, column, width, scratch.keys);
      CopyColumns(v, kv_stride, column, width, scratch.values);
    }
    for (std::int64_t first = 0; first < tokens; first += lanes) {
      const std::int64_t count = std::min(lanes, tokens - first);
      const std::int64_t offset = first * q_stride + h * width;
      GatherQueries(q.data() + offset, q_stride, count, lanes, scratch.queries);
      kernels.attend(head, first, first + count);
      ScatterResults(
          scratch.results, lanes, count, out.data() + offset, q_stride);
    }
  }
}

}  // namespace bitpact
