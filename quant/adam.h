// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_ADAM_H_
#define BITPACT_QUANT_ADAM_H_

// Adam: Kingma & Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015),
// algorithm 1, with the L2 penalty of torch.optim.Adam (added to the gradient).
// float32; equal calls give equal bits.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitpact {

struct AdamOptions {
  double learning_rate = 1e-3;  // > 0
  double l2 = 0.0;              // >= 0
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

class Adam {
 public:
  // Memory: 8 bytes a parameter.
  Adam(std::size_t count, const AdamOptions& options);

  // One step against the gradient. Both: [count].
  void Step(std::span<const float> gradient, std::span<float> parameters);

 private:
  AdamOptions options_;
  std::int64_t steps_ = 0;
  std::vector<float> mean_;
  std::vector<float> square_;
};

}  // namespace bitpact

#endif  // BITPACT_QUANT_ADAM_H_
