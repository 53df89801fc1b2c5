// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_choice.h"

#include <algorithm>

#include "core/check.h"
#include "core/random.h"
#include "solvers/plan_checker.h"
#include "solvers/solver_factory.h"

namespace bitpact {
namespace {

// Plans of one surrogate, best first; at most `pool`, one where the solver
// keeps no more.
Expected<std::vector<FormatAssignment>> SolvePool(
    const Surrogate& surrogate,
    const TargetBudget& target,
    const ChoiceOptions& options) {
  const auto solver = MakeSolver(options.solver);
  if (!solver) return tl::unexpected(solver.error());
  SolveOptions solve = options.solve;
  solve.pool_size = (*solver)->capabilities().pool ? options.pool : 1;
  const Expected<SolveResult> result =
      SolveAndCheck(**solver, ProblemOf(surrogate, target), solve);
  if (!result) return tl::unexpected(result.error());
  std::vector<FormatAssignment> plans;
  if (result->HasIncumbent()) plans.push_back(result->incumbent);
  for (const ScoredPlan& plan : result->pool) {
    if (std::ranges::find(plans, plan.assignment) == plans.end()) {
      plans.push_back(plan.assignment);
    }
  }
  return plans;
}

}  // namespace

WindowSplit SplitWindows(int num_windows) {
  constexpr int kEvery = 3;
  WindowSplit split;
  for (int w = 0; w < num_windows; ++w) {
    (w % kEvery == kEvery - 1 ? split.judge : split.fit).push_back(w);
  }
  return split;
}

TargetBudget MakeTarget(const std::vector<Unit>& units,
                        const std::vector<FormatRule>& formats,
                        std::int64_t byte_limit) {
  TargetBudget target;
  target.byte_limit = byte_limit;
  for (const Unit& unit : units) {
    std::vector<std::int64_t> bytes;
    for (const FormatRule& format : formats) {
      bytes.push_back(StoredBytes(format, unit));
    }
    target.option_bytes.push_back(std::move(bytes));
  }
  return target;
}

AllocationProblem ProblemOf(const Surrogate& surrogate,
                            const TargetBudget& target) {
  AllocationProblem problem;
  problem.constant = surrogate.constant;
  problem.resources.push_back({"bytes", target.byte_limit});
  for (std::size_t u = 0; u < surrogate.linear.size(); ++u) {
    ProblemUnit unit;
    unit.name = std::to_string(u);
    for (std::size_t o = 0; o < surrogate.linear[u].size(); ++o) {
      unit.options.push_back({std::to_string(o),
                              surrogate.linear[u][o],
                              {target.option_bytes[u][o]}});
    }
    problem.units.push_back(std::move(unit));
  }
  const auto options = static_cast<int>(target.option_bytes.front().size());
  for (const SurrogatePair& pair : surrogate.pairs) {
    problem.pairs.Add(pair.unit_a * options + pair.option_a,
                      pair.unit_b * options + pair.option_b,
                      pair.value);
  }
  return problem;
}

Expected<PlanSearchResult> ChoosePlan(
    ValueFunction& fit,
    ValueFunction& judge,
    const TargetBudget& target,
    const std::vector<NamedSurrogate>& surrogates,
    const ChoiceOptions& options) {
  BITPACT_CHECK(!surrogates.empty(), "at least one surrogate");
  std::vector<PlanCandidate> candidates;
  const auto add = [&](PlanCandidate candidate) {
    const auto same = std::ranges::find(
        candidates, candidate.assignment, &PlanCandidate::assignment);
    if (same == candidates.end()) {
      candidates.push_back(std::move(candidate));
    } else {
      same->baseline = same->baseline || candidate.baseline;
    }
  };
  std::int64_t least = 0;
  FormatAssignment lowest;
  for (const std::vector<std::int64_t>& bytes : target.option_bytes) {
    least += bytes.back();
    lowest.push_back(static_cast<int>(bytes.size()) - 1);
  }
  if (least > target.byte_limit) {
    return InvalidArgument("byte_limit = " + std::to_string(target.byte_limit) +
                           " is below the least possible " +
                           std::to_string(least));
  }
  for (const NamedSurrogate& from : surrogates) {
    const auto pool = SolvePool(*from.surrogate, target, options);
    if (!pool) return tl::unexpected(pool.error());
    for (std::size_t i = 0; i < pool->size(); ++i) {
      add({i == 0 ? from.name : from.name + " pool " + std::to_string(i + 1),
           (*pool)[i],
           from.surrogate,
           from.baseline && i == 0});
    }
  }
  const Surrogate* main = surrogates.front().surrogate;
  add({"all at the smallest", std::move(lowest), main, true});
  RandomStream random(options.solve.seed, "plan_choice/random");
  add({"random",
       DrawAtBudget(target.option_bytes, target.byte_limit, random),
       main,
       true});
  return SearchPlan(fit, judge, target, candidates, options.search);
}

}  // namespace bitpact
