// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_HESSIAN_H_
#define BITPACT_QUANT_HESSIAN_H_

// The Hessian of a linear layer's squared output error with respect to a row of
// its weights: H = 2/tokens * sum over tokens of x x^T (Frantar et al., "GPTQ",
// 2022, section 3), summed while the inputs x go by.
//
// A call's inputs are summed in float32 (a symmetric rank-k update of the upper
// triangle, a strip of rows at a time), calls in double: what a call with a few
// thousand tokens loses stays within their square root of float32's epsilon,
// whatever the number of calls.

#include <cstdint>
#include <span>
#include <vector>

namespace bitpact {

class HessianSum {
 public:
  // cols > 0: inputs of the layer. Memory: 8 * cols^2 bytes.
  explicit HessianSum(std::int64_t cols);

  // x: [tokens, cols], row-major, finite. Spread over threads; the sum has the
  // same bits for any number of them. tokens * cols^2 / 2 multiplications and
  // additions; memory: threads * 256 * cols * 4 bytes.
  void Add(std::span<const float> x, std::int64_t tokens);

  [[nodiscard]] std::int64_t tokens() const { return tokens_; }

  // H: [cols, cols], symmetric. At least one token (CHECK).
  [[nodiscard]] std::vector<float> Finish() const;

 private:
  std::int64_t cols_;
  std::int64_t tokens_ = 0;
  std::vector<double> sum_;  // the upper triangle is used
};

}  // namespace bitpact

#endif  // BITPACT_QUANT_HESSIAN_H_
