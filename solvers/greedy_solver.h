// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_GREEDY_SOLVER_H_
#define BITPACT_SOLVERS_GREEDY_SOLVER_H_

// The rule of thumb that allocation papers compare with: from the plan of
// references, brought within the limits, make the move that lowers the
// objective most for the budget it takes, as long as one fits. A move that
// lowers the objective and takes nothing goes first. Pair terms count as they
// stand at that moment. What a move takes of several resources is added up
// relative to what is left of each.
//
// A heuristic without improvement of any kind: `anneal` and `tabu` start where
// this ends. No bound. With several resources it may find no plan. One node is
// one move; O(variables) each. The seed plays no part.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class GreedySolver final : public Solver {
 public:
  [[nodiscard]] std::string_view name() const override { return "greedy"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_GREEDY_SOLVER_H_
