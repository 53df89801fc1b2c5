// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_LINEARIZED_SOLVE_H_
#define BITPACT_SOLVERS_LINEARIZED_SOLVE_H_

// A problem solved through a linearization by any MILP backend: what the
// solvers `cbc-...` and `glpk-...` have in common.
//
// * Backends take sizes as doubles and rows to a tolerance: their plans are
//   rounded and looked at with whole numbers; one that does not fit is dropped,
//   and the result is then not called optimal.
// * The bound is the backend's claim, in the problem's unit; gaps are computed
//   here. One node is one of the backend's.
// * `detail` names the form and its size.

#include <cstddef>
#include <string>

#include "core/error.h"
#include "solvers/allocation_problem.h"
#include "solvers/linearization.h"
#include "solvers/milp_backend.h"
#include "solvers/solve_result.h"

namespace bitpact {

// Columns of the linearization; above, the root relaxation alone takes hours.
inline constexpr std::size_t kMostLinearColumns = 60'000;

struct LinearizedSolver {
  std::string name;  // for error texts
  LinearForm form = LinearForm::kMcCormick;
  std::string reason = {};  // why this form; empty when it was asked for
  MilpBackend backend = {};
};

// As Solver::Solve; kUnsupported when the form has too many columns.
[[nodiscard]] Expected<SolveResult> SolveLinearized(
    const LinearizedSolver& solver,
    const AllocationProblem& problem,
    const SolveOptions& options);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_LINEARIZED_SOLVE_H_
