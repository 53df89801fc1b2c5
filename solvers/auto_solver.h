// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_AUTO_SOLVER_H_
#define BITPACT_SOLVERS_AUTO_SOLVER_H_

// Looks at the problem after folding and picks; `detail` of the result says
// what and why.
//
// * At most 2^20 combinations (20 two-way units): `enumerate`.
// * Up to BranchAndBoundSolver::kMostBinaries binaries in kMostCoordinates
//   coordinates: `branch-and-bound`, which anneals for its incumbent; above
//   100 binaries a full run of `anneal` goes first, within a quarter of the
//   time limit, and is its warm start.
// * Larger, or pairs kept as factors (solvers/pair_matrix.h): `relax-round`;
//   what reduced costs leave open against its plan is annealed, and what the
//   better plan leaves then goes to `branch-and-bound`, up to 700 binaries.
//
// All under one time limit. A node limit holds for each solver by itself.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class AutoSolver final : public Solver {
 public:
  static constexpr double kMostEnumerated = 1'048'576.0;
  static constexpr int kAnnealFirstAbove = 100;

  [[nodiscard]] std::string_view name() const override { return "auto"; }
  // `exact` holds as far as branch-and-bound takes the problem.
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_AUTO_SOLVER_H_
