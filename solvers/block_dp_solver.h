// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BLOCK_DP_SOLVER_H_
#define BITPACT_SOLVERS_BLOCK_DP_SOLVER_H_

// Exact for one-hot quadratic knapsacks whose pair terms stay inside blocks:
// the ratios of HIPR (arXiv 2511.17801, eq. 9), whose matrix is zero across
// transformer blocks and which names no solver. Only the budget couples blocks:
//
// 1. Every plan of each block is enumerated (7 matrices of 8 ratios: 8^7, two
//    million) and those kept that no other one beats in size and cost
//    (solvers/block_plans.h).
// 2. The plans kept are the classes of a multiple-choice knapsack, solved by
//    the dynamic programme over lists of solvers/choice_knapsack.h. Lists hold
//    exact sizes, divided by their greatest common divisor, whatever the length
//    of the size axis.
//
// No semidefiniteness is needed: `dp` has the same idea and stores every plan,
// up to 2^20 a cluster; here only the front is stored, and up to
// kMostBlockPlans are looked at.
//
// kUnsupported: more than one resource that binds after folding; a block of
// more than kMostBlockPlans plans, among them whatever low-rank pair terms
// connect. One node is one plan or one state. Time: plans + states; memory: the
// fronts, and 40 bytes a state. States are bounded by the length of the size
// axis and pruned by the LP bound; kMostStates ends the programme, which then
// reports its LP bound. Stopped while enumerating: a plan by local search, no
// bound. One thread; deterministic.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class BlockDpSolver final : public Solver {
 public:
  static constexpr double kMostBlockPlans = 268'435'456.0;  // 2^28

  [[nodiscard]] std::string_view name() const override { return "block-dp"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BLOCK_DP_SOLVER_H_
