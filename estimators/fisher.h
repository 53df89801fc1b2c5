// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_FISHER_H_
#define BITPACT_ESTIMATORS_FISHER_H_

// "fisher": the second-order term of the loss with the Hessian replaced by the
// diagonal of the empirical Fisher information, as SqueezeLLM (Kim et al.,
// arXiv 2306.07629, section 4.1) and HIPR (arXiv 2511.17801, section 3, eq. 4)
// do:
//
//   cost = 1/2 sum_ij F_ij (W_ij - Q(W)_ij)^2,   F = sum_w g_w^2 / N
//
// over the unit's weights, g_w the gradient of a calibration window's summed
// nll, N the predicted tokens: nats per token. models/gradient_statistics.h
// says why windows may stand for tokens, and MeasureGradients there gives the
// same F for each output row ("channel").
//
// Deviations: the cost of option 0 is taken off. F of a window's whole
// gradient, not of single tokens: papers leave their samples open.
//
// Cost: two evaluations and one reverse pass (about four forward passes), and a
// pass over each matrix for each window and option. Standard errors over
// windows.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeFisherEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_FISHER_H_
