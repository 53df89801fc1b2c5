// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_REDUCTION_COVERAGE_H_
#define BITPACT_SOLVERS_REDUCTION_COVERAGE_H_

// Whether a reduction (solvers/reduced_problem.h) leaves out no plan that may
// be feasible, told by code of its own: pins, ties and sizes of the original
// problem, options that cannot fit dropped until nothing changes. Half of what
// solvers/certificate_checker.h has to know before a bound of the reduced
// problem says anything about the original one.

#include <string>

#include "solvers/allocation_problem.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// Empty when every plan that may be feasible is one of the reduction's, or no
// better than one; otherwise what is missing. Needs a valid problem. O(rounds *
// resources * options of all units), a handful of rounds.
[[nodiscard]] std::string CoverageViolation(const AllocationProblem& problem,
                                            const ReducedProblem& reduced);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_REDUCTION_COVERAGE_H_
