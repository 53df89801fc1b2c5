// SPDX-License-Identifier: Apache-2.0
#include "solvers/solver_template.h"

#include <cstdint>
#include <string>

#include "core/random.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr std::int64_t kPlans = 1000;

Choices RandomChoices(const ReducedProblem& problem, RandomStream& stream) {
  Choices choices;
  for (const ReducedGroup& group : problem.groups) {
    choices.push_back(static_cast<int>(stream.UniformInt(group.NumChoices())));
  }
  return choices;
}

}  // namespace

SolverCapabilities SolverTemplate::capabilities() const {
  return {.exact = false,
          .gives_bound = false,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = true,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false};
}

Expected<SolveResult> SolverTemplate::Solve(const AllocationProblem& problem,
                                            const SolveOptions& options) {
  // The clock starts before any work; the recorder offers the warm start.
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  PlanState state(reduced);
  std::int64_t nodes = 0;
  Limit limit = Limit::kNone;
  const std::int64_t most = options.node_limit.value_or(kPlans);
  while (nodes < most && limit == Limit::kNone) {
    // A stream a piece of work: results do not depend on who does it.
    RandomStream stream(
        options.seed, "solvers/template", static_cast<std::uint64_t>(nodes));
    state.Reset(RandomChoices(reduced, stream));
    if (RepairOverflow(reduced, state)) {
      DescendWithinLimits(reduced, state, reduced.NumVariables());
      // Rounding apart, anything worse need not be scored exactly.
      if (state.objective() <= recorder.Worst() + 1e-12 * reduced.scale) {
        recorder.Offer(reduced.Expand(state.choices()));
      }
    }
    ++nodes;
    limit = clock.Reached(nodes);
  }
  SolveResult result = recorder.Finish(limit);
  result.stats.nodes = nodes;
  return result;
}

}  // namespace bitpact
