// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_
#define BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_

// From a game, or from the model itself, to a surrogate. A new metric is one
// file that implements SensitivityEstimator and one line in the table of
// sensitivity_estimator.cc (docs/adding.md shows one whole).

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/unit.h"
#include "estimators/surrogate.h"
#include "estimators/value_function.h"
#include "models/model.h"
#include "models/token_set.h"
#include "quant/quantizer.h"

namespace bitpact {

// What metrics that look inside the model may see. All outlive the run.
struct ModelEvidence {
  const Model* model = nullptr;  // full precision
  const std::vector<Unit>* units = nullptr;
  const std::vector<FormatRule>* formats = nullptr;  // most precise first
  const Quantizer* quantizer = nullptr;
  const TokenSet* calibration = nullptr;
};

struct EstimatorInput {
  ValueFunction* game = nullptr;  // never null
  // Null where the loss comes from outside this program: then metrics that need
  // the model return kUnsupported and say so.
  const ModelEvidence* evidence = nullptr;
};

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
  // Deterministic for given options and input.
  [[nodiscard]] virtual Expected<Estimate> Run(
      const EstimatorInput& input, const EstimateOptions& options) const = 0;
  // Whether the surrogate predicts a loss in nats per token, so that an error
  // on held-out assignments means something; otherwise it only ranks.
  [[nodiscard]] virtual bool predicts_loss() const { return true; }
};

// Names in the order of the table.
std::vector<std::string> EstimatorNames();
// kInvalidArgument lists the known names.
Expected<std::unique_ptr<SensitivityEstimator>> MakeEstimator(
    const std::string& name);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_
