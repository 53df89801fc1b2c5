// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_ENUMERATE_SOLVER_H_
#define BITPACT_SOLVERS_ENUMERATE_SOLVER_H_

// Exact, by looking at every plan: the judge of all other solvers on small
// problems.
//
// * All free groups two-way: Gray code (Knuth, The Art of Computer Programming
//   4A, 7.2.1.1, algorithm G), O(n) a plan, up to 2^24 plans. The inner code
//   covers 12 groups; for each setting of the others everything is computed
//   afresh, so rounding cannot pile up.
// * Otherwise: depth-first over the groups in order, an option at a time, with
//   two prunings: sizes that cannot be met any more, and the bound
//     objective so far + sum over open groups g of
//         min over c of (field[g,c] + sum over open h > g of min_d Q[gc, hd]).
//   Up to 2^24 combinations.
//
// The returned plan is the first of all in the order of PlanPrecedes, where
// objectives within 1e-13 of the objective's scale count as equal; the pool
// holds the best plans of all, in the same sense. One node is one plan visited
// (Gray code) or one partial plan (depth-first). Two-way problems of n groups
// take about 2^n * n / 3e9 seconds. Larger problems: kUnsupported. One thread.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class EnumerateSolver final : public Solver {
 public:
  static constexpr int kMostTwoWayGroups = 24;
  static constexpr double kMostCombinations = 16'777'216.0;

  [[nodiscard]] std::string_view name() const override { return "enumerate"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_ENUMERATE_SOLVER_H_
