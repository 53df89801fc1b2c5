// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_PAIRS_H_
#define BITPACT_ESTIMATORS_PAIRS_H_

// "pairs": CLADO's sensitivities (Deng, Sharify, Wang, Orshansky, arXiv
// 2307.05657): with d(S) the loss increase over all-0 when the options S are
// lowered, the linear terms are d({i}) and the pair terms the 4-point
// differences d({i, j}) - d({i}) - d({j}). Exact for games of pair
// interactions, and measured at all-0 only: what happens when half of the model
// is lowered is extrapolated.
//
// Deviations: nothing is clipped. CLADO cuts negative eigenvalues, which
// changes the problem; solvers here take indefinite matrices as they are.
//
// EstimateOptions::pairs_in_block: only units of one transformer block, by the
// names of the units ("layers.3..."); kUnsupported without ModelEvidence.
//
// Evaluations: 2 + n + pairs * (options - 1)^2 with n = units * (options - 1);
// 35 units of two formats: 37 + 595. Standard errors of linear terms from
// calibration windows.

#include <memory>
#include <utility>
#include <vector>

#include "core/unit.h"
#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakePairsEstimator();

// The pairs (u, w), u < w, of `units` units; with their names only those of one
// transformer block.
std::vector<std::pair<int, int>> ChooseUnitPairs(
    int units, const std::vector<Unit>* names);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_PAIRS_H_
