// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_MODEL_GAME_H_
#define BITPACT_ESTIMATORS_MODEL_GAME_H_

// The game over a real model: every unit is quantized once in every candidate
// format (unit_variants.h); playing a coalition exchanges pointers and runs the
// calibration tokens. The loss is the negative log-likelihood or the KL
// divergence from the full-precision model.
//
// Work is shared exactly. Assignments are walked depth first over their
// prefixes (assignment_walk.h), each one from the first stage that differs from
// the one before: a changed down projection runs no attention of its block.
// Windows are spread over threads, products run on one. Values have the same
// bits as without sharing, for any order of assignments, number of threads and
// memory.
//
// Memory: the variants, plus activations, reference and scratch within
// ModelGameOptions::memory_bytes (game_memory.h). KL needs the full-precision
// logits: kept for all windows, or for those at work and made again with every
// call (one full-precision pass over a batch of assignments), or, where a
// window's [tokens, vocabulary] does not fit, made slab by slab for every
// assignment, which doubles the price of the head.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/unit.h"
#include "estimators/assignment_walk.h"
#include "estimators/game_memory.h"
#include "estimators/unit_variants.h"
#include "estimators/value_function.h"
#include "models/model.h"
#include "models/token_set.h"
#include "models/transformer.h"
#include "quant/product_precision.h"
#include "quant/quantizer.h"

namespace bitpact {

struct ModelGameOptions {
  LossKind loss = LossKind::kNll;  // or kKl
  // Bound on activations, reference and scratch, all threads together.
  std::int64_t memory_bytes = std::int64_t{2} << 30;
  // Option 0 is full precision and the formats are options 1 and on.
  bool full_precision_first = false;
  // Of the linear layers and the head, the KL's reference included; available
  // (CHECK). Values of the two differ, so they are two games.
  ProductPrecision products = ProductPrecision::kFloat32;
};

class ModelGame : public ValueFunction {
 public:
  // The final plan may be quantized in sequence (models/sequential_quantizer.h)
  // and is then a little better than its parts.
  //
  // formats: one rule an option, most precise first. The model and the tokens
  // must outlive the game. Linear matrices that no unit names run in full
  // precision. Errors are those of UnitVariants and PlanGameMemory.
  static Expected<std::unique_ptr<ModelGame>> Create(
      const Model& model,
      const std::vector<Unit>& units,
      const std::vector<FormatRule>& formats,
      const Quantizer& quantizer,
      const TokenSet& tokens,
      const ModelGameOptions& options = {});
  ~ModelGame() override;

  [[nodiscard]] int num_units() const override { return variants_.num_units(); }
  [[nodiscard]] int num_options() const override {
    return variants_.num_options() + FirstFormat();
  }
  [[nodiscard]] std::span<const double> window_tokens() const override {
    return window_tokens_;
  }
  [[nodiscard]] LossKind loss_kind() const override { return options_.loss; }
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override;
  // Runs only the windows that are asked for; the questions of a window share
  // their prefixes.
  [[nodiscard]] Expected<std::vector<double>> EvaluateWindows(
      std::span<const WindowQuestion> questions) override;
  [[nodiscard]] bool runs_windows_alone() const override { return true; }

  // What is kept with the present number of threads.
  [[nodiscard]] GameMemoryPlan memory_plan() const;
  [[nodiscard]] std::int64_t variant_bytes() const { return variants_.bytes(); }
  // Stages of blocks run so far, and the number that runs without sharing would
  // have taken; a block is kStagesPerBlock of them.
  [[nodiscard]] std::int64_t stages_run() const { return stages_run_; }
  [[nodiscard]] std::int64_t stages_asked() const { return stages_asked_; }

 private:
  class Trail;
  [[nodiscard]] int FirstFormat() const {
    return options_.full_precision_first ? 1 : 0;
  }
  // The weights of a place when its unit takes the option.
  [[nodiscard]] LinearWeight WeightAt(int option, int place) const;
  struct Lane;
  ModelGame(const Model& model,
            const TokenSet& tokens,
            UnitVariants variants,
            const ModelGameOptions& options);
  // Makes room by memory_plan(); forgets activations when it changed.
  void Prepare();
  // One sum an assignment of the walk, in the order asked.
  std::vector<double> RunWindow(const AssignmentWalk& walk,
                                std::size_t window,
                                Lane& lane);
  // Full-precision logits or activations of a window, as the plan keeps them.
  void PrepareReference(std::size_t window, Lane& lane);
  // Runs walks[i] on window windows[i], spread over threads.
  std::vector<std::vector<double>> RunWalks(
      std::span<const AssignmentWalk* const> walks,
      std::span<const std::size_t> windows);
  // The sum of the loss over a window's predicted tokens from the activations
  // behind the last block.
  double WindowLoss(std::size_t window,
                    std::span<const float> hidden,
                    Lane& lane) const;
  double WindowKl(std::size_t window,
                  std::span<const float> hidden,
                  Lane& lane) const;
  [[nodiscard]] std::span<const int> RunTokens(std::size_t window) const;

  const Model* model_;
  const TokenSet* tokens_;
  UnitVariants variants_;
  ModelGameOptions options_;
  GameMemoryShape shape_;
  WeightSet full_;
  std::vector<double> window_tokens_;
  GameMemoryPlan plan_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::unique_ptr<Trail>> trails_;  // [window], all_windows only
  std::vector<std::vector<float>> reference_;   // [window], kWindowLogits only
  std::int64_t stages_run_ = 0;
  std::int64_t stages_asked_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_MODEL_GAME_H_
