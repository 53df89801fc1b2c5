// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_AUTO_SOLVER_H_
#define BITPACT_SOLVERS_AUTO_SOLVER_H_

// Looks at the problem after folding and picks; `detail` of the result says
// what and why.
//
// * At most 2^20 combinations (20 two-way units): `enumerate`.
// * Pair terms in clusters small enough, or none, and one limit: `dp`.
// * Several blocks of pair terms with at most 2^26 plans together, one limit:
//   `block-dp`.
// * Quadratic knapsacks without pair costs above zero: `lagrangian-qkp`.
// * Up to BranchAndBoundSolver::kMostBinaries binaries in kMostCoordinates
//   coordinates: `branch-and-bound`.
// * Larger, or pairs kept as factors (solvers/pair_matrix.h):
//   solvers/relax_then_prove.h.
//
// What a solver refuses or leaves unproven goes to the next that can take it,
// with the plan and the time that are left. The exact ones anneal for their
// first incumbent themselves, and stop when it is proven: a full run of
// `anneal` before them cost 2 to 15 times their own time on provable instances
// (112 x 4 one-hot to 512 x 4, two-way 224 of every kind). So it comes last,
// with a fifth of the time limit: for a better plan of what is not proven.
//
// All under one time limit. A node limit holds for each solver by itself.

#include <cstdint>
#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class AutoSolver final : public Solver {
 public:
  static constexpr double kMostEnumerated = 1'048'576.0;
  // Of `dp`, 40 bytes each: beyond, another solver is tried.
  static constexpr std::int64_t kMostDpStates = 20'000'000;
  // Of `block-dp`: a second or two.
  static constexpr std::int64_t kMostBlockPlans = 1 << 26;
  // Of `lagrangian-qkp`: its root tries every item both ways.
  static constexpr int kMostKnapsackItems = 2048;

  [[nodiscard]] std::string_view name() const override { return "auto"; }
  // `exact` holds as far as branch-and-bound takes the problem.
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_AUTO_SOLVER_H_
