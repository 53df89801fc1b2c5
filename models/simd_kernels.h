// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_SIMD_KERNELS_H_
#define BITPACT_MODELS_SIMD_KERNELS_H_

// The inner loops of the forward pass that are not products, once for each
// vector unit of quant/kernels.h and chosen at run time; for use by
// models/elementwise.h, models/attention.h and the tests. One source
// (simd_kernels_inl.h) is compiled with vectors of 4, 8 and 16 floats. Levels
// differ in the last bits: by the number of lanes a row is summed in and by
// fused multiply-add.
//
// Sizes are in elements, all arrays are contiguous, sizes may be 0 unless
// stated; nothing allocates.

#include <cstdint>

#include "quant/kernels.h"

namespace bitpact {

// One head and its key-value head. Lanes are query positions.
struct AttentionHead {
  const float* queries = nullptr;  // [width, lanes], scaled by 1 / sqrt(width)
  const float* keys = nullptr;     // [tokens, width]
  const float* values = nullptr;   // [tokens, width]
  float* scores = nullptr;         // scratch, [tokens, lanes]
  float* out = nullptr;            // [width, lanes]
  std::int64_t width = 0;          // even
};

struct SimdKernels {
  int lanes = 0;
  // Query positions first..first + lanes - 1 over keys 0..num_keys - 1, of
  // which a position sees those up to itself; first < num_keys <= first +
  // lanes. Lanes of positions >= num_keys hold finite queries and give some
  // result.
  void (*attend)(const AttentionHead& head,
                 std::int64_t first,
                 std::int64_t num_keys);
  // out[i] = gain[i] * x[i] / sqrt(mean(x^2) + epsilon), for each of `rows`
  // rows of `width` > 0. x may be out.
  void (*rms_norm)(const float* x,
                   const float* gain,
                   float* out,
                   std::int64_t rows,
                   std::int64_t width,
                   float epsilon);
  // gate = gate / (1 + exp(-gate)) * up
  void (*swi_glu)(float* gate, const float* up, std::int64_t size);
  // to += from
  void (*add)(const float* from, float* to, std::int64_t size);
  // size > 0.
  float (*max)(const float* values, std::int64_t size);
  // sum of exp(values - shift); values <= shift
  double (*sum_exp)(const float* values, std::int64_t size, float shift);
  // sum of p (log p - log q) - p + q with log p = a - shift_a, log q = b -
  // shift_b, both <= 0
  double (*kl)(const float* a,
               const float* b,
               std::int64_t size,
               float shift_a,
               float shift_b);
};

// Kernels of an available level (AvailableKernelLevels of quant/kernels.h;
// CHECKed).
const SimdKernels& SimdKernelsOf(KernelLevel level);
// Kernels of the fastest available level.
const SimdKernels& BestSimdKernels();

namespace internal {
extern const SimdKernels kPortableSimdKernels;
extern const SimdKernels kAvx2SimdKernels;
extern const SimdKernels kAvx512SimdKernels;
}  // namespace internal

}  // namespace bitpact

#endif  // BITPACT_MODELS_SIMD_KERNELS_H_
