// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CHOICE_SEARCH_H_
#define BITPACT_SOLVERS_CHOICE_SEARCH_H_

// Branch and bound for groups of any number of choices under any number of
// resources, the general half of `branch-and-bound`.
//
// Root: the shift of least trace, then the semidefinite one
// (solvers/convex_shift.h), each with its relaxation (solvers/
// convex_relaxation.h) over and over: reduced costs against the incumbent close
// choices, the problem is compressed to what is open and shifted anew (a
// smaller matrix needs a smaller shift), what is left is annealed
// (solvers/core_plans.h), until that stops helping. The shift of least trace is
// searched with unless the semidefinite one leaves less than a third of its
// gap.
//
// Search: best first, one choice taken or closed at a time, on one thread.

#include <cstdint>
#include <optional>
#include <string>

#include "solvers/incumbent_recorder.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/solve_result.h"

namespace bitpact {

struct ChoiceSearchSummary {
  Limit limit = Limit::kNone;  // that ended it
  std::int64_t nodes = 0;
  std::int64_t iterations = 0;
  std::string detail;
  std::optional<RootCertificate> certificate;
};

// The recorder then has plan and bound. Without `uses_heuristics` every plan
// comes from the search itself.
ChoiceSearchSummary SearchChoices(const AllocationProblem& problem,
                                  const ReducedProblem& reduced,
                                  const SolveOptions& options,
                                  const SolveClock& clock,
                                  IncumbentRecorder& recorder,
                                  bool uses_heuristics);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CHOICE_SEARCH_H_
