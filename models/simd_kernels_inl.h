// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_SIMD_KERNELS_INL_H_
#define BITPACT_MODELS_SIMD_KERNELS_INL_H_

// The bodies of models/simd_kernels.h in GCC's vector extension, included once
// by each simd_kernels_<level>.cc, which defines
//
//   BITPACT_SIMD_LANES    floats in a vector, the level's native number: GCC 12
//                         turns operations on wider vectors into scalar ones
//   BITPACT_SIMD_TARGET   the attribute that lets the compiler use the level's
//                         instructions. It stands on every function, also on
//                         inline ones, since vector operations are made into
//                         instructions before inlining; the file itself is
//                         compiled for the plain processor
//
// Everything lies in an unnamed namespace, so that no level's code is merged
// with another's, and calls nothing that is not defined here.

#include <cstdint>
#include <cstring>
#include <limits>

#include "models/simd_kernels.h"

#define BITPACT_SIMD_INLINE \
  BITPACT_SIMD_TARGET inline __attribute__((always_inline))

namespace bitpact::internal {
namespace {

constexpr int kLanes = BITPACT_SIMD_LANES;
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = std::int32_t __attribute__((vector_size(4 * kLanes)));

BITPACT_SIMD_INLINE Floats All(float value) { return Floats{} + value; }

BITPACT_SIMD_INLINE Floats Load(const float* from) {
  Floats value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

BITPACT_SIMD_INLINE void Store(Floats value, float* to) {
  std::memcpy(to, &value, sizeof(value));
}

// The vector at `at` of `size` values; `fill` behind the end.
BITPACT_SIMD_INLINE Floats LoadPart(const float* values,
                                    std::int64_t at,
                                    std::int64_t size,
                                    float fill) {
  if (at + kLanes <= size) return Load(values + at);
  Floats value = All(fill);
  for (int i = 0; i < kLanes && at + i < size; ++i) value[i] = values[at + i];
  return value;
}

BITPACT_SIMD_INLINE void StorePart(Floats value,
                                   float* values,
                                   std::int64_t at,
                                   std::int64_t size) {
  if (at + kLanes <= size) {
    Store(value, values + at);
    return;
  }
  for (int i = 0; i < kLanes && at + i < size; ++i) values[at + i] = value[i];
}

BITPACT_SIMD_INLINE Floats Larger(Floats a, Floats b) { return a > b ? a : b; }

BITPACT_SIMD_INLINE float SumLanes(Floats value) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) value[i] += value[i + half];
  }
  return value[0];
}

// exp(x), relative error below 3e-7 (Cody-Waite reduction and the polynomial of
// the Cephes library's expf). Below -87: exactly 0, also for -infinity; above
// 88: exp(88).
BITPACT_SIMD_INLINE Floats Exp(Floats x) {
  constexpr float kLeast = -87.0F;
  constexpr float kMost = 88.0F;
  Floats clamped = Larger(x, All(kLeast));
  clamped = clamped < kMost ? clamped : All(kMost);
  // Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
  constexpr float kRound = 12582912.0F;
  const Floats n = (clamped * 1.44269504F + kRound) - kRound;
  const Floats r = (clamped - n * 0.693359375F) - n * -2.12194440e-4F;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const Floats y = p * (r * r) + (r + 1.0F);
  const Ints bits = (__builtin_convertvector(n, Ints) + 127) << 23;
  Floats power;
  std::memcpy(&power, &bits, sizeof(power));
  return x > kLeast ? y * power : Floats{};
}

// --- attention --------------------------------------------------------------

// Scores of kKeys keys at once: as many chains of additions run side by side.
template <int kKeys>
BITPACT_SIMD_INLINE void ScoreKeys(const AttentionHead& head,
                                   std::int64_t key,
                                   Floats* scores) {
  for (int j = 0; j < kKeys; ++j) scores[j] = Floats{};
  const float* keys = head.keys + key * head.width;
  for (std::int64_t d = 0; d < head.width; ++d) {
    const Floats query = Load(head.queries + d * kLanes);
    for (int j = 0; j < kKeys; ++j) {
      scores[j] += query * keys[j * head.width + d];
    }
  }
}

// Fills head.scores for all keys; returns each lane's largest.
BITPACT_SIMD_INLINE Floats Score(const AttentionHead& head,
                                 std::int64_t first,
                                 std::int64_t num_keys) {
  constexpr int kKeys = 8;
  constexpr float kMasked = -std::numeric_limits<float>::infinity();
  Floats scores[kKeys];
  Floats most = All(kMasked);
  std::int64_t key = 0;
  // Keys that every lane sees.
  for (; key + kKeys <= first + 1; key += kKeys) {
    ScoreKeys<kKeys>(head, key, scores);
    for (int j = 0; j < kKeys; ++j) {
      most = Larger(most, scores[j]);
      Store(scores[j], head.scores + (key + j) * kLanes);
    }
  }
  Ints lane{};
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  for (; key < num_keys; ++key) {
    ScoreKeys<1>(head, key, scores);
    const auto least_lane = static_cast<std::int32_t>(key - first);
    const Floats seen = lane >= least_lane ? scores[0] : All(kMasked);
    most = Larger(most, seen);
    Store(seen, head.scores + key * kLanes);
  }
  return most;
}

// kDims outputs at once.
template <int kDims>
BITPACT_SIMD_INLINE void SumValues(const AttentionHead& head,
                                   std::int64_t first_dim,
                                   std::int64_t num_keys,
                                   Floats factor) {
  Floats sums[kDims];
  for (int d = 0; d < kDims; ++d) sums[d] = Floats{};
  const float* values = head.values + first_dim;
  for (std::int64_t key = 0; key < num_keys; ++key) {
    const Floats weight = Load(head.scores + key * kLanes);
    for (int d = 0; d < kDims; ++d) sums[d] += weight * values[d];
    values += head.width;
  }
  for (int d = 0; d < kDims; ++d) {
    Store(sums[d] * factor, head.out + (first_dim + d) * kLanes);
  }
}

BITPACT_SIMD_TARGET void Attend(const AttentionHead& head,
                                std::int64_t first,
                                std::int64_t num_keys) {
  const Floats most = Score(head, first, num_keys);
  Floats sum{};
  for (std::int64_t key = 0; key < num_keys; ++key) {
    float* score = head.scores + key * kLanes;
    const Floats weight = Exp(Load(score) - most);
    sum += weight;
    Store(weight, score);
  }
  const Floats factor = 1.0F / sum;
  constexpr int kDims = 8;
  std::int64_t dim = 0;
  for (; dim + kDims <= head.width; dim += kDims) {
    SumValues<kDims>(head, dim, num_keys, factor);
  }
  for (; dim < head.width; dim += 2) {
    SumValues<2>(head, dim, num_keys, factor);
  }
}

// --- rows -------------------------------------------------------------------

BITPACT_SIMD_TARGET void RmsNorm(const float* x,
                                 const float* gain,
                                 float* out,
                                 std::int64_t rows,
                                 std::int64_t width,
                                 float epsilon) {
  for (std::int64_t row = 0; row < rows; ++row) {
    Floats squares{};
    for (std::int64_t i = 0; i < width; i += kLanes) {
      const Floats value = LoadPart(x, i, width, 0.0F);
      squares += value * value;
    }
    const float mean = SumLanes(squares) / static_cast<float>(width);
    const float factor = 1.0F / __builtin_sqrtf(mean + epsilon);
    for (std::int64_t i = 0; i < width; i += kLanes) {
      const Floats value = LoadPart(x, i, width, 0.0F) * factor;
      StorePart(value * LoadPart(gain, i, width, 0.0F), out, i, width);
    }
    x += width;
    out += width;
  }
}

BITPACT_SIMD_TARGET void SwiGlu(float* gate,
                                const float* up,
                                std::int64_t size) {
  for (std::int64_t i = 0; i < size; i += kLanes) {
    const Floats value = LoadPart(gate, i, size, 0.0F);
    const Floats silu = value / (Exp(-value) + 1.0F);
    StorePart(silu * LoadPart(up, i, size, 0.0F), gate, i, size);
  }
}

BITPACT_SIMD_TARGET void Add(const float* from, float* to, std::int64_t size) {
  for (std::int64_t i = 0; i < size; i += kLanes) {
    const Floats sum =
        LoadPart(to, i, size, 0.0F) + LoadPart(from, i, size, 0.0F);
    StorePart(sum, to, i, size);
  }
}

BITPACT_SIMD_TARGET float Max(const float* values, std::int64_t size) {
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  Floats most = All(kLeast);
  for (std::int64_t i = 0; i < size; i += kLanes) {
    most = Larger(most, LoadPart(values, i, size, kLeast));
  }
  float result = most[0];
  for (int i = 1; i < kLanes; ++i) result = most[i] > result ? most[i] : result;
  return result;
}

// Values that are summed in float before the sum goes into a double.
constexpr std::int64_t kFloatRun = 512;

BITPACT_SIMD_TARGET double SumExp(const float* values,
                                  std::int64_t size,
                                  float shift) {
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  double total = 0.0;
  for (std::int64_t i = 0; i < size;) {
    const std::int64_t end = size - i < kFloatRun ? size : i + kFloatRun;
    Floats sum{};
    for (; i < end; i += kLanes) {
      sum += Exp(LoadPart(values, i, size, kNothing) - shift);
    }
    total += static_cast<double>(SumLanes(sum));
  }
  return total;
}

BITPACT_SIMD_TARGET double Kl(const float* a,
                              const float* b,
                              std::int64_t size,
                              float shift_a,
                              float shift_b) {
  // Behind the end p = q = 0; infinity would make their difference NaN.
  constexpr float kNothing = -1e30F;
  double total = 0.0;
  for (std::int64_t i = 0; i < size;) {
    const std::int64_t end = size - i < kFloatRun ? size : i + kFloatRun;
    Floats sum{};
    for (; i < end; i += kLanes) {
      const Floats log_p = LoadPart(a, i, size, kNothing) - shift_a;
      const Floats log_q = LoadPart(b, i, size, kNothing) - shift_b;
      const Floats p = Exp(log_p);
      sum += p * (log_p - log_q) - (p - Exp(log_q));
    }
    total += static_cast<double>(SumLanes(sum));
  }
  return total;
}

constexpr SimdKernels MakeSimdKernels() {
  return {.lanes = kLanes,
          .attend = Attend,
          .rms_norm = RmsNorm,
          .swi_glu = SwiGlu,
          .add = Add,
          .max = Max,
          .sum_exp = SumExp,
          .kl = Kl};
}

}  // namespace
}  // namespace bitpact::internal

#endif  // BITPACT_MODELS_SIMD_KERNELS_INL_H_
