// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_RELAX_ROUND_SOLVER_H_
#define BITPACT_SOLVERS_RELAX_ROUND_SOLVER_H_

// One convex relaxation, and the plan next to it: each group takes the choice
// with the most weight, limits are repaired at the least cost, moves and pairs
// of moves descend. A proven bound and a plan for problems of any size:
//
// * Up to 2,048 binaries whose pairs are no factors: the matrix is shifted as
// in
//   solvers/convex_presolve.h and relaxed there.
// * Others: solvers/factored_relaxation.h, memory linear in variables * rank.
//
// A node is one round of the relaxation.

#include <string_view>

#include "solvers/factored_relaxation.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/reduced_problem.h"
#include "solvers/solver.h"

namespace bitpact {

class RelaxRoundSolver final : public Solver {
 public:
  static constexpr int kMostDense = 2048;

  [[nodiscard]] std::string_view name() const override { return "relax-round"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

// The factored way for the relaxation's problem, which has groups: improves the
// relaxation, offers the plan next to it and raises the bound. What can still
// be in a better plan: relaxation.OpenChoices(recorder.Best()).
void RelaxAndRound(const ReducedProblem& reduced,
                   const SolveOptions& options,
                   const SolveClock& clock,
                   FactoredRelaxation& relaxation,
                   IncumbentRecorder& recorder,
                   SolveStats& stats);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_RELAX_ROUND_SOLVER_H_
