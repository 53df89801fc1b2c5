// SPDX-License-Identifier: Apache-2.0
#include "estimators/value_function.h"

#include <map>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "models/perplexity.h"

namespace bitpact {

const char* LossKindName(LossKind kind) {
  switch (kind) {
    case LossKind::kNll:
      return "nll";
    case LossKind::kKl:
      return "kl";
    case LossKind::kOutside:
      return "outside";
  }
  BITPACT_CHECK(false, "a known kind of loss");
}

Expected<LossKind> ParseLossKind(const std::string& name) {
  if (name == "nll") return LossKind::kNll;
  if (name == "kl") return LossKind::kKl;
  return InvalidArgument("--value '" + name + "' is not one of: nll, kl");
}

Expected<void> ValueFunction::Stream(
    std::span<const FormatAssignment> assignments, const Taker& take) {
  Expected<std::vector<Evaluation>> values = Evaluate(assignments);
  if (!values) return tl::unexpected(values.error());
  for (std::size_t i = 0; i < values->size(); ++i) {
    Expected<void> taken = take(i, std::move((*values)[i]));
    if (!taken) return taken;
  }
  return {};
}

Expected<std::vector<double>> ValueFunction::EvaluateWindows(
    std::span<const WindowQuestion> questions) {
  std::map<FormatAssignment, std::size_t> places;
  std::vector<FormatAssignment> asked;
  for (const WindowQuestion& question : questions) {
    if (places.emplace(question.assignment, asked.size()).second) {
      asked.push_back(question.assignment);
    }
  }
  const Expected<std::vector<Evaluation>> values = Evaluate(asked);
  if (!values) return tl::unexpected(values.error());
  std::vector<double> sums;
  sums.reserve(questions.size());
  for (const WindowQuestion& question : questions) {
    const Evaluation& value = (*values)[places.at(question.assignment)];
    sums.push_back(
        value.window_loss[static_cast<std::size_t>(question.window)]);
  }
  return sums;
}

double MeanLoss(std::span<const double> window_loss,
                std::span<const double> window_tokens) {
  BITPACT_CHECK(window_loss.size() == window_tokens.size(),
                "one sum a calibration window");
  double loss = 0.0;
  double tokens = 0.0;
  for (std::size_t i = 0; i < window_loss.size(); ++i) {
    loss += window_loss[i];
    tokens += window_tokens[i];
  }
  return loss / tokens;
}

Evaluation MakeEvaluation(std::vector<double> window_loss,
                          std::span<const double> window_tokens) {
  Evaluation evaluation;
  evaluation.loss = MeanLoss(window_loss, window_tokens);
  evaluation.standard_error =
      EstimateRatio(window_loss, window_tokens).standard_error;
  evaluation.window_loss = std::move(window_loss);
  return evaluation;
}

std::string AssignmentText(std::span<const int> assignment) {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string text;
  for (const int option : assignment) {
    BITPACT_CHECK(option >= 0 && option < std::ssize(kDigits),
                  "an option has a character");
    text += kDigits[static_cast<std::size_t>(option)];
  }
  return text;
}

}  // namespace bitpact
