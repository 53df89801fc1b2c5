// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_CALIBRATION_H_
#define BITPACT_MODELS_CALIBRATION_H_

// What the linear layers of a model receive while it reads calibration tokens,
// block by block: quantizers like GPTQ choose codes by it.
//
// All windows go through the model together. The caller hands in the weights of
// the current block, as quantized as it has them, asks for Hessians, and moves
// on: so later layers see what the quantized earlier ones make of the text.
//
// Memory: tokens * hidden_size * 4 bytes for the activations that enter the
// current block; while a Hessian is summed 8 * cols^2 bytes and a batch of
// about 2048 tokens (or one window if that is longer) * cols * 4 bytes; one
// Transformer's scratch for every thread.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/error.h"
#include "models/model.h"
#include "models/token_set.h"
#include "models/transformer.h"

namespace bitpact {

// Linear layers of a block that read the same input, in the order of the
// computation: q, k, v; o; gate, up; down.
struct LinearStage {
  LinearKind input;  // the first, as Transformer::InputListener names it
  std::vector<LinearKind> kinds;
};
std::span<const LinearStage> LinearStages();

class Calibration {
 public:
  // Embeds the windows (the last token of each is predicted only and not run).
  // Both must outlive this object.
  Calibration(const Model& model, const TokenSet& tokens);
  Calibration(const Calibration&) = delete;
  Calibration& operator=(const Calibration&) = delete;

  // The block that the activations are about to enter; num_layers at the end.
  [[nodiscard]] int layer() const { return layer_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }

  // H of a stage's input in the current block (quant/hessian.h). block: weights
  // of the layers before the stage, the others may be empty. kInvalidArgument:
  // an input is not finite (tensor, window, token and column are named).
  // Spread over threads; the same bits for any number of them.
  [[nodiscard]] Expected<std::vector<float>> StageHessian(
      std::span<const LinearWeight> block, const LinearStage& stage);

  // Moves all windows through the current block.
  void Advance(std::span<const LinearWeight> block);

 private:
  struct Batch {
    std::size_t first_window = 0;
    std::size_t windows = 0;
    std::int64_t tokens = 0;
  };
  Transformer& Lane(int worker);
  void Collect(const Batch& batch,
               std::span<const LinearWeight> block,
               LinearKind input,
               std::span<float> x);
  [[nodiscard]] Expected<void> CheckFinite(const Batch& batch,
                                           LinearKind input,
                                           std::span<const float> x) const;

  const Model* model_;
  const TokenSet* set_;
  int layer_ = 0;
  std::int64_t tokens_ = 0;
  std::vector<std::int64_t> starts_;  // of windows, and the end
  std::vector<Batch> batches_;
  std::vector<float> hidden_;  // [tokens, hidden_size]
  std::vector<std::unique_ptr<Transformer>> lanes_;
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_CALIBRATION_H_
