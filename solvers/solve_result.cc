// SPDX-License-Identifier: Apache-2.0
#include "solvers/solve_result.h"

#include <algorithm>
#include <cmath>

namespace bitpact {

bool PlanPrecedes(const ScoredPlan& a, const ScoredPlan& b) {
  if (a.objective != b.objective) return a.objective < b.objective;
  return a.assignment < b.assignment;
}

Expected<void> Validate(const SolveOptions& options) {
  const auto violates = [](const std::string& what) {
    return InvalidArgument(what);
  };
  // Written so that NaN fails too.
  if (options.time_limit_s && !(*options.time_limit_s >= 0.0)) {
    return violates("time_limit_s = " + std::to_string(*options.time_limit_s) +
                    " violates time_limit_s >= 0");
  }
  if (options.node_limit && *options.node_limit < 0) {
    return violates("node_limit = " + std::to_string(*options.node_limit) +
                    " violates node_limit >= 0");
  }
  if (!(options.relative_gap >= 0.0 && options.relative_gap <= 1.0)) {
    return violates("relative_gap = " + std::to_string(options.relative_gap) +
                    " violates 0 <= relative_gap <= 1");
  }
  if (options.threads < 0) {
    return violates("threads = " + std::to_string(options.threads) +
                    " violates threads >= 0");
  }
  if (options.pool_size < 1) {
    return violates("pool_size = " + std::to_string(options.pool_size) +
                    " violates pool_size >= 1");
  }
  return {};
}

const char* TerminationName(Termination termination) {
  switch (termination) {
    case Termination::kOptimal:
      return "optimal";
    case Termination::kFeasible:
      return "feasible";
    case Termination::kInfeasible:
      return "infeasible";
    case Termination::kNoSolutionFound:
      return "no_solution_found";
  }
  return "unknown";
}

const char* LimitName(Limit limit) {
  switch (limit) {
    case Limit::kNone:
      return "none";
    case Limit::kTime:
      return "time";
    case Limit::kNodes:
      return "nodes";
    case Limit::kStopped:
      return "stopped";
  }
  return "unknown";
}

double SolveResult::AbsoluteGap() const {
  if (!HasIncumbent() || !std::isfinite(bound)) {
    return std::numeric_limits<double>::infinity();
  }
  return std::max(0.0, objective - bound);
}

double SolveResult::RelativeGap() const {
  const double gap = AbsoluteGap();
  return std::isfinite(gap) ? gap / std::max(1e-9, std::abs(objective)) : gap;
}

double ProofTolerance(const AllocationProblem& problem) {
  return 1e-11 * ObjectiveScale(problem);
}

bool GapIsClosed(double objective,
                 double bound,
                 double relative_gap,
                 double proof_tolerance) {
  const double allowed = relative_gap * std::max(1e-9, std::abs(objective));
  return objective - bound <= std::max(allowed, proof_tolerance);
}

std::string PresolveText(const PresolveCounts& counts) {
  std::string text;
  const auto add = [&](int count, const char* one, const char* many) {
    if (count == 0) return;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " +
            (count == 1 ? one : many);
  };
  add(counts.tied_units, "tied unit", "tied units");
  add(counts.fixed_units, "fixed unit", "fixed units");
  add(counts.oversized_options,
      "option that cannot fit",
      "options that cannot fit");
  add(counts.dominated_options, "dominated option", "dominated options");
  add(counts.idle_resources, "limit always kept", "limits always kept");
  add(counts.divided_resources,
      "resource divided by a common factor",
      "resources divided by a common factor");
  if (text.empty()) text = "nothing to fold";
  return text + "; left: " + std::to_string(counts.free_units) +
         (counts.free_units == 1 ? " free unit, " : " free units, ") +
         std::to_string(counts.binaries) +
         (counts.binaries == 1 ? " binary" : " binaries");
}

}  // namespace bitpact
