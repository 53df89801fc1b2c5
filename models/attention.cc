// SPDX-License-Identifier: Apache-2.0
#include "models/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "models/simd.h"

// Sixteen query positions of one head are the lanes of a vector; a key's and a
// value's numbers are broadcast. So scores, maxima, exponentials and sums need
// no step across lanes, whatever the head's width (8 in the smallest models),
// a position's sums run over the keys in their order, and a masked key adds an
// exact zero: a row does not depend on what stands behind it. Scores of sixteen
// positions stay in the first-level cache up to some 500 tokens. Softmax over a
// whole [tokens, tokens] matrix per head takes twice the exponentials and
// leaves the cache.

namespace bitpact {
namespace {

using simd::Floats;
using simd::Ints;
using simd::kLanes;

// One head and one key-value head, contiguous: keys, values [tokens, width].
struct HeadView {
  const float* queries = nullptr;  // [width, kLanes], scaled
  const float* keys = nullptr;
  const float* values = nullptr;
  float* scores = nullptr;  // [tokens, kLanes]
  float* out = nullptr;     // [width, kLanes]
  std::int64_t width = 0;
};

// kKeys scores at once, so that as many chains of additions run side by side.
template <int kKeys>
BITPACT_SIMD_INLINE void ScoreKeys(const HeadView& head,
                                   std::int64_t key,
                                   Floats* scores) {
  for (int j = 0; j < kKeys; ++j) scores[j] = Floats{};
  const float* keys = head.keys + key * head.width;
  for (std::int64_t d = 0; d < head.width; ++d) {
    const Floats query = simd::Load(head.queries + d * kLanes);
    for (int j = 0; j < kKeys; ++j) {
      scores[j] += query * keys[j * head.width + d];
    }
  }
}

// kDims outputs at once.
template <int kDims>
BITPACT_SIMD_INLINE void SumValues(const HeadView& head,
                                   std::int64_t first_dim,
                                   std::int64_t num_keys,
                                   const Floats& inverse_sum) {
  Floats sums[kDims];
  for (int d = 0; d < kDims; ++d) sums[d] = Floats{};
  const float* values = head.values + first_dim;
  for (std::int64_t key = 0; key < num_keys; ++key) {
    const Floats weight = simd::Load(head.scores + key * kLanes);
    for (int d = 0; d < kDims; ++d) sums[d] += weight * values[d];
    values += head.width;
  }
  for (int d = 0; d < kDims; ++d) {
    simd::Store(sums[d] * inverse_sum, head.out + (first_dim + d) * kLanes);
  }
}

// Positions first..first+15 against keys 0..num_keys-1, num_keys <= first + 16.
struct AttendBlockKernel {
  BITPACT_SIMD_INLINE static void Run(const HeadView& head,
                                      std::int64_t first,
                                      std::int64_t num_keys) {
    constexpr int kKeys = 8;
    constexpr float kMasked = -std::numeric_limits<float>::infinity();
    Floats most = Floats{} + kMasked;
    std::int64_t key = 0;
    Floats scores[kKeys];
    for (; key + kKeys <= first + 1; key += kKeys) {
      ScoreKeys<kKeys>(head, key, scores);
      for (int j = 0; j < kKeys; ++j) {
        most = simd::Max(most, scores[j]);
        simd::Store(scores[j], head.scores + (key + j) * kLanes);
      }
    }
    for (; key < num_keys; ++key) {
      ScoreKeys<1>(head, key, scores);
      const auto least_lane = static_cast<std::int32_t>(key - first);
      Ints lane;
      for (int i = 0; i < kLanes; ++i) lane[i] = i;
      scores[0] = lane >= least_lane ? scores[0] : Floats{} + kMasked;
      most = simd::Max(most, scores[0]);
      simd::Store(scores[0], head.scores + key * kLanes);
    }
    Floats sum{};
    for (key = 0; key < num_keys; ++key) {
      float* score = head.scores + key * kLanes;
      const Floats weight = simd::Exp(simd::Load(score) - most);
      sum += weight;
      simd::Store(weight, score);
    }
    const Floats inverse_sum = 1.0F / sum;
    constexpr int kDims = 8;
    std::int64_t dim = 0;
    for (; dim + kDims <= head.width; dim += kDims) {
      SumValues<kDims>(head, dim, num_keys, inverse_sum);
    }
    for (; dim < head.width; dim += 2) {
      SumValues<2>(head, dim, num_keys, inverse_sum);
    }
  }
};

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
        vector[i] = a * cosine[i] - b * sine[i];
        vector[i + half] = b * cosine[i] + a * sine[i];
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
  const auto size = static_cast<std::size_t>(tokens * width);
  scratch.keys.resize(size);
  scratch.values.resize(size);
  scratch.queries.resize(static_cast<std::size_t>(2 * width * kLanes));
  scratch.scores.resize(static_cast<std::size_t>(tokens * kLanes));
  const float scale = 1.0F / std::sqrt(static_cast<float>(width));
  float* const queries = scratch.queries.data();
  float* const results = queries + width * kLanes;
  const HeadView head{.queries = queries,
                      .keys = scratch.keys.data(),
                      .values = scratch.values.data(),
                      .scores = scratch.scores.data(),
                      .out = results,
                      .width = width};
  const int group = shape.num_heads / shape.num_kv_heads;
  for (int h = 0; h < shape.num_heads; ++h) {
    if (h % group == 0) {
      const std::int64_t column = h / group * width;
      CopyColumns(k, kv_stride, column, width, scratch.keys);
      CopyColumns(v, kv_stride, column, width, scratch.values);
    }
    for (std::int64_t first = 0; first < tokens; first += kLanes) {
      const std::int64_t lanes = std::min<std::int64_t>(kLanes, tokens - first);
      const float* from = q.data() + first * q_stride + h * width;
      for (std::int64_t d = 0; d < width; ++d) {
        for (std::int64_t lane = 0; lane < kLanes; ++lane) {
          queries[d * kLanes + lane] =
              lane < lanes ? from[lane * q_stride + d] * scale : 0.0F;
        }
      }
      DispatchSimd<AttendBlockKernel>(head, first, first + lanes);
      float* to = out.data() + first * q_stride + h * width;
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        for (std::int64_t d = 0; d < width; ++d) {
          to[lane * q_stride + d] = results[d * kLanes + lane];
        }
      }
    }
  }
}

}  // namespace bitpact
