// SPDX-License-Identifier: Apache-2.0
#include "solvers/solver_phases.h"

#include <algorithm>
#include <utility>

namespace bitpact {

SolveOptions SolverPhases::PhaseOptions(const Phase& phase) const {
  SolveOptions inner = options_;
  if (options_.time_limit_s) {
    inner.time_limit_s = phase.time_share * clock_.SecondsLeft();
  }
  if (phase.node_limit != std::numeric_limits<std::int64_t>::max()) {
    inner.node_limit = std::min(
        phase.node_limit,
        options_.node_limit.value_or(std::numeric_limits<std::int64_t>::max()));
  }
  inner.warm_start.reset();
  if (recorder_.HasIncumbent()) inner.warm_start = recorder_.BestAssignment();
  inner.on_progress = nullptr;
  inner.on_incumbent = nullptr;
  return inner;
}

void SolverPhases::Keep(const Solver& solver, const SolveResult& result) {
  for (const ScoredPlan& plan : result.pool) recorder_.Offer(plan.assignment);
  stats_.nodes += result.stats.nodes;
  stats_.iterations += result.stats.iterations;
  limit_ = result.limit;
  detail_ = result.detail;
  const auto threads = result.options.find("threads");
  const bool says_one =
      threads != result.options.end() && threads->second.used == "1";
  uses_threads_ = uses_threads_ || (solver.capabilities().threads && !says_one);
}

Expected<void> SolverPhases::Run(Solver& solver, const Phase& phase) {
  SolveOptions inner = PhaseOptions(phase);
  if (!solver.capabilities().pool) inner.pool_size = 1;
  inner.on_incumbent = [this](const ScoredPlan& plan) {
    recorder_.Offer(plan.assignment);
  };
  inner.on_progress = [this](const TracePoint& point) {
    recorder_.RaiseBound(point.bound);
  };
  const Expected<SolveResult> result = solver.Solve(problem_, inner);
  if (!result) return tl::unexpected(result.error());
  Keep(solver, *result);
  recorder_.RaiseBound(result->bound);
  if (result->root_certificate) certificate_ = result->root_certificate;
  return {};
}

Expected<void> SolverPhases::RunOnCore(Solver& solver,
                                       const AllocationProblem& core,
                                       const Phase& phase) {
  SolveOptions inner = PhaseOptions(phase);
  if (inner.warm_start && !IsFeasible(core, *inner.warm_start)) {
    inner.warm_start.reset();
  }
  inner.on_incumbent = [this](const ScoredPlan& plan) {
    recorder_.Offer(plan.assignment);
  };
  const Expected<SolveResult> result = solver.Solve(core, inner);
  if (!result) return tl::unexpected(result.error());
  Keep(solver, *result);
  recorder_.RaiseBound(std::min(recorder_.Best(), result->bound));
  return {};
}

bool SolverPhases::IsProven() const {
  const Termination so_far = recorder_.Finish(Limit::kNone).termination;
  return so_far == Termination::kOptimal || so_far == Termination::kInfeasible;
}

bool SolverPhases::IsOver() const {
  return clock_.Reached(-1) != Limit::kNone || IsProven();
}

SolveResult SolverPhases::Finish() const {
  const Limit now = clock_.Reached(-1);
  SolveResult result = recorder_.Finish(now == Limit::kNone ? limit_ : now);
  result.stats.nodes = stats_.nodes;
  result.stats.iterations = stats_.iterations;
  result.root_certificate = certificate_;
  if (!uses_threads_) result.options["threads"].used = "1";
  return result;
}

}  // namespace bitpact
