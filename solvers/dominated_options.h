// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_DOMINATED_OPTIONS_H_
#define BITPACT_SOLVERS_DOMINATED_OPTIONS_H_

// Choice d of a group is dominated by choice e when e is no larger in any
// resource and
//
//   cost_e - cost_d + sum over the other groups h of
//                        max over choices c of h of (Q[e, hc] - Q[d, hc]) <= 0:
//
// then e in place of d makes no plan dearer, whatever the others choose. The
// classical dominance of multiple-choice knapsacks (Kellerer, Pferschy &
// Pisinger, Knapsack Problems, 11.2.1) with pair terms at their worst; of
// low-rank parts |V_e - V_d| |V_hc| stands for the product of rows.

#include <vector>

#include "solvers/reduced_problem.h"

namespace bitpact {

struct DominatedChoice {
  int group = 0;
  int choice = 0;
  int by = 0;
};

// Choices that may be dropped, each with one that is left at that time (and may
// be dropped later); of equal ones the first stays. Dropping them in this order
// is correct, also one after the other, since the maxima are over all choices.
// `problem` may not be infeasible. O(sum over groups of choices^2 * row);
// choices that are smaller but dearer without pairs cost nothing.
[[nodiscard]] std::vector<DominatedChoice> FindDominated(
    const ReducedProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_DOMINATED_OPTIONS_H_
