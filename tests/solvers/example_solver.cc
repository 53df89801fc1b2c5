// SPDX-License-Identifier: Apache-2.0
#include "tests/solvers/example_solver.h"

// [example] What follows is also in docs/adding-a-solver.md, word for word.
#include <cstdint>
#include <memory>

#include "core/random.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/solver.h"

namespace bitpact {
namespace {

// Random plans, repaired and improved by local moves. One node is one random
// plan; 500 by default.
class DartsSolver final : public Solver {
 public:
  [[nodiscard]] std::string_view name() const override { return "darts"; }

  [[nodiscard]] SolverCapabilities capabilities() const override {
    return {.warm_start = true,
            .time_limit = true,
            .node_limit = true,
            .pool = true,
            .multiple_options = true,
            .multiple_resources = true,
            .pair_terms = true};
  }

  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override {
    const SolveClock clock(options);  // starts before any work
    const ReducedProblem reduced = Reduce(problem);
    IncumbentRecorder recorder(problem, options, clock);  // offers the start
    if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
    PlanState state(reduced);
    std::int64_t nodes = 0;
    Limit limit = Limit::kNone;
    const std::int64_t most = options.node_limit.value_or(500);
    for (; nodes < most && limit == Limit::kNone; ++nodes) {
      RandomStream stream(
          options.seed, "darts", static_cast<std::uint64_t>(nodes));
      Choices choices;
      for (const ReducedGroup& group : reduced.groups) {
        choices.push_back(
            static_cast<int>(stream.UniformInt(group.NumChoices())));
      }
      state.Reset(choices);
      if (RepairOverflow(reduced, state)) {
        DescendWithinLimits(reduced, state, reduced.NumVariables());
        recorder.Offer(reduced.Expand(state.choices()));
      }
      limit = clock.Reached(nodes + 1);
    }
    SolveResult result = recorder.Finish(limit);
    result.stats.nodes = nodes;
    return result;
  }
};

}  // namespace
}  // namespace bitpact
// [/example]

namespace bitpact::testing {

std::unique_ptr<Solver> MakeExampleSolver() {
  return std::make_unique<DartsSolver>();
}

}  // namespace bitpact::testing
