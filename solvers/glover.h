// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_GLOVER_H_
#define BITPACT_SOLVERS_GLOVER_H_

// Glover's compact linearization (Glover 1975) in the concise form of Adams,
// Forrester & Glover 2004: with h_i(z) = sum over j > i of q_ij z_j, one
// continuous column s_i >= 0 and one row for each variable that has such pairs,
//
//   f = constant + sum (linear_i + L_i) z_i + sum s_i
//   s_i >= h_i(z) - U_i + (U_i - L_i) z_i
//
// where L_i <= h_i over the plans with z_i = 1 and U_i >= h_i over those with
// z_i = 0; the best s_i is z_i (h_i - L_i). Each row is divided by its largest
// |q_ij|, which is the unit of its s_i. The bounds decide everything about
// the relaxation; here each is the optimum of a continuous multiple-choice
// knapsack, by the Lagrangian of each resource in turn, best of them: at most
// one choice in every other group, the resource's limit less what i takes.
//
// Size: at most 2V - 1 columns, V - 1 more rows than the linear part, P + 2V
// more nonzeros. Bound: weak; but the model is small and its relaxation quick,
// so a MILP code gets through many nodes.

#include <cstddef>

#include "solvers/linearization.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// Variables with a pair of higher number.
[[nodiscard]] std::size_t CountGloverColumns(const ReducedProblem& problem);

// Needs a problem that folding did not prove infeasible. O(K V P) for K
// resources and P pairs, times some fifty steps of a one-dimensional search.
[[nodiscard]] LinearModel LinearizeGlover(const ReducedProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_GLOVER_H_
