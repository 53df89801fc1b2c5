// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_HESSIAN_ERROR_H_
#define BITPACT_ESTIMATORS_HESSIAN_ERROR_H_

// "hessian-error": the squared error of a unit's outputs under the calibration
// inputs, the objective of layer-wise quantizers (Frantar et al., "GPTQ", 2022,
// eq. 1):
//
//   cost = 1/2 trace(d H d^T) = mean over tokens of |d x|^2,  d = Q(W) - W
//
// summed over the unit's matrices; H = 2/tokens * sum x x^T of the
// full-precision model (quant/error_energy.h). In squared outputs, which are of
// different importance from matrix to matrix: it only ranks ("gradient-error"
// weighs them).
//
// Cost: two evaluations, one forward pass with Hessians (a symmetric cols^2
// product a token), rows * cols^2 for each matrix and option. No standard
// errors: H is summed over all windows.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeHessianErrorEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_HESSIAN_ERROR_H_
