// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_HAWQ_H_
#define BITPACT_ESTIMATORS_HAWQ_H_

// "hawq": HAWQ-V2 (Dong et al., arXiv 1911.03852, eq. 2.11): the average
// eigenvalue of the loss's Hessian times the squared error of the weights,
//
//   cost = sum over the unit's matrices of 1/2 * (Tr(H) / n) * |Q(W) - W|^2
//
// with n the matrix's weights, in nats per token.
//
// H is the generalised Gauss-Newton matrix of the mean nll, J^T (diag(p) - p
// p^T) J over tokens, J the derivative of the logits: positive semidefinite
// (a trace of the full Hessian mixes in negative eigenvalues, which no error
// exploits), equal to the Fisher information, and its trace needs reverse
// passes only. The trace is Hutchinson's: diag(p) - p p^T = B B^T with B =
// diag(sqrt p) - p sqrt(p)^T, so for random signs v over tokens and vocabulary
//
//   Tr(H) = E_v | J^T B v |^2
//
// and J^T B v is what a reverse pass makes of the logit gradient B v. One probe
// a window (many windows, not many probes, shrink the error; it contains the
// choice of text). Tokens need no passes of their own: signs make them
// independent.
//
// Deviations: the factor 1/2, which makes the cost a loss and changes no plan;
// Gauss-Newton instead of the Hessian; the cost of option 0 is taken off; the
// budget is solved exactly instead of by a Pareto frontier.
//
// Cost: two evaluations, one reverse pass (about four forward passes) and a
// pass over each matrix and option. Standard errors over windows, probes
// included. The seed draws the signs.

#include <cstdint>
#include <memory>
#include <vector>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

// Per place in a WeightSet and window: |J^T B v|^2 summed over the window's
// predicted tokens; an estimate of the trace of the window's summed
// Gauss-Newton matrix. Errors: BackpropagateWindows'.
Expected<std::vector<std::vector<double>>> GaussNewtonTraces(
    const Model& model, const TokenSet& tokens, std::uint64_t seed);

std::unique_ptr<SensitivityEstimator> MakeHawqEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_HAWQ_H_
