// SPDX-License-Identifier: Apache-2.0
#include "estimators/value_function.h"

#include <map>

#include "core/check.h"

namespace bitpact {

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
    sums.push_back(value.window_nll[static_cast<std::size_t>(question.window)]);
  }
  return sums;
}

double MeanLoss(std::span<const double> window_nll,
                std::span<const double> window_tokens) {
  BITPACT_CHECK(window_nll.size() == window_tokens.size(),
                "one sum a calibration window");
  double nll = 0.0;
  double tokens = 0.0;
  for (std::size_t i = 0; i < window_nll.size(); ++i) {
    nll += window_nll[i];
    tokens += window_tokens[i];
  }
  return nll / tokens;
}

}  // namespace bitpact
