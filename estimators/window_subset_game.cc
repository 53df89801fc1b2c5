// SPDX-License-Identifier: Apache-2.0
#include "estimators/window_subset_game.h"

#include <utility>

#include "core/check.h"

namespace bitpact {

WindowSubsetGame::WindowSubsetGame(ValueFunction& game,
                                   std::vector<int> windows)
    : game_(&game), windows_(std::move(windows)) {
  BITPACT_CHECK(!windows_.empty(), "at least one window");
  for (const int window : windows_) {
    tokens_.push_back(game.window_tokens()[static_cast<std::size_t>(window)]);
  }
}

Expected<std::vector<Evaluation>> WindowSubsetGame::Evaluate(
    std::span<const FormatAssignment> assignments) {
  std::vector<WindowQuestion> questions;
  for (const FormatAssignment& assignment : assignments) {
    for (const int window : windows_) questions.push_back({window, assignment});
  }
  const auto sums = game_->EvaluateWindows(questions);
  if (!sums) return tl::unexpected(sums.error());
  std::vector<Evaluation> results;
  for (auto at = sums->begin(); at != sums->end();
       at += static_cast<std::ptrdiff_t>(windows_.size())) {
    results.push_back(MakeEvaluation(
        std::vector<double>(at,
                            at + static_cast<std::ptrdiff_t>(windows_.size())),
        tokens_));
  }
  return results;
}

Expected<std::vector<double>> WindowSubsetGame::EvaluateWindows(
    std::span<const WindowQuestion> questions) {
  std::vector<WindowQuestion> inner(questions.begin(), questions.end());
  for (WindowQuestion& question : inner) {
    question.window = windows_[static_cast<std::size_t>(question.window)];
  }
  return game_->EvaluateWindows(inner);
}

}  // namespace bitpact
