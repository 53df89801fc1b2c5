// SPDX-License-Identifier: Apache-2.0
#include "solvers/greedy_solver.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

// Gains below this share of the scale are rounding; following them could go in
// circles.
constexpr double kNoGain = 1e-13;

// The share of what is left that the move takes, summed over resources.
double ShareTaken(const ReducedProblem& problem,
                  const PlanState& state,
                  int group,
                  int choice) {
  double share = 0.0;
  for (int k = 0; k < problem.NumResources(); ++k) {
    const auto r = static_cast<std::size_t>(k);
    const auto left = problem.limits[r] - state.use()[r];
    share += static_cast<double>(state.SizeDelta(k, group, choice)) /
             static_cast<double>(std::max<std::int64_t>(left, 1));
  }
  return share;
}

// Makes the best move by the rule; false when there is none.
bool Step(const ReducedProblem& problem, PlanState& state) {
  double best = 0.0;
  int best_group = -1;
  int best_choice = 0;
  for (int g = 0; g < problem.NumGroups(); ++g) {
    const int choices =
        problem.groups[static_cast<std::size_t>(g)].NumChoices();
    for (int c = 0; c < choices; ++c) {
      const double gain = -state.Delta(g, c);
      if (c == state.Choice(g) || gain <= kNoGain * problem.scale) continue;
      if (!state.FitsAfter(g, c)) continue;
      const double share = ShareTaken(problem, state, g, c);
      const double worth =
          share > 0.0 ? gain / share : std::numeric_limits<double>::infinity();
      if (worth <= best) continue;
      best = worth;
      best_group = g;
      best_choice = c;
    }
  }
  if (best_group < 0) return false;
  state.Move(best_group, best_choice);
  return true;
}

}  // namespace

SolverCapabilities GreedySolver::capabilities() const {
  return {.exact = false,
          .gives_bound = false,
          .warm_start = false,
          .time_limit = true,
          .node_limit = true,
          .pool = false,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false};
}

Expected<SolveResult> GreedySolver::Solve(const AllocationProblem& problem,
                                          const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  PlanState state(reduced);
  Limit limit = Limit::kNone;
  std::int64_t moves = 0;
  if (RepairOverflow(reduced, state)) {
    while (limit == Limit::kNone && Step(reduced, state)) {
      ++moves;
      limit = clock.Reached(moves);
    }
    recorder.Offer(reduced.Expand(state.choices()));
  }
  SolveResult result = recorder.Finish(limit);
  result.stats.nodes = moves;
  return result;
}

}  // namespace bitpact
