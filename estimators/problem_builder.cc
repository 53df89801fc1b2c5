// SPDX-License-Identifier: Apache-2.0
#include "estimators/problem_builder.h"

#include <algorithm>

#include "core/check.h"
#include "core/random.h"

namespace bitpact {

AllocationProblem BuildProblem(const SensitivityTable& table,
                               std::int64_t byte_limit) {
  const Surrogate& surrogate = table.estimate.surrogate;
  AllocationProblem problem;
  problem.constant = surrogate.constant;
  problem.resources.push_back({"bytes", byte_limit});
  for (std::size_t u = 0; u < table.units.size(); ++u) {
    ProblemUnit unit;
    unit.name = table.units[u].name;
    for (std::size_t o = 0; o < table.formats.size(); ++o) {
      unit.options.push_back({FormatName(table.formats[o].base),
                              surrogate.linear[u][o],
                              {StoredBytes(table.formats[o], table.units[u])}});
    }
    problem.units.push_back(std::move(unit));
  }
  const auto options = static_cast<int>(table.formats.size());
  for (const SurrogatePair& pair : surrogate.pairs) {
    problem.pairs.Add(pair.unit_a * options + pair.option_a,
                      pair.unit_b * options + pair.option_b,
                      pair.value);
  }
  return problem;
}

AllocationPlan PlanFromAssignment(const SensitivityTable& table,
                                  const Assignment& assignment) {
  std::vector<FormatRule> formats;
  for (const int option : assignment) {
    formats.push_back(table.formats[static_cast<std::size_t>(option)]);
  }
  return MakePlan(table.units, formats, table.quantizer);
}

Assignment DrawRandomAssignment(const AllocationProblem& problem,
                                std::uint64_t seed,
                                std::uint64_t index) {
  RandomStream random(seed, "report/random_plan", index);
  const auto size = [&](std::size_t unit, int option) {
    return problem.units[unit]
        .options[static_cast<std::size_t>(option)]
        .sizes.front();
  };
  Assignment assignment;
  std::int64_t left = problem.resources.front().limit;
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    int smallest = 0;
    for (int o = 1; o < problem.NumOptions(static_cast<int>(u)); ++o) {
      if (size(u, o) < size(u, smallest)) smallest = o;
    }
    assignment.push_back(smallest);
    left -= size(u, smallest);
  }
  BITPACT_CHECK(left >= 0, "the limit is below the smallest size");
  std::vector<int> steps;
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    for (int o = 0; o < assignment[u]; ++o) {
      steps.push_back(static_cast<int>(u));
    }
  }
  random.Shuffle(steps);
  for (const int step : steps) {
    const auto u = static_cast<std::size_t>(step);
    const std::int64_t more =
        size(u, assignment[u] - 1) - size(u, assignment[u]);
    if (more > left) continue;
    left -= more;
    --assignment[u];
  }
  return assignment;
}

}  // namespace bitpact
