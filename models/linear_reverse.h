// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_LINEAR_REVERSE_H_
#define BITPACT_MODELS_LINEAR_REVERSE_H_

// A linear layer y = x w^T backwards: with dy = dL/dy,
//
//   dL/dw = dy^T x     dL/dx = dy w
//
// Products are quant/matmul.h's AddTransposedProduct, on the calling thread:
// equal calls give equal bits.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/transformer.h"

namespace bitpact {

// What one linear layer received and what the loss asks of its output. All that
// a gradient-based metric or a learned rounding needs; valid during the call
// that shows it.
struct LinearBackprop {
  int layer = 0;
  LinearKind kind = LinearKind::kQ;
  std::int64_t tokens = 0;
  std::int64_t rows = 0;      // outputs
  std::int64_t cols = 0;      // inputs
  std::span<const float> x;   // [tokens, cols]
  std::span<const float> dy;  // [tokens, rows], dL/dy

  // The weight's place in a WeightSet.
  [[nodiscard]] std::size_t place() const {
    return static_cast<std::size_t>(layer) * kLinearsPerBlock +
           static_cast<std::size_t>(kind);
  }
};
using LinearVisitor = std::function<void(const LinearBackprop& linear)>;

// gradient = dy^T x: [rows, cols], overwritten. O(tokens * rows * cols).
void WeightGradient(const LinearBackprop& linear, std::span<float> gradient);

// Memory that AddInputGradient keeps between calls: tokens * rows floats, and
// for packed weights 256 rows more.
struct LinearReverseScratch {
  std::vector<float> turned;
  std::vector<float> dense;
};

// dx += dy w. dy: [tokens, rows], dx: [tokens, cols]. Packed weights are
// dequantized a strip of rows at a time. O(tokens * rows * cols).
void AddInputGradient(const LinearWeight& weight,
                      std::span<const float> dy,
                      std::span<float> dx,
                      std::int64_t tokens,
                      LinearReverseScratch& scratch);

}  // namespace bitpact

#endif  // BITPACT_MODELS_LINEAR_REVERSE_H_
