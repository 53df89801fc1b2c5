// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_COUNTING_GAME_H_
#define BITPACT_ESTIMATORS_COUNTING_GAME_H_

// Passes questions on and counts them, so that estimators are compared by what
// they ask, whatever a memory below already knows. A question (assignment,
// window) counts once however often it is asked. Memory: the assignments.

#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"
#include "estimators/value_function.h"

namespace bitpact {

class CountingGame : public ValueFunction {
 public:
  // `game` must outlive this object.
  explicit CountingGame(ValueFunction& game) : game_(&game) {}

  [[nodiscard]] int num_units() const override { return game_->num_units(); }
  [[nodiscard]] int num_options() const override {
    return game_->num_options();
  }
  [[nodiscard]] LossKind loss_kind() const override {
    return game_->loss_kind();
  }
  [[nodiscard]] std::span<const double> window_tokens() const override {
    return game_->window_tokens();
  }
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override;
  [[nodiscard]] Expected<std::vector<double>> EvaluateWindows(
      std::span<const WindowQuestion> questions) override;

  // Passes over all windows: predicted tokens of the distinct questions, over
  // those of all windows.
  [[nodiscard]] double evaluations() const;

 private:
  ValueFunction* game_;
  std::set<FormatAssignment> whole_;
  std::set<std::pair<int, FormatAssignment>> single_;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_COUNTING_GAME_H_
