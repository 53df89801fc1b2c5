// SPDX-License-Identifier: Apache-2.0
#include "solvers/glover.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Halvings of the multiplier's interval; any multiplier gives a true bound.
constexpr int kBisections = 40;
// Bounds are widened by this share of the row's magnitude, for rounding.
constexpr double kRounding = 1e-12;

struct Pair {
  int variable = 0;
  double value = 0.0;
};

// The least of sum value_j z_j over the plans with z_i fixed.
class RowMinimum {
 public:
  RowMinimum(const ReducedProblem& problem, int fixed)
      : problem_(problem), fixed_(fixed) {}

  // `pairs` ascend by variable, none of the fixed one's group.
  [[nodiscard]] double operator()(const std::vector<Pair>& pairs,
                                  bool is_one) const {
    double best = Value(pairs, 0, 0.0).least;
    for (std::size_t k = 0; k < problem_.sizes.size(); ++k) {
      best = std::max(best, BestOfResource(pairs, k, is_one));
    }
    return best;
  }

 private:
  struct Minimum {
    double least = 0.0;
    double size = 0.0;  // of the minimiser; of pairs' variables only
  };

  // The minimum of sum (value + price * size) z over at most one a group.
  // Groups whose pairs are all zero take what is smallest, which can free
  // space, so every variable must be seen, not only those with pairs.
  [[nodiscard]] Minimum Value(const std::vector<Pair>& pairs,
                              std::size_t resource,
                              double price) const {
    Minimum total;
    std::size_t next = 0;
    const int own = problem_.group_of[static_cast<std::size_t>(fixed_)];
    for (int g = 0; g < problem_.NumGroups(); ++g) {
      const ReducedGroup& group = problem_.groups[static_cast<std::size_t>(g)];
      const int end = group.first + group.NumChoices() - 1;
      if (g == own) continue;
      double least = 0.0;
      double size = 0.0;
      for (int v = group.first; v < end; ++v) {
        while (next < pairs.size() && pairs[next].variable < v) ++next;
        double cost = next < pairs.size() && pairs[next].variable == v
                          ? pairs[next].value
                          : 0.0;
        const double own_size = Size(resource, v);
        cost += price * own_size;
        if (cost < least) {
          least = cost;
          size = own_size;
        }
      }
      total.least += least;
      total.size += size;
    }
    return total;
  }

  [[nodiscard]] double Size(std::size_t resource, int variable) const {
    if (problem_.sizes.empty()) return 0.0;
    return static_cast<double>(
        problem_.sizes[resource][static_cast<std::size_t>(variable)]);
  }

  // What the other groups may use: the limit less the fixed variable, or, when
  // it is zero, less the smallest of what its group may then take.
  [[nodiscard]] double Room(std::size_t k, bool is_one) const {
    const auto limit = static_cast<double>(problem_.limits[k]);
    if (is_one) return limit - Size(k, fixed_);
    const int own = problem_.group_of[static_cast<std::size_t>(fixed_)];
    const ReducedGroup& group = problem_.groups[static_cast<std::size_t>(own)];
    double smallest = 0.0;
    for (int v = group.first; v < group.first + group.NumChoices() - 1; ++v) {
      if (v != fixed_) smallest = std::min(smallest, Size(k, v));
    }
    return limit - smallest;
  }

  // Maximises Value(price).least - price * room, concave in price: bisection on
  // the slope, size - room.
  [[nodiscard]] double BestOfResource(const std::vector<Pair>& pairs,
                                      std::size_t k,
                                      bool is_one) const {
    const double room = Room(k, is_one);
    const auto value = [&](double price) { return Value(pairs, k, price); };
    Minimum at = value(0.0);
    double best = at.least;
    if (at.size <= room) return best;
    double high = LargestRatio(pairs, k);
    double low = 0.0;
    for (int step = 0; step < kBisections; ++step) {
      const double price = 0.5 * (low + high);
      at = value(price);
      best = std::max(best, at.least - price * room);
      (at.size > room ? low : high) = price;
    }
    return best;
  }

  // Above this price sizes alone decide.
  [[nodiscard]] double LargestRatio(const std::vector<Pair>& pairs,
                                    std::size_t k) const {
    double largest = 0.0;
    for (const Pair& pair : pairs) {
      largest = std::max(largest, std::abs(pair.value));
    }
    double smallest = kInfinity;
    for (int v = 0; v < problem_.NumVariables(); ++v) {
      const double size = std::abs(Size(k, v));
      if (size > 0.0) smallest = std::min(smallest, size);
    }
    return smallest < kInfinity ? 2.0 * largest / smallest : 0.0;
  }

  const ReducedProblem& problem_;
  int fixed_;
};

struct Range {
  double floor = 0.0;    // L
  double ceiling = 0.0;  // U
};

Range ComputeRange(const ReducedProblem& problem,
                   int variable,
                   std::vector<Pair> pairs) {
  const RowMinimum minimum(problem, variable);
  double magnitude = 0.0;
  for (const Pair& pair : pairs) magnitude += std::abs(pair.value);
  // If no plan has z_i = 1 the knapsack may push L above anything h can be.
  Range range{.floor = std::min(minimum(pairs, true), magnitude)};
  for (Pair& pair : pairs) pair.value = -pair.value;
  range.ceiling = -std::min(minimum(pairs, false), magnitude);
  range.floor -= kRounding * magnitude;
  range.ceiling += kRounding * magnitude;
  return range;
}

}  // namespace

std::size_t CountGloverColumns(const ReducedProblem& problem) {
  std::size_t count = 0;
  for (int i = 0; i < problem.NumVariables(); ++i) {
    bool has_pair = false;
    problem.pairs.ForEachInRow(
        i, [&](int j, double) { has_pair = has_pair || j > i; });
    count += has_pair;
  }
  return count;
}

LinearModel LinearizeGlover(const ReducedProblem& problem) {
  LinearModel model{.milp = LinearPart(problem)};
  for (int i = 0; i < problem.NumVariables(); ++i) {
    std::vector<Pair> pairs;
    problem.pairs.ForEachInRow(i, [&](int j, double value) {
      if (j > i) pairs.push_back({j, value});
    });
    if (pairs.empty()) continue;
    const Range range = ComputeRange(problem, i, pairs);
    double unit = 0.0;
    for (const Pair& pair : pairs) {
      unit = std::max(unit, std::abs(pair.value));
    }
    const int s = static_cast<int>(model.milp.columns.size());
    model.milp.columns.push_back({.cost = unit, .upper = kInfinity});
    model.milp.columns[static_cast<std::size_t>(i)].cost += range.floor;
    model.floors.push_back({i, range.floor, unit});
    std::vector<RowTerm> terms = {{i, (range.ceiling - range.floor) / unit},
                                  {s, -1.0}};
    for (const Pair& pair : pairs) {
      terms.push_back({pair.variable, pair.value / unit});
    }
    model.milp.rows.push_back(
        MakeRow(-kInfinity, range.ceiling / unit, std::move(terms)));
  }
  ScaleCosts(model.milp);
  return model;
}

}  // namespace bitpact
