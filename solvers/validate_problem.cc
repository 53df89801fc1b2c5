// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "solvers/allocation_problem.h"
#include "solvers/tie_classes.h"

namespace bitpact {
namespace {

// Sums of sizes stay below this, so that adding two of them cannot overflow.
constexpr std::int64_t kLargestSizeSum = std::int64_t{1} << 62U;
// Variables are numbered by int with room for arithmetic.
constexpr std::size_t kMostVariables = std::size_t{1} << 28U;

std::string UnitText(const AllocationProblem& problem, std::size_t unit) {
  return "unit " + std::to_string(unit) + " '" + problem.units[unit].name + "'";
}

Expected<void> ValidateOption(const AllocationProblem& problem,
                              std::size_t unit,
                              std::size_t option) {
  const ProblemOption& checked = problem.units[unit].options[option];
  const auto fail = [&](const std::string& rule) {
    return InvalidArgument(UnitText(problem, unit) + " option " +
                           std::to_string(option) + " '" + checked.name +
                           "': " + rule);
  };
  if (!std::isfinite(checked.cost)) {
    return fail("cost = " + std::to_string(checked.cost) + " is not finite");
  }
  if (checked.sizes.size() != problem.resources.size()) {
    return fail(std::to_string(checked.sizes.size()) + " sizes for " +
                std::to_string(problem.resources.size()) + " resources");
  }
  for (std::size_t k = 0; k < checked.sizes.size(); ++k) {
    if (checked.sizes[k] < 0) {
      return fail("size of '" + problem.resources[k].name +
                  "' = " + std::to_string(checked.sizes[k]) + " violates >= 0");
    }
  }
  return {};
}

Expected<void> ValidateUnits(const AllocationProblem& problem) {
  if (problem.units.empty()) return InvalidArgument("the problem has no units");
  std::vector<std::int64_t> greatest(problem.resources.size(), 0);
  std::size_t variables = 0;
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    const ProblemUnit& unit = problem.units[u];
    if (unit.options.empty()) {
      return InvalidArgument(UnitText(problem, u) + " has no options");
    }
    variables += unit.options.size();
    if (variables > kMostVariables) {
      return InvalidArgument(UnitText(problem, u) + ": more than " +
                             std::to_string(kMostVariables) +
                             " options in all");
    }
    for (std::size_t o = 0; o < unit.options.size(); ++o) {
      Expected<void> valid = ValidateOption(problem, u, o);
      if (!valid) return valid;
    }
    for (std::size_t k = 0; k < greatest.size(); ++k) {
      std::int64_t largest = 0;
      for (const ProblemOption& option : unit.options) {
        largest = std::max(largest, option.sizes[k]);
      }
      if (largest > kLargestSizeSum - greatest[k]) {
        return InvalidArgument(UnitText(problem, u) + ": the sum of '" +
                               problem.resources[k].name +
                               "' sizes passes 2^62");
      }
      greatest[k] += largest;
    }
  }
  return {};
}

Expected<void> ValidateIndices(const AllocationProblem& problem) {
  const int units = problem.NumUnits();
  for (const Pin& pin : problem.pins) {
    if (pin.unit < 0 || pin.unit >= units) {
      return InvalidArgument("a pin names unit " + std::to_string(pin.unit) +
                             " of " + std::to_string(units));
    }
    if (pin.option < 0 || pin.option >= problem.NumOptions(pin.unit)) {
      return InvalidArgument(
          UnitText(problem, static_cast<std::size_t>(pin.unit)) +
          " is pinned to option " + std::to_string(pin.option) + " of " +
          std::to_string(problem.NumOptions(pin.unit)));
    }
  }
  for (const Tie& tie : problem.ties) {
    for (const int unit : {tie.first, tie.second}) {
      if (unit < 0 || unit >= units) {
        return InvalidArgument("a tie names unit " + std::to_string(unit) +
                               " of " + std::to_string(units));
      }
    }
  }
  return {};
}

// Checks stored pairs one by one; knows which unit each variable belongs to.
class PairValidator {
 public:
  explicit PairValidator(const AllocationProblem& problem)
      : problem_(problem), first_(problem.FirstVariables()) {
    unit_of_.resize(static_cast<std::size_t>(first_.back()));
    for (std::size_t u = 0; u + 1 < first_.size(); ++u) {
      std::fill(
          unit_of_.begin() + first_[u], unit_of_.begin() + first_[u + 1], u);
    }
  }

  [[nodiscard]] Expected<void> CheckTerm(int i, int j, double value) const {
    for (const int v : {i, j}) {
      if (v < 0 || v >= first_.back()) {
        return Violation(
            i,
            j,
            value,
            "variables end at " + std::to_string(first_.back() - 1));
      }
    }
    if (UnitOf(i) == UnitOf(j)) {
      return Violation(
          i,
          j,
          value,
          Variable(i) + " and " + Variable(j) + " belong to one unit");
    }
    if (!std::isfinite(value)) {
      return Violation(
          i, j, value, Variable(i) + ", " + Variable(j) + ": not finite");
    }
    return {};
  }

  [[nodiscard]] Expected<void> CheckFactor(const PairFactor& factor) const {
    const std::size_t m = factor.variables.size();
    const auto rank = static_cast<std::size_t>(std::max(factor.rank, 0));
    // Divided, not multiplied: m * rank may overflow.
    if (m == 0 || rank == 0 || factor.values.size() % rank != 0 ||
        factor.values.size() / rank != m) {
      return InvalidArgument("a pair factor over " + std::to_string(m) +
                             " variables of rank " +
                             std::to_string(factor.rank) + " has " +
                             std::to_string(factor.values.size()) +
                             " values, not variables * rank, both >= 1");
    }
    Expected<void> ascending = CheckAscending(factor.variables, "factor");
    if (!ascending) return ascending;
    if (!std::isfinite(factor.scale)) {
      return InvalidArgument("a pair factor's scale = " +
                             std::to_string(factor.scale) + " is not finite");
    }
    for (std::size_t at = 0; at < factor.values.size(); ++at) {
      if (std::isfinite(factor.values[at])) continue;
      return InvalidArgument(
          "a pair factor's row of " + Variable(factor.variables[at / rank]) +
          ": column " + std::to_string(at % rank) + " is not finite");
    }
    return {};
  }

  [[nodiscard]] Expected<void> CheckBlock(const PairBlock& block) const {
    const std::size_t m = block.variables.size();
    const auto all = static_cast<std::size_t>(first_.back());
    if (m == 0 || m > all || block.values.size() != m * (m - 1) / 2) {
      return InvalidArgument(
          "a pair block over " + std::to_string(m) + " variables has " +
          std::to_string(block.values.size()) + " values, not m * (m - 1) / 2");
    }
    Expected<void> ascending = CheckAscending(block.variables, "block");
    if (!ascending) return ascending;
    std::size_t at = 0;
    for (std::size_t r = 0; r < m; ++r) {
      for (std::size_t c = r + 1; c < m; ++c, ++at) {
        if (block.values[at] == 0.0) continue;
        Expected<void> valid =
            CheckTerm(block.variables[r], block.variables[c], block.values[at]);
        if (!valid) return valid;
      }
    }
    return {};
  }

 private:
  [[nodiscard]] Expected<void> CheckAscending(const std::vector<int>& variables,
                                              const char* part) const {
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const int v = variables[i];
      if (v >= 0 && v < first_.back() && (i == 0 || variables[i - 1] < v)) {
        continue;
      }
      return InvalidArgument("a pair " + std::string(part) +
                             " names variable " + std::to_string(v) +
                             ": they ascend and end at " +
                             std::to_string(first_.back() - 1));
    }
    return {};
  }
  [[nodiscard]] std::size_t UnitOf(int variable) const {
    return unit_of_[static_cast<std::size_t>(variable)];
  }
  [[nodiscard]] std::string Variable(int variable) const {
    const std::size_t unit = UnitOf(variable);
    return UnitText(problem_, unit) + " option " +
           std::to_string(variable - first_[unit]);
  }
  static tl::unexpected<Error> Violation(int i,
                                         int j,
                                         double value,
                                         const std::string& rule) {
    return InvalidArgument("pair (" + std::to_string(i) + ", " +
                           std::to_string(j) + ") = " + std::to_string(value) +
                           ": " + rule);
  }

  const AllocationProblem& problem_;
  std::vector<int> first_;
  std::vector<std::size_t> unit_of_;
};

Expected<void> ValidatePairs(const AllocationProblem& problem) {
  const PairValidator validator(problem);
  for (const PairTerm& term : problem.pairs.terms()) {
    Expected<void> valid =
        validator.CheckTerm(term.first, term.second, term.value);
    if (!valid) return valid;
  }
  for (const PairBlock& block : problem.pairs.blocks()) {
    Expected<void> valid = validator.CheckBlock(block);
    if (!valid) return valid;
  }
  for (const PairFactor& factor : problem.pairs.factors()) {
    Expected<void> valid = validator.CheckFactor(factor);
    if (!valid) return valid;
  }
  return {};
}

}  // namespace

Expected<void> Validate(const AllocationProblem& problem) {
  if (!std::isfinite(problem.constant)) {
    return InvalidArgument("constant = " + std::to_string(problem.constant) +
                           " is not finite");
  }
  for (const auto& check : {ValidateUnits, ValidateIndices, ValidatePairs}) {
    Expected<void> valid = check(problem);
    if (!valid) return valid;
  }
  const Expected<std::vector<TieClass>> classes = ComputeTieClasses(problem);
  if (!classes) return tl::unexpected(classes.error());
  if (!std::isfinite(ObjectiveScale(problem))) {
    return InvalidArgument("the magnitudes of all costs add up to infinity");
  }
  return {};
}

}  // namespace bitpact
