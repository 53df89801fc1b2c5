// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CBC_SOLVER_H_
#define BITPACT_SOLVERS_CBC_SOLVER_H_

// COIN-OR CBC (branch and cut, EPL licence) on the McCormick linearization
// (solvers/mccormick.h): the peer that allocation papers hand their problem to,
// for comparison and cross-checks.
//
// * Bound: CBC's own "best possible" value, as good as its absolute tolerances
//   (1e-7 on costs scaled to at most 1); not a proof to the last digit. CBC
//   states gaps relative to max(|objective|, |bound|) of its scaled model; here
//   only objective and bound are taken and gaps recomputed.
// * Time: CBC looks at its clock between nodes and cut rounds; inside the root
//   relaxation of thousands of pairs it may overshoot.
// * CBC takes sizes as doubles and rows to 1e-6: its plans are rounded and
//   looked at with whole numbers; one that does not fit is dropped, and the
//   result is then not called optimal.
// * Equal optima: CBC decides; the same build with the same seed repeats it.
// * One node is one of CBC's branch-and-cut nodes. CbcMain1 keeps global state:
//   solves of one process wait for each other. One thread.
//
// Built with -DBITPACT_WITH_CBC=ON.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class CbcSolver final : public Solver {
 public:
  // Columns of the linearization; above, the root relaxation alone takes hours.
  static constexpr int kMostColumns = 60'000;

  [[nodiscard]] std::string_view name() const override { return "cbc"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CBC_SOLVER_H_
