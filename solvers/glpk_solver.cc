// SPDX-License-Identifier: Apache-2.0
#include "solvers/glpk_solver.h"

#include <string>

#include "solvers/glpk_backend.h"
#include "solvers/linearized_solve.h"

namespace bitpact {

std::string_view GlpkSolver::name() const {
  if (!form_) return "glpk";
  switch (*form_) {
    case LinearForm::kMcCormick:
      return "glpk-mccormick";
    case LinearForm::kGlover:
      return "glpk-glover";
    case LinearForm::kRlt:
      return "glpk-rlt";
  }
  return "glpk";
}

SolverCapabilities GlpkSolver::capabilities() const {
  return {.exact = true,
          .gives_bound = true,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = false,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false,
          .max_binaries = static_cast<int>(kMostLinearColumns)};
}

Expected<SolveResult> GlpkSolver::Solve(const AllocationProblem& problem,
                                        const SolveOptions& options) {
  LinearizedSolver solver{.name = std::string(name()), .backend = RunGlpk};
  if (form_) {
    solver.form = *form_;
  } else if (problem.pairs.empty()) {
    solver.form = LinearForm::kMcCormick;
    solver.reason = "no pair terms, so that all forms are the same";
  } else {
    solver.form = LinearForm::kGlover;
    solver.reason = "GLPK is quickest on the smallest form";
  }
  return SolveLinearized(solver, problem, options);
}

}  // namespace bitpact
