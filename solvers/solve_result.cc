// SPDX-License-Identifier: Apache-2.0
#include "solvers/solve_result.h"

#include <algorithm>
#include <cmath>

#include "core/json_file.h"

namespace bitpact {
namespace {

constexpr const char* kFormat = "bitpact.result";
constexpr int kVersion = 1;

// JSON has no infinity; null says "not claimed".
Json FiniteOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json PlanUnits(const AllocationProblem& problem, const Assignment& assignment) {
  Json units = Json::array();
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    const ProblemUnit& unit = problem.units[u];
    const ProblemOption& option =
        unit.options[static_cast<std::size_t>(assignment[u])];
    units.push_back({{"unit", unit.name},
                     {"option", assignment[u]},
                     {"name", option.name},
                     {"sizes", option.sizes}});
  }
  return units;
}

Json ResourceLines(const AllocationProblem& problem,
                   const Assignment& assignment) {
  Json lines = Json::array();
  const std::vector<std::int64_t> use = ResourceUse(problem, assignment);
  for (std::size_t k = 0; k < use.size(); ++k) {
    lines.push_back({{"name", problem.resources[k].name},
                     {"used", use[k]},
                     {"limit", problem.resources[k].limit}});
  }
  return lines;
}

}  // namespace

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

Expected<void> WriteSolveResult(
    const std::filesystem::path& file,
    const AllocationProblem& problem,
    const SolveResult& result,
    const std::map<std::string, std::string>& inputs) {
  Json body = {{"solver", result.solver},
               {"termination", TerminationName(result.termination)},
               {"limit", LimitName(result.limit)},
               {"detail", result.detail},
               {"objective", FiniteOrNull(result.objective)},
               {"bound", FiniteOrNull(result.bound)},
               {"absolute_gap", FiniteOrNull(result.AbsoluteGap())},
               {"relative_gap", FiniteOrNull(result.RelativeGap())},
               {"time_s", result.stats.time_s},
               {"time_to_best_s", result.stats.time_to_best_s},
               {"nodes", result.stats.nodes},
               {"iterations", result.stats.iterations}};
  Json options = Json::object();
  for (const auto& [name, use] : result.options) {
    options[name] = {{"asked", use.asked}, {"used", use.used}};
  }
  body["options"] = std::move(options);
  if (result.HasIncumbent()) {
    body["resources"] = ResourceLines(problem, result.incumbent);
    body["plan"] = PlanUnits(problem, result.incumbent);
  }
  Json pool = Json::array();
  for (const ScoredPlan& plan : result.pool) {
    pool.push_back(
        {{"objective", plan.objective}, {"assignment", plan.assignment}});
  }
  body["pool"] = std::move(pool);
  Json trace = Json::array();
  for (const TracePoint& point : result.trace) {
    trace.push_back({{"time_s", point.time_s},
                     {"objective", FiniteOrNull(point.objective)},
                     {"bound", FiniteOrNull(point.bound)}});
  }
  body["trace"] = std::move(trace);
  return WriteJsonFile(file,
                       {.format = kFormat,
                        .version = kVersion,
                        .tool_version = {},
                        .seed = {},
                        .inputs = inputs},
                       body);
}

}  // namespace bitpact
