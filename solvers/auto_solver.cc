// SPDX-License-Identifier: Apache-2.0
#include "solvers/auto_solver.h"

#include <string>
#include <utility>

#include "solvers/anneal_solver.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/enumerate_solver.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr double kAnnealTimeShare = 0.25;

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
  } else if (reduced.NumVariables() > BranchAndBoundSolver::kMostBinaries) {
    choice = "anneal, since too large for a proof";
    result = AnnealSolver().Solve(problem, options);
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
