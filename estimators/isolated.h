// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_ISOLATED_H_
#define BITPACT_ESTIMATORS_ISOLATED_H_

// "isolated": one unit at a time. The cost of an option is the loss increase
// when that unit alone is lowered to it and all others stay at option 0. The
// common naive metric and the baseline every report shows: it sees no
// interaction. Evaluations: units * (options - 1) + 2. Standard errors from
// calibration windows.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeIsolatedEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_ISOLATED_H_
