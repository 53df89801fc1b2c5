// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_WINDOW_SUBSET_GAME_H_
#define BITPACT_ESTIMATORS_WINDOW_SUBSET_GAME_H_

// Another game on some of its windows: a game to fit on and one to judge by out
// of one set of quantized variants and one memory.

#include <span>
#include <vector>

#include "core/error.h"
#include "estimators/value_function.h"

namespace bitpact {

class WindowSubsetGame : public ValueFunction {
 public:
  // windows: distinct indices into game.window_tokens(), at least one. `game`
  // must outlive this object.
  WindowSubsetGame(ValueFunction& game, std::vector<int> windows);

  [[nodiscard]] int num_units() const override { return game_->num_units(); }
  [[nodiscard]] int num_options() const override {
    return game_->num_options();
  }
  [[nodiscard]] LossKind loss_kind() const override {
    return game_->loss_kind();
  }
  [[nodiscard]] std::span<const double> window_tokens() const override {
    return tokens_;
  }
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override;
  [[nodiscard]] Expected<std::vector<double>> EvaluateWindows(
      std::span<const WindowQuestion> questions) override;

 private:
  ValueFunction* game_;
  std::vector<int> windows_;
  std::vector<double> tokens_;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_WINDOW_SUBSET_GAME_H_
