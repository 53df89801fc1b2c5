// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_QUADRATIC_H_
#define BITPACT_ESTIMATORS_QUADRATIC_H_

// "quadratic": the signed quadratic, fitted by estimators/quadratic_fit.h to
// coalitions of a paired leverage design. The design is that of LeverageSHAP
// (Musco & Witter, arXiv 2410.01917): sizes uniform, subsets of a size uniform,
// every coalition with its complement, none twice; rows weigh 1 / (k (K - k))
// at k of K steps, the Shapley kernel over the probability of being drawn.
// Every coalition is played on all windows: with other subsets on every window
// their differences would enter the fit as noise.
//
// With a target budget half of the coalitions are drawn at it instead
// (DrawAtBudget, limits spread over +-5% of the range of sizes), and every
// row's weight falls with its distance d from the budget in shares of that
// range, as 0.02 + exp(-d^2 / (2 * 0.15^2)): where the plan will lie the fit
// must be right, and a quadratic cannot follow the loss over its whole range.
//
// More than two options: an indicator for every option but the first; a
// coalition of size k takes k of the K = units * (options - 1) steps at random,
// its complement the others.
//
// Evaluations: options.coalitions, or 2 (1 + indicators + pair terms) but at
// most 1500, and the two ends.

#include <cstdint>
#include <memory>
#include <vector>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

struct CoalitionDesign {
  std::vector<FormatAssignment> rows;  // distinct; all-0 and all-last first
  std::vector<double> weights;         // > 0
};

// `count` coalitions besides the two ends; fewer when the game has no more.
CoalitionDesign DrawDesign(int num_units,
                           int num_options,
                           int count,
                           const TargetBudget* target,
                           std::uint64_t seed);

// The weight of a row near the target; 1 without one.
double TargetWeight(const FormatAssignment& row, const TargetBudget* target);

std::unique_ptr<SensitivityEstimator> MakeQuadraticEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_QUADRATIC_H_
