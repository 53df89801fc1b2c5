// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_BLOCK_REVERSE_H_
#define BITPACT_MODELS_BLOCK_REVERSE_H_

// One transformer block, forwards and backwards: the activations that enter it
// and dL/d(what leaves it) give dL/d(what enters it) and, for each linear
// layer, its input and dL/d(its output). Any loss will do: the whole model's
// (models/reverse_pass.h), or the squared error against what the
// full-precision block makes of the same input, which is how block
// reconstruction (AdaRound, OmniQuant) learns:
//
//   BlockReverse reverse(model);
//   reverse.Forward(layer, quantized_block, hidden);        // in place
//   for (i...) gradient[i] = 2 * (hidden[i] - target[i]) / count;
//   reverse.Backward(quantized_block, gradient,
//                    [&](const LinearBackprop& linear) { ... dy^T x ... });
//
// With packed or rounded weights the gradients are those at the rounded
// weights; a straight-through estimator is the caller's decision.
//
// The order is hand-written, not recorded: rotary attention with shared
// key-value heads, RMSNorm, SwiGLU and residual sums, what
// models/transformer.h runs. Whoever adds a step to Transformer::RunBlock adds
// it here; the tests compare both bit for bit.
//
// Memory: tokens * (6 * hidden + 6 * heads * head_dim + 5 * intermediate) * 4
// bytes at most, and AttendReverse's. Not thread-safe: one a thread.
// Deterministic. Time: Forward one forward pass of the block, Backward one more
// (a product for each linear layer) and twice the attention; dL/dW, if the
// visitor makes it, another.

#include <memory>
#include <span>

#include "models/linear_reverse.h"
#include "models/model.h"
#include "models/transformer.h"

namespace bitpact {

class BlockReverse {
 public:
  // The model (its norms and sizes) must outlive this object.
  explicit BlockReverse(const Model& model);
  BlockReverse(BlockReverse&&) noexcept;
  BlockReverse& operator=(BlockReverse&&) noexcept;
  ~BlockReverse();

  // The same as Transformer::RunBlock, to the bit, and keeps what Backward
  // needs. hidden: [tokens, hidden_size], in place. The weights' shapes are
  // CHECKed.
  void Forward(int layer,
               std::span<const LinearWeight> block,
               std::span<float> hidden);

  // After Forward, of the same block and any number of times. gradient:
  // [tokens, hidden_size]; in: dL/d(what Forward returned), out: dL/d(what it
  // was given). visitor may be null; it sees down, up, gate, o, v, k, q.
  void Backward(std::span<const LinearWeight> block,
                std::span<float> gradient,
                const LinearVisitor& visitor);

 private:
  struct Trace;
  void BackwardMlp(std::span<const LinearWeight> block,
                   std::span<float> gradient,
                   const LinearVisitor& visitor);
  void BackwardAttention(std::span<const LinearWeight> block,
                         std::span<float> gradient,
                         const LinearVisitor& visitor);
  void Show(const LinearVisitor& visitor,
            LinearKind kind,
            std::span<const float> x,
            std::span<const float> dy) const;

  const Model* model_;
  std::unique_ptr<Trace> trace_;
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_BLOCK_REVERSE_H_
