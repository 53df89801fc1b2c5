// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_
#define BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_

// From a game to a surrogate. A new metric is one file that implements
// SensitivityEstimator and one line in the table of sensitivity_estimator.cc
// (docs/add_a_metric.md shows one whole).

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "estimators/surrogate.h"
#include "estimators/value_function.h"

namespace bitpact {

struct EstimateOptions {
  // Orders for the sampling estimators; see SpqeOptions.
  int permutations = 12;
  // CoopQ's shrinkage of the covariance to its diagonal, 0..1: 0 keeps all pair
  // terms, 1 drops them.
  double alpha = 0.5;
  std::uint64_t seed = 1;
};
Expected<void> Validate(const EstimateOptions& options);

struct Estimate {
  Surrogate surrogate;
  double base_loss = 0.0;    // all units at option 0, nats per token
  double lowest_loss = 0.0;  // all units at the last option
};

class SensitivityEstimator {
 public:
  virtual ~SensitivityEstimator() = default;
  // The name in files and flags. Change the meaning, change the name.
  [[nodiscard]] virtual std::string name() const = 0;
  // Deterministic for given options and game.
  [[nodiscard]] virtual Expected<Estimate> Run(
      ValueFunction& game, const EstimateOptions& options) const = 0;
};

// Names in the order of the table.
std::vector<std::string> EstimatorNames();
// kInvalidArgument lists the known names.
Expected<std::unique_ptr<SensitivityEstimator>> MakeEstimator(
    const std::string& name);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_
