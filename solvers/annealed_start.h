// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_ANNEALED_START_H_
#define BITPACT_SOLVERS_ANNEALED_START_H_

// The first incumbent of an exact search: a short run of `anneal`.

#include <cstdint>

#include "core/error.h"
#include "solvers/allocation_problem.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/solve_result.h"

namespace bitpact {

struct AnnealedStart {
  // Sweeps times variables; more finds better plans and takes longer.
  double work = 1e5;
  // Sweeps at least, however many variables there are.
  std::int64_t least_sweeps = 200;
  // Of the time that is left, when there is a time limit.
  double time_share = 0.2;
};

// Offers the annealer's whole pool to the recorder, which calls on_incumbent.
// `reduced` is the problem reduced. What the annealer fails with, this fails
// with.
Expected<void> OfferAnnealed(const AllocationProblem& problem,
                             const ReducedProblem& reduced,
                             const SolveOptions& options,
                             const SolveClock& clock,
                             const AnnealedStart& start,
                             IncumbentRecorder& recorder);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_ANNEALED_START_H_
