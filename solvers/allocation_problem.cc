// SPDX-License-Identifier: Apache-2.0
#include "solvers/allocation_problem.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "core/check.h"
#include "solvers/tie_classes.h"

namespace bitpact {
namespace {

constexpr std::size_t kUnitsNamed = 3;

void CheckAssignment(const AllocationProblem& problem,
                     const Assignment& assignment) {
  BITPACT_CHECK(assignment.size() == problem.units.size(), "one option a unit");
  for (int u = 0; u < problem.NumUnits(); ++u) {
    const int option = assignment[static_cast<std::size_t>(u)];
    BITPACT_CHECK(option >= 0 && option < problem.NumOptions(u),
                  "option index out of range");
  }
}

const ProblemOption& Chosen(const AllocationProblem& problem,
                            const Assignment& assignment,
                            std::size_t unit) {
  return problem.units[unit]
      .options[static_cast<std::size_t>(assignment[unit])];
}

// |scale| * (sum over units of the longest row of its variables)^2.
double FactorScale(const PairFactor& factor, const std::vector<int>& first) {
  const auto rank = static_cast<std::size_t>(factor.rank);
  double sum = 0.0;
  double longest = 0.0;
  std::size_t unit = 0;
  for (std::size_t i = 0; i < factor.variables.size(); ++i) {
    while (factor.variables[i] >= first[unit + 1]) {
      ++unit;
      sum += longest;
      longest = 0.0;
    }
    double squares = 0.0;
    for (std::size_t r = 0; r < rank; ++r) {
      squares += factor.values[i * rank + r] * factor.values[i * rank + r];
    }
    longest = std::max(longest, std::sqrt(squares));
  }
  sum += longest;
  return std::abs(factor.scale) * sum * sum;
}

}  // namespace

int AllocationProblem::FirstVariable(int unit) const {
  int first = 0;
  for (int u = 0; u < unit; ++u) first += NumOptions(u);
  return first;
}

std::vector<int> AllocationProblem::FirstVariables() const {
  std::vector<int> first(units.size() + 1, 0);
  for (std::size_t u = 0; u < units.size(); ++u) {
    first[u + 1] = first[u] + static_cast<int>(units[u].options.size());
  }
  return first;
}

bool IsFeasible(const AllocationProblem& problem,
                const Assignment& assignment) {
  if (assignment.size() != problem.units.size()) return false;
  for (int u = 0; u < problem.NumUnits(); ++u) {
    const int option = assignment[static_cast<std::size_t>(u)];
    if (option < 0 || option >= problem.NumOptions(u)) return false;
  }
  const auto at = [&](int unit) {
    return assignment[static_cast<std::size_t>(unit)];
  };
  for (const Pin& pin : problem.pins) {
    if (at(pin.unit) != pin.option) return false;
  }
  for (const Tie& tie : problem.ties) {
    if (at(tie.first) != at(tie.second)) return false;
  }
  const std::vector<std::int64_t> use = ResourceUse(problem, assignment);
  for (std::size_t k = 0; k < use.size(); ++k) {
    if (use[k] > problem.resources[k].limit) return false;
  }
  return true;
}

double Objective(const AllocationProblem& problem,
                 const Assignment& assignment) {
  CheckAssignment(problem, assignment);
  const std::vector<int> first = problem.FirstVariables();
  std::vector<bool> chosen(static_cast<std::size_t>(first.back()), false);
  long double sum = static_cast<long double>(problem.constant);
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    sum += static_cast<long double>(Chosen(problem, assignment, u).cost);
    chosen[static_cast<std::size_t>(first[u]) +
           static_cast<std::size_t>(assignment[u])] = true;
  }
  return static_cast<double>(sum + problem.pairs.Value(chosen));
}

std::vector<std::int64_t> ResourceUse(const AllocationProblem& problem,
                                      const Assignment& assignment) {
  CheckAssignment(problem, assignment);
  std::vector<std::int64_t> use(problem.resources.size(), 0);
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    const ProblemOption& option = Chosen(problem, assignment, u);
    for (std::size_t k = 0; k < use.size(); ++k) use[k] += option.sizes[k];
  }
  return use;
}

double ObjectiveScale(const AllocationProblem& problem) {
  double scale = std::abs(problem.constant);
  for (const ProblemUnit& unit : problem.units) {
    double largest = 0.0;
    for (const ProblemOption& option : unit.options) {
      largest = std::max(largest, std::abs(option.cost));
    }
    scale += largest;
  }
  problem.pairs.ForEachListed(
      [&](int, int, double value) { scale += std::abs(value); });
  const std::vector<int> first = problem.FirstVariables();
  for (const PairFactor& factor : problem.pairs.factors()) {
    scale += FactorScale(factor, first);
  }
  return scale;
}

SizeRange ComputeSizeRange(const AllocationProblem& problem, int resource) {
  const Expected<std::vector<TieClass>> classes = ComputeTieClasses(problem);
  BITPACT_CHECK(classes.has_value(), "needs a valid problem");
  const auto k = static_cast<std::size_t>(resource);
  SizeRange range;
  range.least_by_unit.resize(problem.units.size());
  range.greatest_by_unit.resize(problem.units.size());
  for (const TieClass& members : *classes) {
    const int options = problem.NumOptions(members.units.front());
    const auto size = [&](int unit, int option) {
      return problem.units[static_cast<std::size_t>(unit)]
          .options[static_cast<std::size_t>(option)]
          .sizes[k];
    };
    const auto total = [&](int option) {
      std::int64_t sum = 0;
      for (const int unit : members.units) sum += size(unit, option);
      return sum;
    };
    int smallest = std::max(members.pinned_option, 0);
    int largest = smallest;
    for (int o = 0; o < options && members.pinned_option < 0; ++o) {
      if (total(o) < total(smallest)) smallest = o;
      if (total(o) > total(largest)) largest = o;
    }
    for (const int unit : members.units) {
      const auto u = static_cast<std::size_t>(unit);
      range.least_by_unit[u] = size(unit, smallest);
      range.greatest_by_unit[u] = size(unit, largest);
      range.least += range.least_by_unit[u];
      range.greatest += range.greatest_by_unit[u];
    }
  }
  return range;
}

std::string ExplainRange(const AllocationProblem& problem,
                         int resource,
                         const SizeRange& range) {
  const Resource& limited =
      problem.resources[static_cast<std::size_t>(resource)];
  std::string text =
      limited.name + ": the limit " + std::to_string(limited.limit) +
      " is below the least possible " + std::to_string(range.least) +
      " (greatest " + std::to_string(range.greatest) + ")";
  std::vector<std::size_t> order(problem.units.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return range.least_by_unit[a] > range.least_by_unit[b];
  });
  const std::size_t named = std::min(kUnitsNamed, order.size());
  for (std::size_t i = 0; i < named; ++i) {
    const std::size_t u = order[i];
    text += (i == 0 ? "; " : ", ") + problem.units[u].name +
            (i == 0 ? " needs " : " ") + std::to_string(range.least_by_unit[u]);
    if (std::any_of(
            problem.pins.begin(), problem.pins.end(), [&](const Pin& pin) {
              return static_cast<std::size_t>(pin.unit) == u;
            })) {
      text += " (pinned)";
    }
  }
  return text;
}

std::string ExplainInfeasibility(const AllocationProblem& problem) {
  for (int k = 0; k < problem.NumResources(); ++k) {
    const Resource& resource = problem.resources[static_cast<std::size_t>(k)];
    const SizeRange range = ComputeSizeRange(problem, k);
    if (range.least > resource.limit) return ExplainRange(problem, k, range);
  }
  return {};
}

}  // namespace bitpact
