// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_RLT_H_
#define BITPACT_SOLVERS_RLT_H_

// The level-1 reformulation-linearization (Adams & Sherali 1986; for the
// quadratic knapsack Billionnet & Calmels 1996, Caprara, Pisinger & Toth 1999):
// a column y_ij in [0, 1] for every pair of variables of different groups, with
// or without a coefficient, and every row of the problem multiplied by every
// choice x_m of every group. With x_reference = 1 - sum of the group's z
// written out, for choice factors F = z_j and F = 1 - sum of z in group m:
//
//   resource row times F     sum of s_i y_ij <= (limit - s_j) z_j
//                            sum of s_i (z_i - sum_m y_i,m)
//                                <= limit (1 - sum_m z)
//   group equality times F   its reference product, which is eliminated, is
//                            not negative:
//                            sum over group l of y_l,j <= z_j
//                            sum_l z + sum_m z - sum_lm y <= 1
//
// That is the whole of the equality products sum_b y_{lb,mc} = x_mc, in fewer
// columns. Between two-way groups these are all four McCormick rows, so the
// bound is at least McCormick's; in general by far the best of the
// linearizations, at a price: V + (V^2 - within groups) / 2 columns, about
// K (V + G) + V G + G^2 / 2 rows of which the K (V + G) are dense.

#include <cstddef>

#include "solvers/linearization.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// Pairs of variables of different groups.
[[nodiscard]] std::size_t CountCrossPairs(const ReducedProblem& problem);

// Needs a problem that folding did not prove infeasible. O(K V^2) time and
// memory for K resources and V variables.
[[nodiscard]] LinearModel LinearizeRlt(const ReducedProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_RLT_H_
