// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_ELEMENTWISE_REVERSE_H_
#define BITPACT_MODELS_ELEMENTWISE_REVERSE_H_

// models/elementwise.h backwards. dX stands for dL/dX. Row-major float32; no
// function allocates; all are thread-safe. Sums over a row are in double.

#include <span>

namespace bitpact {

// y = gain * x * r with r = 1 / sqrt(mean(x^2) + epsilon), for every row:
//
//   dx += r * (gain * dy) - x * r^3 / width * sum_j gain_j dy_j x_j
//
// x, dy, dx: [rows, gain's size]. dx may not be dy.
void RmsNormReverse(std::span<const float> x,
                    std::span<const float> gain,
                    float epsilon,
                    std::span<const float> dy,
                    std::span<float> dx);

// out = silu(gate) * up with silu(z) = z s(z), s the logistic function:
//
//   dup = dout * silu(gate)
//   dgate = dout * up * s(gate) * (1 + gate * (1 - s(gate)))
//
// Sizes equal; both results are overwritten; dup may be dout.
void SwiGluReverse(std::span<const float> gate,
                   std::span<const float> up,
                   std::span<const float> dout,
                   std::span<float> dgate,
                   std::span<float> dup);

}  // namespace bitpact

#endif  // BITPACT_MODELS_ELEMENTWISE_REVERSE_H_
