// SPDX-License-Identifier: Apache-2.0
#include "solvers/dominance_checker.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace bitpact {
namespace {

using Real = long double;
constexpr Real kRounding = 1e-15L;

std::size_t Index(int i) { return static_cast<std::size_t>(i); }

class DominanceCheck {
 public:
  DominanceCheck(const AllocationProblem& problem,
                 const std::vector<std::vector<std::size_t>>& classes,
                 std::vector<std::vector<int>>& options)
      : problem_(problem),
        classes_(classes),
        options_(options),
        first_(problem.FirstVariables()),
        class_of_(problem.units.size()),
        row_(Index(first_.back())) {
    for (std::size_t c = 0; c < classes.size(); ++c) {
      for (const std::size_t u : classes[c]) class_of_[u] = c;
    }
    problem.pairs.ForEachListed([&](int i, int j, double value) {
      row_[Index(i)].emplace_back(Index(j), value);
      row_[Index(j)].emplace_back(Index(i), value);
    });
  }

  // Empty when `to` may stand for `from`, which is then erased.
  std::string Drop(const ReducedProblem::Replacement& replacement) {
    const std::size_t c = class_of_[Index(replacement.units.front())];
    std::vector<int>& left = options_[c];
    const auto from = std::find(left.begin(), left.end(), replacement.from);
    const auto to = std::find(left.begin(), left.end(), replacement.to);
    if (from == left.end()) return {};
    if (to == left.end() || from == to) {
      return "the reduction replaces option " +
             std::to_string(replacement.from) + " of unit " +
             std::to_string(replacement.units.front()) + " by one that is gone";
    }
    if (!IsSmaller(c, replacement) || !IsCheaper(c, replacement)) {
      return "the reduction drops option " + std::to_string(replacement.from) +
             " of unit " + std::to_string(replacement.units.front()) +
             ", which option " + std::to_string(replacement.to) +
             " does not dominate";
    }
    left.erase(from);
    return {};
  }

 private:
  using Replacement = ReducedProblem::Replacement;

  [[nodiscard]] bool IsSmaller(std::size_t c, const Replacement& r) const {
    for (std::size_t k = 0; k < problem_.resources.size(); ++k) {
      if (SizeOf(c, r.to, k) > SizeOf(c, r.from, k) && !IsIdle(k)) return false;
    }
    return true;
  }

  [[nodiscard]] std::int64_t SizeOf(std::size_t c,
                                    int option,
                                    std::size_t k) const {
    std::int64_t size = 0;
    for (const std::size_t u : classes_[c]) {
      size += problem_.units[u].options[Index(option)].sizes[k];
    }
    return size;
  }

  // Whether the options that are left cannot exceed the limit.
  [[nodiscard]] bool IsIdle(std::size_t k) const {
    std::int64_t greatest = 0;
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      std::int64_t largest = std::numeric_limits<std::int64_t>::min();
      for (const int option : options_[c]) {
        largest = std::max(largest, SizeOf(c, option, k));
      }
      if (options_[c].empty()) return true;  // no plan at all
      greatest += largest;
    }
    return greatest <= problem_.resources[k].limit;
  }

  // What the unit's option adds to `change`, the value of each variable of
  // other units; `sign` 1 for the new option, -1 for the old.
  void AddPairs(std::size_t u, int option, Real sign) {
    const std::size_t own = Index(first_[u] + option);
    for (const auto& [other, value] : row_[own]) {
      change_[other] += sign * static_cast<Real>(value);
      magnitude_ += std::abs(static_cast<Real>(value));
    }
    for (const PairFactor& factor : problem_.pairs.factors()) {
      AddFactor(factor, u, own, sign);
    }
  }

  void AddFactor(const PairFactor& factor,
                 std::size_t unit,
                 std::size_t own,
                 Real sign) {
    const auto at = std::find(factor.variables.begin(),
                              factor.variables.end(),
                              static_cast<int>(own));
    if (at == factor.variables.end()) return;
    const auto rank = Index(factor.rank);
    const auto row =
        static_cast<std::size_t>(at - factor.variables.begin()) * rank;
    for (std::size_t i = 0; i < factor.variables.size(); ++i) {
      const int other = factor.variables[i];
      if (other >= first_[unit] && other < first_[unit + 1]) continue;
      Real dot = 0.0L;
      for (std::size_t q = 0; q < rank; ++q) {
        dot += static_cast<Real>(factor.values[row + q]) *
               static_cast<Real>(factor.values[i * rank + q]);
      }
      const Real value = 2.0L * static_cast<Real>(factor.scale) * dot;
      change_[Index(other)] += sign * value;
      magnitude_ += std::abs(value);
    }
  }

  [[nodiscard]] bool IsCheaper(std::size_t c, const Replacement& r) {
    change_.assign(row_.size(), 0.0L);
    magnitude_ = 0.0L;
    Real most = 0.0L;
    // Units of the class move one after the other, so that a pair between two
    // of them counts once for what it was and once for what it becomes.
    std::vector<int> takes(classes_[c].size(), r.from);
    for (std::size_t m = 0; m < classes_[c].size(); ++m) {
      const std::size_t u = classes_[c][m];
      const std::vector<Real> before =
          std::exchange(change_, std::vector<Real>(row_.size(), 0.0L));
      AddPairs(u, r.to, 1.0L);
      AddPairs(u, r.from, -1.0L);
      for (std::size_t other = 0; other < takes.size(); ++other) {
        if (other == m) continue;
        const auto base = Index(first_[classes_[c][other]]);
        most += change_[base + Index(takes[other])];
      }
      takes[m] = r.to;
      for (std::size_t v = 0; v < change_.size(); ++v) change_[v] += before[v];
      const auto& options = problem_.units[u].options;
      most += static_cast<Real>(options[Index(r.to)].cost) -
              static_cast<Real>(options[Index(r.from)].cost);
      magnitude_ += std::abs(static_cast<Real>(options[Index(r.to)].cost)) +
                    std::abs(static_cast<Real>(options[Index(r.from)].cost));
    }
    for (std::size_t other = 0; other < classes_.size(); ++other) {
      if (other != c) most += Dearest(other);
    }
    return most <= kRounding * magnitude_;
  }

  // The greatest change over what the class can still take.
  [[nodiscard]] Real Dearest(std::size_t c) const {
    bool is_first = true;
    Real most = 0.0L;
    for (const int option : options_[c]) {
      Real change = 0.0L;
      for (const std::size_t u : classes_[c]) {
        change += change_[Index(first_[u] + option)];
      }
      most = is_first ? change : std::max(most, change);
      is_first = false;
    }
    return most;
  }

  const AllocationProblem& problem_;
  const std::vector<std::vector<std::size_t>>& classes_;
  std::vector<std::vector<int>>& options_;
  std::vector<int> first_;
  std::vector<std::size_t> class_of_;
  std::vector<std::vector<std::pair<std::size_t, double>>> row_;
  std::vector<Real> change_;
  Real magnitude_ = 0.0L;
};

}  // namespace

std::string DropReplaced(
    const AllocationProblem& problem,
    const std::vector<ReducedProblem::Replacement>& replacements,
    const std::vector<std::vector<std::size_t>>& classes,
    std::vector<std::vector<int>>& options,
    const std::function<void()>& drop_what_cannot_fit) {
  if (replacements.empty()) return {};
  DominanceCheck check(problem, classes, options);
  for (const ReducedProblem::Replacement& replacement : replacements) {
    if (check.Drop(replacement).empty()) continue;
    drop_what_cannot_fit();
    std::string violation = check.Drop(replacement);
    if (!violation.empty()) return violation;
  }
  drop_what_cannot_fit();
  return {};
}

}  // namespace bitpact
