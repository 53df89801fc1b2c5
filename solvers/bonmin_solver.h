// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BONMIN_SOLVER_H_
#define BITPACT_SOLVERS_BONMIN_SOLVER_H_

// COIN-OR Bonmin 1.8 as an outside referee: its branch and bound over nonlinear
// relaxations (B-BB: Bonami et al., An algorithmic framework for convex mixed
// integer nonlinear programs, Discrete Optimization 5, 2008), which Ipopt
// solves. Built with Debian's coinor-libbonmin-dev.
//
// * Bonmin's proofs hold for convex programmes only, so it is given none other:
//   solvers/convex_programme.h. kUnsupported when that is not convex.
// * Sizes are doubles to Bonmin and rows hold to a tolerance: plans are rounded
//   and looked at with whole numbers, one that does not fit is dropped, and the
//   result is then not called optimal.
// * The bound is Bonmin's claim. Of unfinished searches it is lowered by 1e-6.
// * A time limit is looked at between nodes only: 3 seconds became 29 on 600
//   binaries.
// * A warm start is the cutoff: Bonmin takes no plan to start from.
//
// B-OA claims a bound of 1e50 and B-Hyb missed the optimum of a problem of six
// binaries (3.2 for 2.6), both in 1.8.9: they are not offered. Neither is the
// options file bonmin.opt read. Bonmin sets a handler for Ctrl-C; the caller's
// is put back at once.
//
// One node is one of Bonmin's. One thread, and one call at a time in a process
// (MUMPS). Memory of some dense matrices of the binaries.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class BonminSolver final : public Solver {
 public:
  // Each of its nodes factorizes a dense matrix of this size some ten times.
  static constexpr int kMostBinaries = 600;

  [[nodiscard]] std::string_view name() const override { return "bonmin"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BONMIN_SOLVER_H_
