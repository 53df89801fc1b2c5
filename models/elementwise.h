// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_ELEMENTWISE_H_
#define BITPACT_MODELS_ELEMENTWISE_H_

// What a transformer does to single rows. All matrices are row-major float32;
// no function allocates; all are thread-safe. Vectorised: the inner loops are
// in models/simd_kernels.h.

#include <cstdint>
#include <span>

namespace bitpact {

// out[t] = gain * x[t] / sqrt(mean(x[t]^2) + epsilon) for every row (Zhang &
// Sennrich, Root Mean Square Layer Normalization, 2019). x, out: [rows, gain's
// size]; may be the same.
void RmsNorm(std::span<const float> x,
             std::span<const float> gain,
             float epsilon,
             std::span<float> out);

// gate = gate / (1 + exp(-gate)) * up, element by element; sizes equal.
void SwiGlu(std::span<float> gate, std::span<const float> up);

// to += from; sizes equal.
void AddTo(std::span<const float> from, std::span<float> to);

// log(sum(exp(logits))), the maximum taken out first. logits: not empty,
// finite. Sums in float over 512 values at a time, then in double: relative
// error of the sum below 1e-6.
double LogSumExp(std::span<const float> logits);

// KL(p || q) in nats where p = softmax(reference), q = softmax(logits); sizes
// equal, values finite. Sums p (log p - log q) - p + q: the last two cancel
// over the whole row and make every term >= 0, so that rounding of the two
// normalisers cancels as well. Never negative; 0 for equal rows.
double KlDivergence(std::span<const float> reference,
                    std::span<const float> logits);

}  // namespace bitpact

#endif  // BITPACT_MODELS_ELEMENTWISE_H_
