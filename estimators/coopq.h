// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_COOPQ_H_
#define BITPACT_ESTIMATORS_COOPQ_H_

// "coopq": CoopQ's quadratic surrogate (arXiv 2509.15455), section 3, eqs.
// 8-11, from the marginals of estimators/spqe.h. With D the [M, P] matrix of
// loss increases and phi its column means,
//
//   C = (D - 1 phi')' (D - 1 phi') / M            eq. 8 (P x P; "M x L" is a
//   misprint) K = (1 - alpha) C + alpha diag(C)             eq. 9 a_i = phi_i -
//   sum_{j != i} K_ij               eq. 10 loss(q) - loss(0) ~ a'q + q'Kq eq.
//   11, q_i = 1: step i is taken
//
// What holds (and is tested): K is positive semidefinite; rows of C sum to 0,
// since every order's increases sum to the same total; hence a_i = phi_i + (1 -
// alpha) C_ii and the surrogate of "all low" is the true total + trace C. C is
// a covariance, in nats^2, not a Hessian: the sign of an interaction is lost in
// it (methods in docs/estimators.md), and the balance between a and K depends
// on the unit of the loss, which is nats per token here.
//
// EstimateOptions::sign_as_printed takes eq. 5 literally (phi negated, C as it
// is): the plan then keeps the least sensitive units precise. Shared orders
// only: with other windows in every order C would hold the differences between
// windows, and its rows would not sum to 0.
//
// More than two options: players are the steps of spqe.h, and q of a unit's
// steps is 1 up to its option, so K sums over steps.

#include <memory>
#include <vector>

#include "estimators/sensitivity_estimator.h"
#include "estimators/spqe.h"

namespace bitpact {

struct CoopqModel {
  int players = 0;
  std::vector<double> covariance;    // C, [players, players], row-major
  std::vector<double> interactions;  // K, [players, players], row-major
  std::vector<double> linear;        // a, [players]
};

// O(permutations * players^2).
CoopqModel FitCoopq(const MarginalSamples& samples, double alpha);

// The surrogate over units and options. Errors of the linear part are those of
// the Shapley values.
Surrogate CoopqSurrogate(const MarginalSamples& samples,
                         const CoopqModel& model);

std::unique_ptr<SensitivityEstimator> MakeCoopqEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_COOPQ_H_
