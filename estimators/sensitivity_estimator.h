// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_
#define BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_

// From a game, or from the model itself, to a surrogate. A new metric is one
// file that implements SensitivityEstimator and one line in the table of
// sensitivity_estimator.cc (docs/adding.md shows one whole).

#include <cstdint>
#include <memory>
#include <optional>
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

// The budget that the plan will have, for estimators that can fit best there.
struct TargetBudget {
  std::int64_t byte_limit = 0;  // inclusive, for the units together
  // [unit][option]: stored bytes.
  std::vector<std::vector<std::int64_t>> option_bytes;
};

// Which calibration windows an order of spqe.h is played on.
enum class OrderDesign : std::uint8_t {
  kShared,     // every order on all windows, as the paper does
  kPerWindow,  // every window has orders of its own
};

struct EstimateOptions {
  // Orders for the sampling estimators; see SpqeOptions. At kPerWindow: for
  // each window.
  int permutations = 12;
  OrderDesign orders = OrderDesign::kShared;
  // Sampling ends early once the standard errors of the Shapley values, as a
  // share of the values (root sums of squares), are below this; 0: never.
  double stop_error = 0.0;
  // Sampling ends once the plan that the values would choose at the target
  // budget stays the same for so many rounds (SpqeOptions); 0: never.
  int stop_plan = 0;
  // Games of at most this many players (unit, step) are enumerated instead of
  // sampled; 0: never.
  int exact_players = 12;
  // CoopQ's shrinkage of the covariance to its diagonal, 0..1: 0 keeps all pair
  // terms, 1 drops them.
  double alpha = 0.5;
  // CoopQ's eq. 5 with the sign it is printed with, which puts the most
  // sensitive units at the lowest format; to compare only.
  bool sign_as_printed = false;
  // Coalitions that "quadratic" evaluates; 0: its own rule.
  int coalitions = 0;
  // "pairs": only units of the same block.
  bool pairs_in_block = false;
  std::optional<TargetBudget> target{};
  std::uint64_t seed = 1;
};
Expected<void> Validate(const EstimateOptions& options);

// What an estimate took.
struct EstimateCost {
  // Passes over the whole calibration set, whether run now or remembered from
  // before: distinct (assignment, window) questions in predicted tokens, over
  // the tokens of all windows.
  double evaluations = 0.0;
  double seconds = 0.0;  // wall clock; remembered evaluations take none
};

struct Estimate {
  Surrogate surrogate;
  double base_loss = 0.0;    // all units at option 0, nats per token
  double lowest_loss = 0.0;  // all units at the last option
  // Filled in by RunEstimator.
  EstimateCost cost{};
  // What was chosen and why, for people: "lambda 0.3, ..."; may be empty.
  std::string detail{};
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

// Runs the estimator on a game that counts what it is asked, and fills in
// Estimate::cost.
Expected<Estimate> RunEstimator(const SensitivityEstimator& estimator,
                                const EstimatorInput& input,
                                const EstimateOptions& options);

// Names in the order of the table.
std::vector<std::string> EstimatorNames();
// kInvalidArgument lists the known names.
Expected<std::unique_ptr<SensitivityEstimator>> MakeEstimator(
    const std::string& name);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SENSITIVITY_ESTIMATOR_H_
