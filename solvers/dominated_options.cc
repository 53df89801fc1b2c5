// SPDX-License-Identifier: Apache-2.0
#include "solvers/dominated_options.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bitpact {
namespace {

double Norm(std::span<const double> a, std::span<const double> b) {
  double sum = 0.0;
  for (std::size_t r = 0; r < a.size(); ++r) {
    const double d = a[r] - (b.empty() ? 0.0 : b[r]);
    sum += d * d;
  }
  return std::sqrt(sum);
}

class DominanceSearch {
 public:
  explicit DominanceSearch(const ReducedProblem& problem)
      : problem_(problem),
        difference_(static_cast<std::size_t>(problem.NumVariables()), 0.0) {
    if (!problem.pairs.has_factors()) return;
    for (int g = 0; g < problem.NumGroups(); ++g) {
      double longest = 0.0;
      for (int c = 1; c < Choices(g); ++c) {
        longest = std::max(longest, Norm(Row(g, c), {}));
      }
      longest_.push_back(longest);
      longest_sum_ += longest;
    }
  }

  std::vector<DominatedChoice> Run() {
    std::vector<DominatedChoice> found;
    for (int g = 0; g < problem_.NumGroups(); ++g) {
      std::vector<char> is_kept(static_cast<std::size_t>(Choices(g)), 1);
      for (int d = Choices(g); d-- > 0;) {
        for (int e = 0; e < Choices(g); ++e) {
          if (e == d || is_kept[static_cast<std::size_t>(e)] == 0) continue;
          if (!IsDominated(g, d, e)) continue;
          is_kept[static_cast<std::size_t>(d)] = 0;
          found.push_back({g, d, e});
          break;
        }
      }
    }
    return found;
  }

 private:
  [[nodiscard]] int Choices(int g) const {
    return problem_.groups[static_cast<std::size_t>(g)].NumChoices();
  }
  // The row of the factors; empty for the reference, whose entries are 0.
  [[nodiscard]] std::span<const double> Row(int g, int c) const {
    const int v = problem_.VariableOf(g, c);
    if (v < 0) return {};
    return problem_.pairs.factors().Row(v);
  }
  [[nodiscard]] std::int64_t Size(std::size_t k, int variable) const {
    return variable < 0 ? 0
                        : problem_.sizes[k][static_cast<std::size_t>(variable)];
  }

  [[nodiscard]] bool IsDominated(int g, int d, int e) {
    const int at_d = problem_.VariableOf(g, d);
    const int at_e = problem_.VariableOf(g, e);
    for (std::size_t k = 0; k < problem_.sizes.size(); ++k) {
      if (Size(k, at_e) > Size(k, at_d)) return false;
    }
    const auto linear = [&](int v) {
      return v < 0 ? 0.0 : problem_.linear[static_cast<std::size_t>(v)];
    };
    double most = linear(at_e) - linear(at_d);
    // References have no pairs, so each group adds no less than 0.
    if (most > 0.0) return false;
    most += MostOfFactors(g, d, e);
    return most <= 0.0 && most + MostOfListed(at_d, at_e) <= 0.0;
  }

  [[nodiscard]] double MostOfFactors(int g, int d, int e) const {
    if (longest_.empty()) return 0.0;
    const std::span<const double> of_e = Row(g, e);
    const std::span<const double> of_d = Row(g, d);
    const double apart = of_e.empty() ? Norm(of_d, of_e) : Norm(of_e, of_d);
    // Rounding of a sum of products is far below a millionth.
    return 1.000001 * apart *
           (longest_sum_ - longest_[static_cast<std::size_t>(g)]);
  }

  // Rows ascend, and the variables of a group are neighbours.
  [[nodiscard]] double MostOfListed(int at_d, int at_e) {
    touched_.clear();
    const auto add = [&](int v, double sign) {
      if (v < 0) return;
      problem_.pairs.ForEachListedInRow(v, [&](int w, double value) {
        difference_[static_cast<std::size_t>(w)] += sign * value;
        touched_.push_back(w);
      });
    };
    add(at_e, 1.0);
    const auto middle = static_cast<std::ptrdiff_t>(touched_.size());
    add(at_d, -1.0);
    std::inplace_merge(
        touched_.begin(), touched_.begin() + middle, touched_.end());
    double most = 0.0;
    double largest = 0.0;
    int group = -1;
    for (const int w : touched_) {
      const int of_w = problem_.group_of[static_cast<std::size_t>(w)];
      if (of_w != group) {
        most += largest;
        largest = 0.0;
        group = of_w;
      }
      largest = std::max(largest, difference_[static_cast<std::size_t>(w)]);
    }
    for (const int w : touched_) difference_[static_cast<std::size_t>(w)] = 0.0;
    return most + largest;
  }

  const ReducedProblem& problem_;
  std::vector<double> difference_;  // one a variable, 0 between calls
  std::vector<int> touched_;
  std::vector<double> longest_;  // row of the factors, one a group
  double longest_sum_ = 0.0;
};

}  // namespace

std::vector<DominatedChoice> FindDominated(const ReducedProblem& problem) {
  return DominanceSearch(problem).Run();
}

}  // namespace bitpact
