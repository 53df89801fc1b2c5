// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_DP_SOLVER_H_
#define BITPACT_SOLVERS_DP_SOLVER_H_

// Exact, by dynamic programming, for problems whose pair terms couple few units
// at a time:
//
// * no pair terms: the multiple-choice knapsack of the MPQ literature;
// * pair terms inside disjoint clusters of units (one block of a transformer
//   each, say): every plan of a cluster is enumerated, those that another one
//   beats in size and cost are dropped, and the rest are the items of one
//   class.
//
// Then the dynamic programme over an expanding core of
// solvers/choice_knapsack.h. Without a budget that binds every cluster takes
// its best plan.
//
// kUnsupported: more than one resource that binds after folding; a cluster of
// more than kMostClusterPlans plans. One node is one state of the programme.
// Equal optima: the first met. The bound of an unfinished run is that of the LP
// relaxation. Memory: 40 bytes a state. One thread; deterministic.

#include <string>
#include <string_view>

#include "solvers/reduced_problem.h"
#include "solvers/solver.h"

namespace bitpact {

class DpSolver final : public Solver {
 public:
  static constexpr double kMostClusterPlans = 1'048'576.0;

  [[nodiscard]] std::string_view name() const override { return "dp"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

// What makes `dp` refuse the problem, "3 resources that bind; it takes one";
// empty when it does not. O(binaries + pairs).
[[nodiscard]] std::string DpRefusal(const ReducedProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_DP_SOLVER_H_
