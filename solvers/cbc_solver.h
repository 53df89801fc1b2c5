// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CBC_SOLVER_H_
#define BITPACT_SOLVERS_CBC_SOLVER_H_

// COIN-OR CBC (solvers/cbc_backend.h): the peer that allocation papers hand
// their problem to. How the quadratic problem is told to a linear code decides
// what it can do, so the form is part of the name:
//
//   cbc             chooses, and says in `detail` what and why
//   cbc-oa          outer approximation of the convexified objective
//                   (solvers/outer_approximation.h)
//   cbc-mccormick, cbc-glover, cbc-rlt    the linearization of that name
//                   (solvers/linearization.h), by CBC alone
//
// Equal optima: CBC decides; the same build with the same seed repeats it. One
// node is one of CBC's branch-and-cut nodes. One thread; solves of one process
// wait for each other.
//
// Built with -DBITPACT_WITH_CBC=ON.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

enum class CbcForm { kChoose, kOuterApproximation, kMcCormick, kGlover, kRlt };

class CbcSolver final : public Solver {
 public:
  explicit CbcSolver(CbcForm form = CbcForm::kChoose) : form_(form) {}

  [[nodiscard]] std::string_view name() const override;
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;

 private:
  CbcForm form_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CBC_SOLVER_H_
