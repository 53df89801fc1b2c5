// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_RELAX_THEN_PROVE_H_
#define BITPACT_SOLVERS_RELAX_THEN_PROVE_H_

// How `auto` solves what is too large for a matrix, or keeps pairs as factors:
//
// 1. `relax-round` for a bound and a plan; reduced costs against the plan close
//    choices.
// 2. What is open is annealed; the better plan closes more.
// 3. What is open then goes to `branch-and-bound`, up to kMostInCore binaries.

#include <string>

#include "core/error.h"
#include "solvers/allocation_problem.h"
#include "solvers/reduced_problem.h"
#include "solvers/solver_phases.h"

namespace bitpact {

// Binaries left open by a relaxation that go to branch-and-bound. Its first
// passes are cubic and look at the clock in between only.
inline constexpr int kMostInCore = 700;

// `reduced` is the problem reduced and has groups. Returns what was done, a
// line for people. Fails with what a solver inside fails with.
Expected<std::string> RelaxThenProve(const AllocationProblem& problem,
                                     const ReducedProblem& reduced,
                                     const SolveOptions& options,
                                     SolverPhases& phases);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_RELAX_THEN_PROVE_H_
