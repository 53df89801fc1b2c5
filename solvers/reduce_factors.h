// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_REDUCE_FACTORS_H_
#define BITPACT_SOLVERS_REDUCE_FACTORS_H_

// Low-rank pair parts under the folding of solvers/reduced_problem.h, without
// ever writing out a pair. With u the rows, F the sum of the fixed rows, U_gc
// the sum of the rows of a group's units under choice c, a plan costs
//
//   scale * (|F + sum_g U_g,c(g)|^2 - sum of |u_i|^2 over what is chosen),
//
// and with B = F + sum_g U_g0, V_gc = U_gc - U_g0 the differences from the
// reference, squaring B + sum V gives
//
//   constant  scale * (|B|^2 - squares of the fixed and of the references)
//   linear    scale * (2 B.V_v + |V_v|^2 - squares of v + squares of its ref.)
//   pairs     2 * scale * V_v.V_w for v, w of different groups.

#include <span>
#include <vector>

#include "solvers/allocation_problem.h"
#include "solvers/pair_matrix.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// What an original variable has become.
inline constexpr int kVariableDropped = -2;
inline constexpr int kVariableFixed = -1;
// Else first + group + choice of its reduced group: see ReducedSlot.
inline constexpr int ReducedSlot(const ReducedGroup& group,
                                 int index,
                                 int choice) {
  return group.first + index + choice;
}

// Adds the factors' constant, linear and scale to `reduced`, whose groups,
// group_of and linear are complete, and returns their pairs; rank 0 without
// factors. O(variables * rank), as much memory.
[[nodiscard]] PairFactorRows ReduceFactors(const AllocationProblem& problem,
                                           std::span<const int> slot_of,
                                           ReducedProblem& reduced);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_REDUCE_FACTORS_H_
