// SPDX-License-Identifier: Apache-2.0
#include "solvers/auto_solver.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "solvers/anneal_solver.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/enumerate_solver.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/reduced_problem.h"
#include "solvers/relax_round_solver.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr double kAnnealTimeShare = 0.25;
// Binaries left open by a relaxation that go to branch-and-bound. Its first
// passes are cubic and look at the clock in between only.
constexpr int kMostInCore = 700;

std::string SizeText(const ReducedProblem& reduced) {
  return std::to_string(reduced.NumGroups()) + " free units, " +
         std::to_string(reduced.NumVariables()) + " binaries";
}

// What the first solver did comes before what the second did.
void Prepend(const SolveResult& first, SolveResult& second) {
  for (TracePoint& point : second.trace) {
    point.time_s += first.stats.time_s;
  }
  second.trace.insert(
      second.trace.begin(), first.trace.begin(), first.trace.end());
  const bool is_from_first = first.objective <= second.objective;
  second.stats.time_to_best_s =
      is_from_first ? first.stats.time_to_best_s
                    : second.stats.time_to_best_s + first.stats.time_s;
  second.stats.iterations += first.stats.iterations;
}

Expected<SolveResult> AnnealThenProve(const AllocationProblem& problem,
                                      const SolveOptions& options,
                                      const SolveClock& clock) {
  SolveOptions anneal = options;
  if (options.time_limit_s) {
    anneal.time_limit_s = kAnnealTimeShare * *options.time_limit_s;
  }
  Expected<SolveResult> first = AnnealSolver().Solve(problem, anneal);
  if (!first) return first;
  SolveOptions prove = options;
  if (first->HasIncumbent()) prove.warm_start = first->incumbent;
  if (options.time_limit_s) prove.time_limit_s = clock.SecondsLeft();
  Expected<SolveResult> second = BranchAndBoundSolver().Solve(problem, prove);
  if (second) Prepend(*first, *second);
  return second;
}

// The problem with every choice pinned that RelaxAndRound left alone.
AllocationProblem PinClosed(const AllocationProblem& problem,
                            const ReducedProblem& reduced,
                            const std::vector<std::vector<char>>& open) {
  AllocationProblem core = problem;
  for (std::size_t g = 0; g < open.size(); ++g) {
    if (std::count(open[g].begin(), open[g].end(), '\1') != 1) continue;
    const auto choice = static_cast<std::size_t>(
        std::find(open[g].begin(), open[g].end(), '\1') - open[g].begin());
    for (const int unit : reduced.groups[g].units) {
      core.pins.push_back({unit, reduced.groups[g].options[choice]});
    }
  }
  return core;
}

// Searches what the relaxation left open. Every plan outside is no better than
// the incumbent, so the core's bound holds for all plans up to the incumbent's
// objective.
Expected<void> SearchCore(Solver& solver,
                          const AllocationProblem& core,
                          const SolveOptions& options,
                          IncumbentRecorder& recorder,
                          SolveStats& stats) {
  SolveOptions inner = options;
  inner.on_incumbent = nullptr;
  inner.warm_start.reset();
  if (IsFeasible(core, recorder.BestAssignment())) {
    inner.warm_start = recorder.BestAssignment();
  }
  const Expected<SolveResult> result = solver.Solve(core, inner);
  if (!result) return tl::unexpected(result.error());
  for (const ScoredPlan& plan : result->pool) recorder.Offer(plan.assignment);
  recorder.RaiseBound(std::min(recorder.Best(), result->bound));
  stats.nodes += result->stats.nodes;
  stats.iterations += result->stats.iterations;
  return {};
}

// Anneals the core, which a better incumbent then shrinks, and proves what is
// small enough.
Expected<void> AnnealAndProveCore(const AllocationProblem& problem,
                                  const ReducedProblem& reduced,
                                  const FactoredRelaxation& relaxation,
                                  const SolveOptions& options,
                                  const SolveClock& clock,
                                  IncumbentRecorder& recorder,
                                  SolveResult& result) {
  AnnealSolver anneal;
  BranchAndBoundSolver prove;
  for (Solver* solver :
       {static_cast<Solver*>(&anneal), static_cast<Solver*>(&prove)}) {
    const std::vector<std::vector<char>> open =
        relaxation.OpenChoices(recorder.Best());
    int left = 0;
    for (const std::vector<char>& group : open) {
      const auto count =
          static_cast<int>(std::count(group.begin(), group.end(), '\1'));
      if (count == 0) {
        recorder.RaiseBound(recorder.Best());
        result.detail = "reduced costs close all";
        return {};
      }
      left += count - 1;
    }
    result.detail =
        "reduced costs leave " + std::to_string(left) + " binaries open";
    if (solver == &prove && left > kMostInCore) {
      result.detail += ", too many for a proof";
      return {};
    }
    SolveOptions inner = options;
    if (options.time_limit_s) {
      const double share = solver == &anneal ? kAnnealTimeShare : 1.0;
      inner.time_limit_s = share * clock.SecondsLeft();
    }
    const Expected<void> done = SearchCore(*solver,
                                           PinClosed(problem, reduced, open),
                                           inner,
                                           recorder,
                                           result.stats);
    if (!done || clock.Reached(-1) != Limit::kNone) return done;
  }
  return {};
}

Expected<SolveResult> RelaxThenProve(const AllocationProblem& problem,
                                     const ReducedProblem& reduced,
                                     const SolveOptions& options,
                                     const SolveClock& clock) {
  IncumbentRecorder recorder(problem, options, clock);
  SolveResult work;
  FactoredRelaxation relaxation(reduced);
  RelaxAndRound(reduced, options, clock, relaxation, recorder, work.stats);
  if (!recorder.HasIncumbent()) return AnnealSolver().Solve(problem, options);
  if (clock.Reached(-1) == Limit::kNone) {
    const Expected<void> searched = AnnealAndProveCore(
        problem, reduced, relaxation, options, clock, recorder, work);
    if (!searched) return tl::unexpected(searched.error());
  }
  SolveResult result = recorder.Finish(clock.Reached(work.stats.nodes));
  result.stats.nodes = work.stats.nodes;
  result.stats.iterations = work.stats.iterations;
  result.detail = work.detail;
  return result;
}

}  // namespace

SolverCapabilities AutoSolver::capabilities() const {
  SolverCapabilities can = BranchAndBoundSolver().capabilities();
  can.max_binaries = AnnealSolver().capabilities().max_binaries;
  return can;
}

Expected<SolveResult> AutoSolver::Solve(const AllocationProblem& problem,
                                        const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem);
  double combinations = 1.0;
  for (const ReducedGroup& group : reduced.groups) {
    combinations *= group.NumChoices();
  }
  Expected<SolveResult> result = SolveResult{};
  std::string choice;
  if (combinations <= kMostEnumerated) {
    choice = "enumerate, since few enough combinations";
    result = EnumerateSolver().Solve(problem, options);
  } else if (reduced.pairs.has_factors() ||
             !BranchAndBoundSolver::IsSmallEnough(reduced)) {
    choice = reduced.pairs.has_factors()
                 ? "relax-round, then the rest, since pairs are low-rank"
                 : "relax-round, then the rest, since too large for a matrix";
    result = RelaxThenProve(problem, reduced, options, clock);
  } else if (reduced.NumVariables() > kAnnealFirstAbove) {
    choice = "anneal, then branch-and-bound from its plan";
    result = AnnealThenProve(problem, options, clock);
  } else {
    choice = "branch-and-bound, since too many to enumerate";
    result = BranchAndBoundSolver().Solve(problem, options);
  }
  if (!result) return result;
  result->detail = choice + " (" + SizeText(reduced) + ")" +
                   (result->detail.empty() ? "" : ": " + result->detail);
  result->stats.time_s = clock.Seconds();
  return result;
}

}  // namespace bitpact
