// SPDX-License-Identifier: Apache-2.0
#include "estimators/coopq.h"

#include "Eigen/Core"
#include "estimators/shapley.h"

namespace bitpact {
namespace {

using RowMajor =
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Eq. 5 as printed: v(before) - v(after).
void FlipSigns(MarginalSamples& samples) {
  for (double& increase : samples.increases) increase = -increase;
  for (double& value : samples.mean) value = -value;
}

// Sum of K over the steps 1..option_a of one unit and 1..option_b of another.
double StepSum(const CoopqModel& model,
               int first_a,
               int option_a,
               int first_b,
               int option_b) {
  double sum = 0.0;
  for (int a = first_a; a < first_a + option_a; ++a) {
    for (int b = first_b; b < first_b + option_b; ++b) {
      sum += model.interactions[static_cast<std::size_t>(a) *
                                    static_cast<std::size_t>(model.players) +
                                static_cast<std::size_t>(b)];
    }
  }
  return sum;
}

// The pair terms of two units: one for each two options that are not the
// widest.
void AddUnitPairs(
    const CoopqModel& model, int u, int w, int steps, Surrogate& surrogate) {
  for (int a = 1; a <= steps; ++a) {
    for (int b = 1; b <= steps; ++b) {
      const double value = 2.0 * StepSum(model, u * steps, a, w * steps, b);
      if (value != 0.0) surrogate.pairs.push_back({u, a, w, b, value});
    }
  }
}

class CoopqEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "coopq"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& options) const override {
    const Expected<void> valid = Validate(options);
    if (!valid) return tl::unexpected(valid.error());
    if (options.orders == OrderDesign::kPerWindow) {
      return Fail(ErrorCode::kUnsupported,
                  "coopq with orders for each window: its covariance would "
                  "hold the differences between windows; use shared orders");
    }
    Expected<MarginalSamples> samples =
        SampleMarginals(*input.game, SpqePart(options));
    if (!samples) return tl::unexpected(samples.error());
    if (options.sign_as_printed) FlipSigns(*samples);
    Estimate estimate;
    estimate.surrogate =
        CoopqSurrogate(*samples, FitCoopq(*samples, options.alpha));
    estimate.base_loss = samples->base_loss;
    estimate.lowest_loss = samples->lowest_loss;
    estimate.detail = samples->detail;
    if (options.sign_as_printed) {
      estimate.detail += "; sign of eq. 5 as printed";
    }
    return estimate;
  }
};

}  // namespace

CoopqModel FitCoopq(const MarginalSamples& samples, double alpha) {
  const int players = samples.num_players();
  CoopqModel model;
  model.players = players;
  const auto cells =
      static_cast<std::size_t>(players) * static_cast<std::size_t>(players);
  model.covariance.resize(cells);
  model.interactions.resize(cells);
  const Eigen::Map<const RowMajor> increases(
      samples.increases.data(), samples.permutations, players);
  const Eigen::Map<const Eigen::RowVectorXd> mean(samples.mean.data(), players);
  const RowMajor centred = increases.rowwise() - mean;
  Eigen::Map<RowMajor> covariance(model.covariance.data(), players, players);
  covariance.noalias() =
      centred.transpose() * centred / static_cast<double>(samples.permutations);
  Eigen::Map<RowMajor> interactions(
      model.interactions.data(), players, players);
  interactions = (1.0 - alpha) * covariance;
  interactions.diagonal() += alpha * covariance.diagonal();
  const Eigen::VectorXd others =
      interactions.rowwise().sum() - interactions.diagonal();
  for (int i = 0; i < players; ++i) {
    model.linear.push_back(samples.mean[static_cast<std::size_t>(i)] -
                           others[i]);
  }
  return model;
}

Surrogate CoopqSurrogate(const MarginalSamples& samples,
                         const CoopqModel& model) {
  Surrogate surrogate = ShapleySurrogate(samples);
  const int steps = samples.num_options - 1;
  for (int u = 0; u < samples.num_units; ++u) {
    double linear = 0.0;
    for (int option = 1; option <= steps; ++option) {
      linear += model.linear[static_cast<std::size_t>(u * steps + option - 1)];
      surrogate.linear[static_cast<std::size_t>(u)]
                      [static_cast<std::size_t>(option)] =
          linear + StepSum(model, u * steps, option, u * steps, option);
    }
    for (int w = u + 1; w < samples.num_units; ++w) {
      AddUnitPairs(model, u, w, steps, surrogate);
    }
  }
  return surrogate;
}

std::unique_ptr<SensitivityEstimator> MakeCoopqEstimator() {
  return std::make_unique<CoopqEstimator>();
}

}  // namespace bitpact
