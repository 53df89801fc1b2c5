// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_TABU_SOLVER_H_
#define BITPACT_SOLVERS_TABU_SOLVER_H_

// Iterated tabu search over single moves (a group takes another choice), as for
// unconstrained binary quadratic programmes in Palubeckis, Iterated tabu search
// for the unconstrained binary quadratic optimization problem, Informatica
// 17(2), 2006; limits by strategic oscillation (Glover & Kochenberger 1996):
//
// * each step makes the best move of all that are not tabu, also when it costs;
//   the choice that was left stays tabu for min(20, groups / 4) + U{0..9}
//   steps, unless taking it again gives a plan within limits that beats the
//   best so far;
// * limits may be overrun at a price a unit that rises by 0.3% for a step spent
//   above and falls by 0.3% for one below, so that the search crosses the limit
//   again and again;
// * a plan within limits that is the best of its round is improved by moves and
//   swaps (pairs of moves) that keep the limits;
// * after 12 * groups steps (at least 400) without a better plan, a new round
//   starts from the best plan of all with up to a third of the groups moved at
//   random.
//
// A heuristic: kFeasible at best, bound -infinity. One node is one step, which
// looks at every move: O(variables). By default 4e7 / variables steps, within
// 500 and 200,000. One thread; deterministic without a time limit.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class TabuSolver final : public Solver {
 public:
  [[nodiscard]] std::string_view name() const override { return "tabu"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_TABU_SOLVER_H_
