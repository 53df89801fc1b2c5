// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_WEIGHT_MSE_H_
#define BITPACT_ESTIMATORS_WEIGHT_MSE_H_

// "weight-mse": the squared error of the weights themselves,
//
//   cost = sum over the unit's weights of (Q(W) - W)^2
//
// the mean squared error times the number of weights, so that units of
// different size add up. What a quantizer minimises when it knows nothing of
// the model; the baseline of every metric that weighs errors. In squared
// weights: it only ranks. Needs no text unless the quantizer does. Cost: two
// evaluations and one pass over each matrix and option. Nothing is sampled.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeWeightMseEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_WEIGHT_MSE_H_
