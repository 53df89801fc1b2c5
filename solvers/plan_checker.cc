// SPDX-License-Identifier: Apache-2.0
#include "solvers/plan_checker.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "solvers/certificate_checker.h"

namespace bitpact {
namespace {

// Differences within this share of ObjectiveScale are rounding.
constexpr double kRounding = 1e-9;

// "1e-07", where std::to_string would print 0.000000.
std::string Shown(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", value);
  return text.data();
}

// Column by column: each column's square of the sum, less the sum of squares.
long double PlainFactor(const PairFactor& factor,
                        const std::vector<int>& taken) {
  long double value = 0.0L;
  const auto rank = static_cast<std::size_t>(factor.rank);
  for (std::size_t r = 0; r < rank; ++r) {
    long double sum = 0.0L;
    long double squares = 0.0L;
    for (std::size_t i = 0; i < factor.variables.size(); ++i) {
      if (taken[static_cast<std::size_t>(factor.variables[i])] == 0) continue;
      const auto u = static_cast<long double>(factor.values[i * rank + r]);
      sum += u;
      squares += u * u;
    }
    value += sum * sum - squares;
  }
  return static_cast<long double>(factor.scale) * value;
}

// Everything here is written again from the definition in
// solvers/allocation_problem.h, in the plainest way, on purpose: it must not
// share a mistake with Objective, IsFeasible or a solver.
long double PlainObjective(const AllocationProblem& problem,
                           const Assignment& plan) {
  std::vector<int> taken;  // 1 for each chosen variable
  long double sum = static_cast<long double>(problem.constant);
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    for (std::size_t o = 0; o < problem.units[u].options.size(); ++o) {
      const bool is_taken = static_cast<std::size_t>(plan[u]) == o;
      taken.push_back(is_taken ? 1 : 0);
      if (is_taken) {
        sum += static_cast<long double>(problem.units[u].options[o].cost);
      }
    }
  }
  problem.pairs.ForEachListed([&](int i, int j, double value) {
    sum += static_cast<long double>(value) *
           static_cast<long double>(taken[static_cast<std::size_t>(i)] *
                                    taken[static_cast<std::size_t>(j)]);
  });
  for (const PairFactor& factor : problem.pairs.factors()) {
    sum += PlainFactor(factor, taken);
  }
  return sum;
}

// Empty when the plan obeys every rule.
std::string PlanViolation(const AllocationProblem& problem,
                          const Assignment& plan) {
  if (plan.size() != problem.units.size()) {
    return "has " + std::to_string(plan.size()) + " entries for " +
           std::to_string(problem.units.size()) + " units";
  }
  std::vector<std::int64_t> use(problem.resources.size(), 0);
  for (std::size_t u = 0; u < plan.size(); ++u) {
    const auto& options = problem.units[u].options;
    if (plan[u] < 0 || static_cast<std::size_t>(plan[u]) >= options.size()) {
      return "gives unit " + std::to_string(u) + " the option " +
             std::to_string(plan[u]);
    }
    const ProblemOption& option = options[static_cast<std::size_t>(plan[u])];
    for (std::size_t k = 0; k < use.size(); ++k) use[k] += option.sizes[k];
  }
  for (std::size_t k = 0; k < use.size(); ++k) {
    if (use[k] > problem.resources[k].limit) {
      return "uses " + std::to_string(use[k]) + " of '" +
             problem.resources[k].name + "', limit " +
             std::to_string(problem.resources[k].limit);
    }
  }
  for (const Pin& pin : problem.pins) {
    if (plan[static_cast<std::size_t>(pin.unit)] != pin.option) {
      return "breaks the pin of unit " + std::to_string(pin.unit);
    }
  }
  for (const Tie& tie : problem.ties) {
    if (plan[static_cast<std::size_t>(tie.first)] !=
        plan[static_cast<std::size_t>(tie.second)]) {
      return "breaks the tie of units " + std::to_string(tie.first) + " and " +
             std::to_string(tie.second);
    }
  }
  return {};
}

std::string PoolViolation(const AllocationProblem& problem,
                          const SolveResult& result,
                          double tolerance) {
  for (std::size_t i = 0; i < result.pool.size(); ++i) {
    const ScoredPlan& plan = result.pool[i];
    const std::string where = "pool plan " + std::to_string(i) + " ";
    const std::string violation = PlanViolation(problem, plan.assignment);
    if (!violation.empty()) return where + violation;
    const auto exact =
        static_cast<double>(PlainObjective(problem, plan.assignment));
    if (!(std::abs(exact - plan.objective) <= tolerance)) {
      return where + "claims objective " + Shown(plan.objective) + ", it is " +
             Shown(exact);
    }
    if (i > 0 && !PlanPrecedes(result.pool[i - 1], plan)) {
      return where + "is out of order or a repeat";
    }
  }
  const bool front_differs =
      !result.pool.empty() &&
      (result.pool.front().assignment != result.incumbent ||
       result.pool.front().objective != result.objective);
  return front_differs ? "the pool's first plan is not the incumbent" : "";
}

std::string ResultViolation(const AllocationProblem& problem,
                            const SolveResult& result,
                            double relative_gap) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double tolerance = kRounding * ObjectiveScale(problem);
  const bool says_plan = result.termination == Termination::kOptimal ||
                         result.termination == Termination::kFeasible;
  if (says_plan != result.HasIncumbent()) {
    return std::string("termination ") + TerminationName(result.termination) +
           (says_plan ? " without" : " with") + " an incumbent";
  }
  if (std::isnan(result.bound)) return "the bound is NaN";
  if (!result.HasIncumbent()) {
    if (result.objective != infinity || !result.pool.empty()) {
      return "an objective or pool without an incumbent";
    }
    const bool is_infeasible = result.termination == Termination::kInfeasible;
    if (!is_infeasible && result.bound == infinity) {
      return "an infinite bound without a claim of infeasibility";
    }
    return {};
  }
  const std::string violation = PlanViolation(problem, result.incumbent);
  if (!violation.empty()) return "the incumbent " + violation;
  const auto exact =
      static_cast<double>(PlainObjective(problem, result.incumbent));
  if (!(std::abs(exact - result.objective) <= tolerance)) {
    return "claims objective " + Shown(result.objective) + ", it is " +
           Shown(exact);
  }
  if (!(result.bound <= exact + tolerance)) {
    return "the bound " + Shown(result.bound) +
           " is above the incumbent's objective " + Shown(exact);
  }
  if (result.termination == Termination::kOptimal &&
      !GapIsClosed(exact, result.bound, relative_gap, tolerance)) {
    return "claims an optimum with bound " + Shown(result.bound) +
           " and objective " + Shown(exact);
  }
  return PoolViolation(problem, result, tolerance);
}

// Everything the solver cannot honour, in one text; empty when it can.
std::string Unsupported(const SolverCapabilities& can,
                        const AllocationProblem& problem,
                        const SolveOptions& options) {
  std::string missing;
  const auto need = [&](bool is_needed, bool is_there, const char* what) {
    if (!is_needed || is_there) return;
    missing += (missing.empty() ? "" : ", ") + std::string(what);
  };
  bool has_other_than_two = false;
  for (const ProblemUnit& unit : problem.units) {
    has_other_than_two = has_other_than_two || unit.options.size() != 2;
  }
  need(
      has_other_than_two, can.multiple_options, "more than two options a unit");
  need(problem.resources.size() > 1,
       can.multiple_resources,
       "several resources");
  need(!problem.pairs.empty(), can.pair_terms, "pair terms");
  need(options.time_limit_s.has_value(), can.time_limit, "time_limit_s");
  need(options.node_limit.has_value(), can.node_limit, "node_limit");
  need(options.warm_start.has_value(), can.warm_start, "warm_start");
  need(options.pool_size > 1, can.pool, "pool_size > 1");
  return missing;
}

void RecordOptions(const SolveOptions& options,
                   const SolverCapabilities& can,
                   SolveResult& result) {
  const auto record = [&](const char* name, const std::string& asked) {
    OptionUse& use = result.options[name];
    use.asked = asked;
    if (use.used.empty()) use.used = asked;
  };
  if (!can.threads) result.options["threads"].used = "1";
  record("threads", std::to_string(options.threads));
  record("seed", std::to_string(options.seed));
  record("time_limit_s",
         options.time_limit_s ? Shown(*options.time_limit_s) : "none");
  record("node_limit",
         options.node_limit ? std::to_string(*options.node_limit) : "default");
  record("relative_gap", Shown(options.relative_gap));
  record("warm_start", options.warm_start ? "given" : "none");
  record("pool_size", std::to_string(options.pool_size));
}

// Derives the root bound again, when there is a certificate of a size to be
// looked at, and says so in the result's options.
Expected<void> CheckCertificate(const AllocationProblem& problem,
                                const CheckOptions& check,
                                SolveResult& result) {
  if (!result.root_certificate) return {};
  OptionUse& use = result.options["root_certificate"];
  const std::size_t variables = result.root_certificate->point.size();
  use.asked =
      "up to " + std::to_string(check.most_certified_variables) + " variables";
  if (variables > static_cast<std::size_t>(check.most_certified_variables)) {
    use.used = "not checked: " + std::to_string(variables) + " variables";
    return {};
  }
  use.used = "checked";
  const Expected<void> checked =
      CheckRootCertificate(problem, *result.root_certificate);
  if (checked) return {};
  return Fail(checked.error().code,
              "solver '" + result.solver +
                  "' gave a wrong answer: " + checked.error().message);
}

}  // namespace

Expected<void> CheckResult(const AllocationProblem& problem,
                           const SolveResult& result,
                           double relative_gap) {
  const std::string violation = ResultViolation(problem, result, relative_gap);
  if (violation.empty()) return {};
  return Fail(
      ErrorCode::kInternal,
      "solver '" + result.solver + "' gave a wrong answer: " + violation);
}

Expected<SolveResult> SolveAndCheck(Solver& solver,
                                    const AllocationProblem& problem,
                                    const SolveOptions& options,
                                    const CheckOptions& check) {
  Expected<void> valid = Validate(problem);
  if (valid) valid = Validate(options);
  if (!valid) return tl::unexpected(valid.error());
  if (options.warm_start) {
    const std::string violation = PlanViolation(problem, *options.warm_start);
    if (!violation.empty()) {
      return InvalidArgument("the warm start " + violation);
    }
  }
  const SolverCapabilities can = solver.capabilities();
  const std::string missing = Unsupported(can, problem, options);
  if (!missing.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "solver '" + std::string(solver.name()) +
                    "' does not support: " + missing);
  }
  const std::string infeasible = ExplainInfeasibility(problem);
  Expected<SolveResult> result = SolveResult{};
  if (!infeasible.empty()) {
    result->termination = Termination::kInfeasible;
    result->bound = std::numeric_limits<double>::infinity();
    result->detail = infeasible;
  } else {
    result = solver.Solve(problem, options);
    if (!result) return result;
  }
  result->solver = solver.name();
  RecordOptions(options, can, *result);
  Expected<void> checked = CheckResult(problem, *result, options.relative_gap);
  if (checked) checked = CheckCertificate(problem, check, *result);
  if (!checked) return tl::unexpected(checked.error());
  return result;
}

}  // namespace bitpact
