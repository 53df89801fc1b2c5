// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SHAPLEY_H_
#define BITPACT_ESTIMATORS_SHAPLEY_H_

// "shapley": the Shapley value of every step alone, no pair terms. CoopQ
// (arXiv 2509.15455), eqs. 1 and 6, over the marginals of estimators/spqe.h. An
// option costs the sum of the steps that lead to it.

#include <memory>

#include "estimators/sensitivity_estimator.h"
#include "estimators/spqe.h"

namespace bitpact {

// linear[u][o] = sum of samples.mean over the steps 1..o of unit u, with
// standard errors that join the two kinds (as if the steps' errors were
// independent).
Surrogate ShapleySurrogate(const MarginalSamples& samples);

std::unique_ptr<SensitivityEstimator> MakeShapleyEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SHAPLEY_H_
