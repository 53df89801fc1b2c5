// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_REVERSE_PASS_H_
#define BITPACT_MODELS_REVERSE_PASS_H_

// Reverse-mode differentiation of a window's summed negative log-likelihood
//
//   L = sum over predicted tokens of -log p(token | before), nats
//
// with respect to every linear weight of the blocks. Hand-written: the loss and
// the head here, one block in models/block_reverse.h, its parts in
// linear_reverse.h, attention_reverse.h and elementwise_reverse.h. Tests hold
// it against central differences of a double-precision forward pass, for every
// weight.
//
// Memory a window: the activations that enter each block, (num_layers + 1) *
// tokens * hidden_size * 4 bytes, and those inside one block, which are
// computed again from them when it is the block's turn. No gradient of a weight
// is kept unless the visitor does. Time: about four forward passes (forward,
// once more block by block, and the two products backwards) with dL/dW, three
// without.

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "core/error.h"
#include "models/block_reverse.h"
#include "models/linear_reverse.h"
#include "models/model.h"
#include "models/token_set.h"
#include "models/transformer.h"

namespace bitpact {

// Another loss in place of the negative log-likelihood: turns the logits that
// predict token `token` of the window, [vocab_size], into dL/dlogits and
// returns this token's part of L. Called once for each predicted token, in
// order.
using LogitGradient =
    std::function<double(std::size_t token, std::span<float> logits)>;

// One thread's worth; not thread-safe.
class ReversePass {
 public:
  // The model must outlive this object.
  explicit ReversePass(const Model& model);

  // L of the window, nats. visitor: sees every linear layer once, last block
  // first, inside a block in the order of BlockReverse::Backward. Its tokens
  // are those the model runs, the window's but for the last. weights: dense or
  // packed, kLinearsPerBlock a layer. head null: the negative log-likelihood.
  double Run(const TokenWindow& window,
             const WeightSet& weights,
             const LinearVisitor& visitor,
             const LogitGradient& head = nullptr);

  // dL/dW of every linear weight, [rows, cols] each, by place in `weights`.
  // Memory: 4 bytes a weight.
  std::vector<std::vector<float>> WeightGradients(const TokenWindow& window,
                                                  const WeightSet& weights);

  // dL/d(embedded tokens) of the last Run: [tokens, hidden_size].
  [[nodiscard]] std::span<const float> embedded_gradient() const {
    return gradient_;
  }

 private:
  double HeadBackward(const TokenWindow& window, const LogitGradient& head);

  const Model* model_;
  Transformer transformer_;
  BlockReverse block_;
  LinearReverseScratch scratch_;
  std::vector<std::vector<float>> hidden_;  // entering each block, and leaving
  std::vector<float> gradient_;
  std::vector<float> logits_;
  std::vector<float> normed_gradient_;
};

// One linear layer under one window. `worker` < ThreadCount() names the lane,
// for scratch memory that is reused.
struct WindowBackprop {
  std::size_t window = 0;
  int worker = 0;
  const LinearBackprop* linear = nullptr;
};

struct BackpropagateOptions {
  // Windows [first, first + count), as far as there are any.
  std::size_t first = 0;
  std::size_t count = std::numeric_limits<std::size_t>::max();
  // A LogitGradient that also knows the window; called by several threads at
  // once, for different windows. Null: the negative log-likelihood.
  std::function<double(
      std::size_t window, std::size_t token, std::span<float> logits)>
      head;
};

// Runs windows through a ReversePass, spread over threads, and returns L of
// each. The visitor is called by several threads at once, for different
// windows: what it sums, it sums by window, and the caller adds the windows in
// their order, so that nothing depends on the number of threads. A progress bar
// counts windows. kInvalidArgument names the first window whose loss is not
// finite.
Expected<std::vector<double>> BackpropagateWindows(
    const Model& model,
    const WeightSet& weights,
    const TokenSet& tokens,
    const std::function<void(const WindowBackprop&)>& visitor,
    const BackpropagateOptions& options = {});

}  // namespace bitpact

#endif  // BITPACT_MODELS_REVERSE_PASS_H_
