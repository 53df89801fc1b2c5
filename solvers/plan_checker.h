// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_PLAN_CHECKER_H_
#define BITPACT_SOLVERS_PLAN_CHECKER_H_

// Nobody trusts a solver, ours included: separate, simple code looks at every
// answer before anyone else does. It shares no arithmetic with the solvers.

#include "core/error.h"
#include "solvers/allocation_problem.h"
#include "solvers/solve_result.h"
#include "solvers/solver.h"

namespace bitpact {

// Looks at one answer from the problem's own numbers: option indices, pins,
// ties and limits of the incumbent and every pool plan; objectives recomputed
// in long double; termination, incumbent, bound and gap consistent with each
// other (an optimal plan has a bound within `relative_gap`, an infeasible
// problem no plan, no bound above the objective by more than rounding, 1e-9 of
// ObjectiveScale). kInternal says what does not add up; such a result must not
// be used. Needs a valid problem. What it cannot see: a bound that is too
// high but below the incumbent's objective; a root certificate shows at least
// where it starts from (solvers/certificate_checker.h). O(pool * (units +
// pairs)).
Expected<void> CheckResult(const AllocationProblem& problem,
                           const SolveResult& result,
                           double relative_gap);

struct CheckOptions {
  // A root certificate of more variables is not derived again: n variables cost
  // n^3 / 3 long double operations, 20 ms at 300 and ten seconds at 2,048.
  // Whether it was, the result's options say under "root_certificate".
  int most_certified_variables = 300;
};

// The way to solve. Validates problem and options, refuses with one
// kUnsupported all that the solver cannot honour, says kInfeasible at once when
// one limit alone cannot be met (ExplainInfeasibility in `detail`), solves,
// records what was asked and used, and checks the result and its root
// certificate. Whatever is false is kInternal.
Expected<SolveResult> SolveAndCheck(Solver& solver,
                                    const AllocationProblem& problem,
                                    const SolveOptions& options,
                                    const CheckOptions& check = {});

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_PLAN_CHECKER_H_
