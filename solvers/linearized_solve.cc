// SPDX-License-Identifier: Apache-2.0
#include "solvers/linearized_solve.h"

#include <limits>

#include "solvers/incumbent_recorder.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

MilpRequest MakeRequest(const ReducedProblem& reduced,
                        const LinearModel& linear,
                        const SolveOptions& options,
                        IncumbentRecorder& recorder) {
  MilpRequest request{.relative_gap = options.relative_gap,
                      .seed = options.seed,
                      .node_limit = options.node_limit};
  if (options.warm_start) {
    request.start =
        LiftToColumns(linear, reduced, reduced.Contract(*options.warm_start));
  }
  request.on_solution = [&](std::span<const double> values) {
    recorder.Offer(reduced.Expand(ChoicesOfColumns(reduced, values)));
  };
  return request;
}

// Which limit ended a backend that gave no answer.
Limit LimitOf(const MilpOutcome& outcome,
              const SolveOptions& options,
              const SolveClock& clock) {
  if (outcome.is_proven || outcome.is_infeasible) return Limit::kNone;
  const Limit limit = clock.Reached(outcome.nodes);
  if (limit != Limit::kNone) return limit;
  // Backends may stop a moment before the limit they were given.
  if (options.time_limit_s) return Limit::kTime;
  return options.node_limit ? Limit::kNodes : Limit::kNone;
}

}  // namespace

Expected<SolveResult> SolveLinearized(const LinearizedSolver& solver,
                                      const AllocationProblem& problem,
                                      const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  if (reduced.NumGroups() == 0) {
    recorder.Offer(reduced.Expand({}));
    recorder.RaiseBound(recorder.Best());
    return recorder.Finish(Limit::kNone);
  }
  const std::string form(LinearFormName(solver.form));
  const std::size_t columns = CountColumns(solver.form, reduced);
  if (columns > kMostLinearColumns) {
    return Fail(ErrorCode::kUnsupported,
                solver.name + ": the " + form + " linearization has " +
                    std::to_string(columns) + " columns; the most is " +
                    std::to_string(kMostLinearColumns));
  }
  const LinearModel linear = Linearize(solver.form, reduced);
  const Expected<MilpOutcome> outcome = solver.backend(
      linear.milp, MakeRequest(reduced, linear, options, recorder), clock);
  if (!outcome) return tl::unexpected(outcome.error());
  if (outcome->is_infeasible) {
    if (!recorder.HasIncumbent()) recorder.RaiseBound(kInfinity);
  } else {
    recorder.RaiseBound(linear.milp.offset +
                        linear.milp.scale * outcome->bound);
  }
  SolveResult result = recorder.Finish(LimitOf(*outcome, options, clock));
  result.detail = form + " linearization: " + SizeText(SizeOf(linear.milp));
  if (!solver.reason.empty()) result.detail += "; " + solver.reason;
  result.stats.nodes = outcome->nodes;
  result.stats.iterations = outcome->iterations;
  return result;
}

}  // namespace bitpact
