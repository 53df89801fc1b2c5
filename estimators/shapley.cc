// SPDX-License-Identifier: Apache-2.0
#include "estimators/shapley.h"

#include <cmath>

namespace bitpact {
namespace {

class ShapleyEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "shapley"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& options) const override {
    const Expected<void> valid = Validate(options);
    if (!valid) return tl::unexpected(valid.error());
    const Expected<MarginalSamples> samples =
        SampleMarginals(*input.game, SpqePart(options));
    if (!samples) return tl::unexpected(samples.error());
    Estimate estimate;
    estimate.surrogate = ShapleySurrogate(*samples);
    estimate.base_loss = samples->base_loss;
    estimate.lowest_loss = samples->lowest_loss;
    estimate.detail = samples->detail;
    return estimate;
  }
};

}  // namespace

Surrogate ShapleySurrogate(const MarginalSamples& samples) {
  Surrogate surrogate;
  const int steps = samples.num_options - 1;
  for (int unit = 0; unit < samples.num_units; ++unit) {
    std::vector<double> cost(1, 0.0);
    std::vector<double> error(1, 0.0);
    for (int step = 0; step < steps; ++step) {
      const auto player =
          static_cast<std::size_t>(unit) * static_cast<std::size_t>(steps) +
          static_cast<std::size_t>(step);
      cost.push_back(cost.back() + samples.mean[player]);
      error.push_back(std::hypot(error.back(),
                                 samples.permutation_error[player],
                                 samples.data_error[player]));
    }
    surrogate.linear.push_back(std::move(cost));
    surrogate.linear_standard_error.push_back(std::move(error));
  }
  return surrogate;
}

std::unique_ptr<SensitivityEstimator> MakeShapleyEstimator() {
  return std::make_unique<ShapleyEstimator>();
}

}  // namespace bitpact
