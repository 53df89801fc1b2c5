// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_GLPK_SOLVER_H_
#define BITPACT_SOLVERS_GLPK_SOLVER_H_

// GLPK (solvers/glpk_backend.h) over a linearization (solvers/linearization.h),
// for comparison and cross-checks. The form is part of the name:
//
//   glpk             Glover's, or McCormick's without pair terms; `detail` says
//   glpk-mccormick, glpk-glover, glpk-rlt    the named form
//
// One node is one of GLPK's branching nodes. Equal optima: GLPK decides, the
// same build repeats it; the seed has no effect. One thread.
//
// Built with -DBITPACT_WITH_GLPK=ON.

#include <optional>
#include <string_view>

#include "solvers/linearization.h"
#include "solvers/solver.h"

namespace bitpact {

class GlpkSolver final : public Solver {
 public:
  // Without a form it chooses.
  explicit GlpkSolver(std::optional<LinearForm> form = std::nullopt)
      : form_(form) {}

  [[nodiscard]] std::string_view name() const override;
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;

 private:
  std::optional<LinearForm> form_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_GLPK_SOLVER_H_
