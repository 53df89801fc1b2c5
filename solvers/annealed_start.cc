// SPDX-License-Identifier: Apache-2.0
#include "solvers/annealed_start.h"

#include <algorithm>

#include "solvers/anneal_solver.h"

namespace bitpact {

Expected<void> OfferAnnealed(const AllocationProblem& problem,
                             const ReducedProblem& reduced,
                             const SolveOptions& options,
                             const SolveClock& clock,
                             const AnnealedStart& start,
                             IncumbentRecorder& recorder) {
  SolveOptions anneal = options;
  anneal.on_incumbent = nullptr;
  anneal.node_limit =
      std::max(start.least_sweeps,
               static_cast<std::int64_t>(start.work /
                                         std::max(1, reduced.NumVariables())));
  if (options.time_limit_s) {
    anneal.time_limit_s = start.time_share * clock.SecondsLeft();
  }
  const Expected<SolveResult> result = AnnealSolver().Solve(problem, anneal);
  if (!result) return tl::unexpected(result.error());
  for (const ScoredPlan& plan : result->pool) recorder.Offer(plan.assignment);
  return {};
}

}  // namespace bitpact
