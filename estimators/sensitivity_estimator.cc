// SPDX-License-Identifier: Apache-2.0
#include "estimators/sensitivity_estimator.h"

#include <array>
#include <utility>

#include "estimators/coopq.h"
#include "estimators/isolated.h"
#include "estimators/shapley.h"
#include "estimators/spqe.h"

namespace bitpact {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<SensitivityEstimator> (*make)();
};

constexpr std::array<Entry, 3> kTable = {{
    {"coopq", &MakeCoopqEstimator},
    {"shapley", &MakeShapleyEstimator},
    {"isolated", &MakeIsolatedEstimator},
}};

}  // namespace

Expected<void> Validate(const EstimateOptions& options) {
  if (!(options.alpha >= 0.0 && options.alpha <= 1.0)) {
    return InvalidArgument("alpha = " + std::to_string(options.alpha) +
                           " violates 0 <= alpha <= 1");
  }
  return Validate(SpqeOptions{options.permutations, options.seed});
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
