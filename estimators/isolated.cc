// SPDX-License-Identifier: Apache-2.0
#include "estimators/isolated.h"

#include <string>
#include <utility>

#include "models/perplexity.h"

namespace bitpact {
namespace {

enum class End { kHigh, kLow };

// For every unit and option >= 1, in order: the two coalitions whose loss
// differs by the option's cost at this end.
void AskFrom(End end,
             const ValueFunction& game,
             std::vector<FormatAssignment>& asked) {
  const auto units = static_cast<std::size_t>(game.num_units());
  const int last = game.num_options() - 1;
  for (std::size_t u = 0; u < units; ++u) {
    for (int option = 1; option <= last; ++option) {
      FormatAssignment before(units, end == End::kHigh ? 0 : last);
      before[u] = 0;
      FormatAssignment after = before;
      after[u] = option;
      asked.push_back(std::move(before));
      asked.push_back(std::move(after));
    }
  }
}

class IsolatedEstimator final : public SensitivityEstimator {
 public:
  IsolatedEstimator(std::string name, std::vector<End> ends)
      : name_(std::move(name)), ends_(std::move(ends)) {}
  [[nodiscard]] std::string name() const override { return name_; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    ValueFunction& game = *input.game;
    const auto units = static_cast<std::size_t>(game.num_units());
    const auto steps = static_cast<std::size_t>(game.num_options() - 1);
    std::vector<FormatAssignment> asked;
    asked.emplace_back(units, 0);
    asked.emplace_back(units, game.num_options() - 1);
    for (const End end : ends_) AskFrom(end, game, asked);
    const Expected<std::vector<Evaluation>> values = game.Evaluate(asked);
    if (!values) return tl::unexpected(values.error());
    Estimate estimate;
    estimate.base_loss = values->front().loss;
    estimate.lowest_loss = (*values)[1].loss;
    for (std::size_t u = 0; u < units; ++u) {
      std::vector<double> cost(1, 0.0);
      std::vector<double> error(1, 0.0);
      for (std::size_t option = 0; option < steps; ++option) {
        const std::size_t place = u * steps + option;
        std::vector<double> rise(game.window_tokens().size(), 0.0);
        for (std::size_t e = 0; e < ends_.size(); ++e) {
          const std::size_t at = 2 + 2 * (e * units * steps + place);
          for (std::size_t w = 0; w < rise.size(); ++w) {
            rise[w] += ((*values)[at + 1].window_loss[w] -
                        (*values)[at].window_loss[w]) /
                       static_cast<double>(ends_.size());
          }
        }
        const RatioEstimate ratio = EstimateRatio(rise, game.window_tokens());
        cost.push_back(ratio.mean);
        error.push_back(ratio.standard_error);
      }
      estimate.surrogate.linear.push_back(std::move(cost));
      estimate.surrogate.linear_standard_error.push_back(std::move(error));
    }
    return estimate;
  }

 private:
  std::string name_;
  std::vector<End> ends_;
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeIsolatedEstimator() {
  return std::make_unique<IsolatedEstimator>("isolated",
                                             std::vector<End>{End::kHigh});
}

std::unique_ptr<SensitivityEstimator> MakeIsolatedLowEstimator() {
  return std::make_unique<IsolatedEstimator>("isolated-low",
                                             std::vector<End>{End::kLow});
}

std::unique_ptr<SensitivityEstimator> MakeIsolatedBothEstimator() {
  return std::make_unique<IsolatedEstimator>(
      "isolated-both", std::vector<End>{End::kHigh, End::kLow});
}

}  // namespace bitpact
