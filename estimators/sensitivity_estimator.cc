// SPDX-License-Identifier: Apache-2.0
#include "estimators/sensitivity_estimator.h"

#include <array>
#include <chrono>
#include <utility>

#include "estimators/activation.h"
#include "estimators/coopq.h"
#include "estimators/counting_game.h"
#include "estimators/fisher.h"
#include "estimators/gradient_error.h"
#include "estimators/hawq.h"
#include "estimators/hessian_error.h"
#include "estimators/isolated.h"
#include "estimators/lim.h"
#include "estimators/llm_mq.h"
#include "estimators/pairs.h"
#include "estimators/quadratic.h"
#include "estimators/shapley.h"
#include "estimators/spqe.h"
#include "estimators/weight_mse.h"
#include "estimators/zscore.h"

namespace bitpact {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<SensitivityEstimator> (*make)();
};

// 2^20 coalitions.
constexpr int kMostExactPlayers = 20;

constexpr auto kTable = std::to_array<Entry>({
    {"coopq", &MakeCoopqEstimator},
    {"shapley", &MakeShapleyEstimator},
    {"quadratic", &MakeQuadraticEstimator},
    {"pairs", &MakePairsEstimator},
    {"isolated", &MakeIsolatedEstimator},
    {"isolated-low", &MakeIsolatedLowEstimator},
    {"isolated-both", &MakeIsolatedBothEstimator},
    {"llm-mq", &MakeLlmMqEstimator},
    {"fisher", &MakeFisherEstimator},
    {"gradient-error", &MakeGradientErrorEstimator},
    {"hessian-error", &MakeHessianErrorEstimator},
    {"hawq", &MakeHawqEstimator},
    {"weight-mse", &MakeWeightMseEstimator},
    {"lim", &MakeLimEstimator},
    {"zscore", &MakeZscoreEstimator},
    {"activation", &MakeActivationEstimator},
});

}  // namespace

Expected<void> Validate(const EstimateOptions& options) {
  if (!(options.alpha >= 0.0 && options.alpha <= 1.0)) {
    return InvalidArgument("alpha = " + std::to_string(options.alpha) +
                           " violates 0 <= alpha <= 1");
  }
  if (!(options.stop_error >= 0.0 && options.stop_error < 1.0)) {
    return InvalidArgument(
        "stop_error = " + std::to_string(options.stop_error) +
        " violates 0 <= stop_error < 1");
  }
  if (options.coalitions < 0 || options.exact_players < 0 ||
      options.exact_players > kMostExactPlayers) {
    return InvalidArgument(
        "coalitions = " + std::to_string(options.coalitions) +
        ", exact_players = " + std::to_string(options.exact_players) +
        ": violates coalitions >= 0, 0 <= exact_players <= " +
        std::to_string(kMostExactPlayers));
  }
  return Validate(SpqeOptions{options.permutations, options.seed});
}

Expected<Estimate> RunEstimator(const SensitivityEstimator& estimator,
                                const EstimatorInput& input,
                                const EstimateOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  CountingGame counting(*input.game);
  Expected<Estimate> estimate =
      estimator.Run({&counting, input.evidence}, options);
  if (!estimate) return estimate;
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - start;
  estimate->cost = {counting.evaluations(), taken.count()};
  return estimate;
}

std::vector<std::string> EstimatorNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kTable) names.emplace_back(entry.name);
  return names;
}

Expected<std::unique_ptr<SensitivityEstimator>> MakeEstimator(
    const std::string& name) {
  std::string known;
  for (const Entry& entry : kTable) {
    if (name == entry.name) return entry.make();
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  return InvalidArgument("estimator '" + name + "' is not one of: " + known);
}

}  // namespace bitpact
