// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_MODEL_GAME_H_
#define BITPACT_ESTIMATORS_MODEL_GAME_H_

// The game over a real model: every unit is quantized once in every candidate
// format; playing a coalition exchanges pointers and runs the calibration
// tokens.
//
// Work is shared exactly. The activations that enter a block depend only on the
// formats of the blocks before it, so assignments are walked in lexicographic
// order of the model's layers - depth first over the tree of their prefixes -
// and only the blocks behind the first difference are run again. Values have
// the same bits as without sharing, for any order of assignments and number of
// threads.
//
// Memory: all packed variants, plus for every thread
// (num_layers + 1) * window * hidden_size * 4 bytes of activations and one
// Transformer's scratch; activation_bytes() states the former.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/unit.h"
#include "estimators/value_function.h"
#include "models/model.h"
#include "models/token_set.h"
#include "models/transformer.h"
#include "quant/quantizer.h"

namespace bitpact {

class ModelGame : public ValueFunction {
 public:
  // A quantizer that needs Hessians gets those of these tokens in full
  // precision: the variants of a unit cannot depend on what the other units
  // will be. The final plan is quantized in sequence instead
  // (models/sequential_quantizer.h) and is a little better than its parts.
  //
  // formats: one rule an option, most precise first. The model and the tokens
  // must outlive the game. Linear matrices that no unit names run in full
  // precision. Errors are those of WeightIndices and of the quantizer; a matrix
  // that belongs to two units, or a unit that spans two blocks, is
  // kInvalidArgument.
  static Expected<std::unique_ptr<ModelGame>> Create(
      const Model& model,
      const std::vector<Unit>& units,
      const std::vector<FormatRule>& formats,
      const Quantizer& quantizer,
      const TokenSet& tokens);

  [[nodiscard]] int num_units() const override {
    return static_cast<int>(unit_weights_.size());
  }
  [[nodiscard]] int num_options() const override { return num_options_; }
  [[nodiscard]] std::span<const double> window_tokens() const override {
    return window_tokens_;
  }
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override;
  // Runs only the windows that are asked for; the questions of a window share
  // their prefixes.
  [[nodiscard]] Expected<std::vector<double>> EvaluateWindows(
      std::span<const WindowQuestion> questions) override;

  // Memory of the activations that one thread keeps.
  [[nodiscard]] std::int64_t activation_bytes() const;
  // Blocks run so far, and the number that runs without sharing would have
  // taken.
  [[nodiscard]] std::int64_t blocks_run() const { return blocks_run_; }
  [[nodiscard]] std::int64_t blocks_asked() const { return blocks_asked_; }

 private:
  ModelGame(const Model& model, const TokenSet& tokens);
  Expected<void> AddUnit(const Unit& unit,
                         const std::vector<FormatRule>& formats);
  struct Variant;
  Expected<void> QuantizeAll(const std::vector<Unit>& units,
                             const std::vector<FormatRule>& formats,
                             const Quantizer& quantizer);
  // Spread over threads.
  Expected<void> QuantizeVariants(const std::vector<Variant>& variants,
                                  const Quantizer& quantizer,
                                  std::span<const float> hessian);
  struct Walk;
  struct Lane;
  // Sorts the assignments into walking order.
  [[nodiscard]] Walk MakeWalk(std::vector<const FormatAssignment*> asked) const;
  // One sum of nll an assignment of the walk, in the order asked.
  [[nodiscard]] std::vector<double> RunWindow(const Walk& walk,
                                              std::size_t window,
                                              Lane& lane) const;
  // Runs walks[i] on window windows[i], spread over threads.
  std::vector<std::vector<double>> RunWalks(
      std::span<const Walk* const> walks, std::span<const std::size_t> windows);

  const Model* model_;
  const TokenSet* tokens_;
  int num_options_ = 0;
  std::vector<double> window_tokens_;
  std::vector<std::vector<int>> unit_weights_;  // places in a WeightSet
  std::vector<int> unit_layer_;
  // variants_[option][place]: null where no unit owns the place.
  std::vector<std::vector<std::shared_ptr<const PackedMatrix>>> variants_;
  std::int64_t blocks_run_ = 0;
  std::int64_t blocks_asked_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_MODEL_GAME_H_
