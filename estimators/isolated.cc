// SPDX-License-Identifier: Apache-2.0
#include "estimators/isolated.h"

#include "models/perplexity.h"

namespace bitpact {
namespace {

class IsolatedEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "isolated"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    ValueFunction& game = *input.game;
    const auto units = static_cast<std::size_t>(game.num_units());
    std::vector<FormatAssignment> asked;
    asked.emplace_back(units, 0);
    asked.emplace_back(units, game.num_options() - 1);
    for (std::size_t u = 0; u < units; ++u) {
      for (int option = 1; option < game.num_options(); ++option) {
        asked.emplace_back(units, 0);
        asked.back()[u] = option;
      }
    }
    const Expected<std::vector<Evaluation>> values = game.Evaluate(asked);
    if (!values) return tl::unexpected(values.error());
    const Evaluation& base = values->front();
    Estimate estimate;
    estimate.base_loss = base.loss;
    estimate.lowest_loss = (*values)[1].loss;
    std::size_t at = 2;
    for (std::size_t u = 0; u < units; ++u) {
      std::vector<double> cost(1, 0.0);
      std::vector<double> error(1, 0.0);
      for (int option = 1; option < game.num_options(); ++option, ++at) {
        std::vector<double> rise = (*values)[at].window_loss;
        for (std::size_t w = 0; w < rise.size(); ++w) {
          rise[w] -= base.window_loss[w];
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
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeIsolatedEstimator() {
  return std::make_unique<IsolatedEstimator>();
}

}  // namespace bitpact
