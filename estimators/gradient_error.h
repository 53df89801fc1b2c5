// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_GRADIENT_ERROR_H_
#define BITPACT_ESTIMATORS_GRADIENT_ERROR_H_

// "gradient-error": a row's squared output error, weighted by what the loss
// thinks of that output. With y = W x,
//
//   cost = 1/2 sum_r G_r e_r
//   G_r = sum over tokens of (dL/dy_r)^2 / N    (L: summed nll, N: predicted)
//   e_r = mean over tokens of (d_r . x)^2       (quant/error_energy.h)
//
// summed over the unit's rows r, d = Q(W) - W: the second-order term with a
// diagonal Fisher over outputs, if gradients and output errors do not depend on
// each other over tokens. Nats per token. It sees the inputs' correlations,
// which "fisher" does not. Model-Optimizer's auto_quantize scores operators by
// the sum of the products (dL/dy)^2 (dy)^2; this is its factorised form, whose
// parts HIPR ranks rows by.
//
// Cost: two evaluations, one forward pass for the Hessians (a symmetric cols^2
// product a token beside), one reverse pass (about three forward passes; no
// dL/dW), rows * cols^2 for each matrix and option. Standard errors over
// windows, of G; e counts as known.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeGradientErrorEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_GRADIENT_ERROR_H_
