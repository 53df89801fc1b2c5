// SPDX-License-Identifier: Apache-2.0
#include "estimators/counting_game.h"

#include <numeric>

namespace bitpact {

Expected<std::vector<Evaluation>> CountingGame::Evaluate(
    std::span<const FormatAssignment> assignments) {
  whole_.insert(assignments.begin(), assignments.end());
  return game_->Evaluate(assignments);
}

Expected<std::vector<double>> CountingGame::EvaluateWindows(
    std::span<const WindowQuestion> questions) {
  for (const WindowQuestion& question : questions) {
    single_.emplace(question.window, question.assignment);
  }
  return game_->EvaluateWindows(questions);
}

double CountingGame::evaluations() const {
  const std::span<const double> tokens = game_->window_tokens();
  double asked = 0.0;
  for (const auto& [window, assignment] : single_) {
    if (whole_.contains(assignment)) continue;
    asked += tokens[static_cast<std::size_t>(window)];
  }
  return static_cast<double>(whole_.size()) +
         asked / std::accumulate(tokens.begin(), tokens.end(), 0.0);
}

}  // namespace bitpact
