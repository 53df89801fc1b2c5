// SPDX-License-Identifier: Apache-2.0
// The second metric of docs/adding-a-metric.md; see example_relative_error.cc.

#include "tests/estimators/example_metrics.h"

namespace bitpact {
namespace {
// [example]
// What a unit's lowest option costs while everything else is at its lowest.
class RescueEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "rescue"; }

  [[nodiscard]] Expected<Estimate> Run(const EstimatorInput& input,
                                       const EstimateOptions&) const override {
    const auto units = static_cast<std::size_t>(input.game->num_units());
    const int lowest = input.game->num_options() - 1;
    std::vector<FormatAssignment> asked = {FormatAssignment(units, 0),
                                           FormatAssignment(units, lowest)};
    for (std::size_t u = 0; u < units; ++u) {
      for (int option = 0; option < lowest; ++option) {
        asked.emplace_back(units, lowest);
        asked.back()[u] = option;
      }
    }
    const auto values = input.game->Evaluate(asked);
    if (!values) return tl::unexpected(values.error());
    Estimate estimate;
    estimate.base_loss = (*values)[0].loss;
    estimate.lowest_loss = (*values)[1].loss;
    for (std::size_t u = 0, at = 2; u < units; ++u) {
      const double best = (*values)[at].loss;
      std::vector<double> cost;
      for (int option = 0; option < lowest; ++option) {
        cost.push_back((*values)[at++].loss - best);
      }
      cost.push_back(estimate.lowest_loss - best);
      estimate.surrogate.linear.push_back(std::move(cost));
    }
    return estimate;
  }
};
// [/example]
}  // namespace

std::unique_ptr<SensitivityEstimator> MakeRescueEstimator() {
  return std::make_unique<RescueEstimator>();
}

}  // namespace bitpact
