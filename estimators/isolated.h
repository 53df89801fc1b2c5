// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_ISOLATED_H_
#define BITPACT_ESTIMATORS_ISOLATED_H_

// One unit at a time: the common naive metric and the baseline every report
// shows. It sees no interaction; which end it stands at decides what it sees.
//
//   "isolated"       the loss increase when the unit alone is lowered to the
//                    option and all others stay at option 0
//   "isolated-low"   the loss increase from the unit alone at option 0, all
//                    others at their last, to the unit at the option as well
//   "isolated-both"  the mean of the two: in a game of pair interactions and
//   two
//                    options exactly the Shapley value
//
// Evaluations: units * (options - 1) + 2 from one end, twice the former and 2
// from both. Standard errors from calibration windows.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeIsolatedEstimator();
std::unique_ptr<SensitivityEstimator> MakeIsolatedLowEstimator();
std::unique_ptr<SensitivityEstimator> MakeIsolatedBothEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_ISOLATED_H_
