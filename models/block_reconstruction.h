// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_BLOCK_RECONSTRUCTION_H_
#define BITPACT_MODELS_BLOCK_RECONSTRUCTION_H_

// Learns how one transformer block is rounded (quant/learned_matrix.h), so that
// what leaves it stays near what leaves the full-precision block: the block
// reconstruction of OmniQuant (Shao et al., arXiv 2308.13137, section 3.1) that
// HIPR (arXiv 2511.17801, section 3) trains with.
//
//   L = |block_Q(x_Q) - block(x)|^2, mean over tokens
//
// x runs through full-precision blocks alone, x_Q through quantized ones, so a
// block also learns to undo what the blocks before it did. Adam takes a step
// after every batch of windows; batches are drawn without replacement, all
// windows once before any twice.
//
// Learning is judged by windows it never sees: their loss with the weights
// rounded as they would be stored, before the first step and at even distances
// after. What is best there is kept, the start included; learning stops early
// when half of all checks in a row bring nothing better.
//
// Deviations from AdaRound: L is counted in units of its value at the start and
// a step's slopes times the number of weights with learned rounding, so that
// the penalty's weight means the same whatever the activations' size.

#include <cstdint>
#include <span>
#include <vector>

#include "core/error.h"
#include "models/model.h"
#include "models/transformer.h"
#include "quant/learned_matrix.h"

namespace bitpact {

struct ReconstructionOptions {
  // Steps a block; more learn more and take longer. >= 1; HIPR's number.
  int iterations = 5000;
  int batch = 4;            // windows a step, >= 1
  double held_out = 0.125;  // share of the windows that judge, in (0, 1)
  int checks = 20;          // >= 1
  std::uint64_t seed = 1;
  LearningOptions learning;
};

// kInvalidArgument names the field, its value and the rule.
Expected<void> Validate(const ReconstructionOptions& options);

// The activations around one block.
struct BlockActivations {
  // Of windows, in tokens, and the end: [windows + 1].
  std::span<const std::int64_t> starts;
  std::span<const float> entering;  // x_Q, [tokens, hidden_size]
  std::span<const float> wanted;    // block(x), [tokens, hidden_size]
};

// What became of a block. Losses are of the windows that judge: squared error
// of a number of the block's output, mean.
struct ReconstructionOutcome {
  int layer = 0;
  double start_loss = 0.0;  // rounded to nearest
  double loss = 0.0;        // as kept
  int iterations = 0;       // run
  int best_iteration = 0;   // kept; 0: the start

  [[nodiscard]] bool fell() const { return loss < start_loss; }
};

// Windows that judge, of so many: evenly spread, at least one.
// kInvalidArgument: fewer than two windows.
Expected<std::vector<int>> HeldOutWindows(int windows, double share);

// matrices: one a kind, null where the weight is fixed; they are left as kept.
// fixed: one a kind, used where no matrix is. kInvalidArgument: the loss at the
// start is not finite. Spread over threads; the same bits for any number of
// them. A progress bar counts steps.
// Time: iterations * batch * (three forward passes of the block). Memory: a
// float32 block, another for each window of a batch, and for each thread what
// models/block_reverse.h says.
Expected<ReconstructionOutcome> ReconstructBlock(
    const Model& model,
    int layer,
    std::span<LearnedMatrix* const> matrices,
    std::span<const LinearWeight> fixed,
    const BlockActivations& activations,
    const ReconstructionOptions& options);

}  // namespace bitpact

#endif  // BITPACT_MODELS_BLOCK_RECONSTRUCTION_H_
