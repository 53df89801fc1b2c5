// SPDX-License-Identifier: Apache-2.0
#include "solvers/factored_relaxation.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRounding = 1e-12;
// Sweeps over the active groups for each sweep over all.
constexpr int kActiveSweeps = 12;
constexpr int kPriceSteps = 100;
constexpr double kNoWeight = 1e-12;

}  // namespace

FactoredRelaxation::FactoredRelaxation(const ReducedProblem& problem)
    : problem_(problem),
      n_(problem.linear.size()),
      cover_(n_, 0.0),
      diagonal_(n_, 0.0),
      point_(n_, 0.0),
      reference_(problem.groups.size(), 1.0),
      lambda_(problem.limits.size(), 0.0),
      is_active_(problem.groups.size(), 1),
      bound_(-kInfinity),
      reduced_costs_(n_, 0.0) {
  Cover();
  double curvature = 0.0;
  for (const double d : diagonal_) curvature += std::abs(d);
  for (std::size_t k = 0; k < lambda_.size(); ++k) {
    double squares = 0.0;
    for (const std::int64_t size : problem.sizes[k]) {
      squares += static_cast<double>(size) * static_cast<double>(size);
    }
    // One size step against the limit weighs as much as the mean curvature,
    // but in all no more than a few units at once.
    penalty_.push_back(squares > 0.0 ? curvature / squares : 0.0);
  }
  // The start: half of the weight everywhere, spread over the group.
  for (const ReducedGroup& group : problem.groups) {
    const double share = 1.0 / group.NumChoices();
    reference_[static_cast<std::size_t>(&group - problem.groups.data())] =
        share;
    for (int c = 1; c < group.NumChoices(); ++c) {
      point_[static_cast<std::size_t>(group.first + c - 1)] = share;
    }
  }
  Recompute();
}

// e and d. Row i of |N||N|' sums to sum_r |N_ir| * (sum_j |N_jr|).
void FactoredRelaxation::Cover() {
  const PairFactorRows& rows = problem_.pairs.factors();
  const auto rank = static_cast<std::size_t>(rows.rank);
  const auto positive = static_cast<std::size_t>(rows.positive);
  std::vector<double> column(rank, 0.0);
  for (std::size_t i = 0; i < n_ && positive < rank; ++i) {
    const std::span<const double> row = rows.Row(static_cast<int>(i));
    for (std::size_t r = positive; r < rank; ++r) column[r] += std::abs(row[r]);
  }
  for (std::size_t i = 0; i < n_; ++i) {
    const int v = static_cast<int>(i);
    problem_.pairs.ForEachListedInRow(
        v, [&](int, double value) { cover_[i] += std::abs(value); });
    if (rank > 0) {
      const std::span<const double> row = rows.Row(v);
      for (std::size_t r = positive; r < rank; ++r) {
        cover_[i] += std::abs(row[r]) * column[r];
      }
      diagonal_[i] = rows.Dot(v, row);
    }
    // Sums of this many terms are rounded up, not to the nearest.
    cover_[i] *= 1.0 + 1e-13 * static_cast<double>(n_);
    diagonal_[i] += cover_[i];
  }
}

double FactoredRelaxation::Gradient(int v) const {
  const auto i = static_cast<std::size_t>(v);
  double g = problem_.linear[i] - diagonal_[i] / 2.0 + listed_[i] +
             cover_[i] * point_[i];
  if (!row_sum_.empty()) g += problem_.pairs.factors().Dot(v, row_sum_);
  return g;
}

// Gradient of the augmented Lagrangian.
double FactoredRelaxation::Priced(int v) const {
  double g = Gradient(v);
  for (std::size_t k = 0; k < lambda_.size(); ++k) {
    const double price = std::max(0.0, lambda_[k] + penalty_[k] * excess_[k]);
    g += price *
         static_cast<double>(problem_.sizes[k][static_cast<std::size_t>(v)]);
  }
  return g;
}

// Second derivative along e_to - e_from; -1 is the reference.
double FactoredRelaxation::Curvature(int from, int to) const {
  double c = 0.0;
  for (const int v : {from, to}) {
    if (v >= 0) c += diagonal_[static_cast<std::size_t>(v)];
  }
  if (from >= 0 && to >= 0 && problem_.pairs.has_factors()) {
    const PairFactorRows& rows = problem_.pairs.factors();
    c -= 2.0 * rows.Dot(from, rows.Row(to));
  }
  for (std::size_t k = 0; k < lambda_.size(); ++k) {
    double step = 0.0;
    const std::vector<std::int64_t>& sizes = problem_.sizes[k];
    if (to >= 0)
      step += static_cast<double>(sizes[static_cast<std::size_t>(to)]);
    if (from >= 0) {
      step -= static_cast<double>(sizes[static_cast<std::size_t>(from)]);
    }
    c += penalty_[k] * step * step;
  }
  return c;
}

void FactoredRelaxation::Shift(int variable, double step) {
  if (variable < 0) return;
  const auto i = static_cast<std::size_t>(variable);
  point_[i] += step;
  problem_.pairs.AddListedRow(variable, step, listed_);
  if (!row_sum_.empty()) {
    const std::span<const double> row = problem_.pairs.factors().Row(variable);
    for (std::size_t r = 0; r < row.size(); ++r) row_sum_[r] += step * row[r];
  }
  for (std::size_t k = 0; k < excess_.size(); ++k) {
    excess_[k] += step * static_cast<double>(problem_.sizes[k][i]);
  }
}

// Returns whether the group is inside its simplex or moved.
bool FactoredRelaxation::StepGroup(int g) {
  const ReducedGroup& group = Group(g);
  const auto at = static_cast<std::size_t>(g);
  int cheapest = -1;
  int dearest = reference_[at] > kNoWeight ? -1 : -2;
  double least = 0.0;
  double most = dearest == -1 ? 0.0 : -kInfinity;
  for (int v = group.first; v < group.first + group.NumChoices() - 1; ++v) {
    const double cost = Priced(v);
    if (cost < least) {
      least = cost;
      cheapest = v;
    }
    if (cost > most && point_[static_cast<std::size_t>(v)] > kNoWeight) {
      most = cost;
      dearest = v;
    }
  }
  if (dearest == cheapest || dearest == -2 || most <= least) {
    return dearest >= 0 && reference_[at] > kNoWeight;
  }
  const double weight =
      dearest < 0 ? reference_[at] : point_[static_cast<std::size_t>(dearest)];
  const double curvature = Curvature(dearest, cheapest);
  const double gap = most - least;
  const double step = curvature * weight > gap ? gap / curvature : weight;
  Shift(dearest, -step);
  Shift(cheapest, step);
  if (dearest < 0) reference_[at] -= step;
  if (cheapest < 0) reference_[at] += step;
  ++steps_;
  return true;
}

// All sums afresh from the point, clamped into the simplices.
void FactoredRelaxation::Recompute() {
  row_sum_.assign(static_cast<std::size_t>(problem_.pairs.factors().rank), 0.0);
  listed_.assign(n_, 0.0);
  excess_.assign(problem_.limits.begin(), problem_.limits.end());
  for (double& e : excess_) e = -e;
  for (std::size_t i = 0; i < n_; ++i) {
    const double y = std::clamp(point_[i], 0.0, 1.0);
    point_[i] = 0.0;
    if (y != 0.0) Shift(static_cast<int>(i), y);
  }
}

// sum over groups of the least reduced cost - lambda'limits, with its slope.
double FactoredRelaxation::LinearMinimum(std::span<const double> lambda,
                                         std::span<const double> gradient,
                                         std::vector<double>& slope) const {
  double sum = 0.0;
  for (std::size_t k = 0; k < lambda.size(); ++k) {
    const auto limit = static_cast<double>(problem_.limits[k]);
    slope[k] = -limit;
    sum -= lambda[k] * limit;
  }
  for (const ReducedGroup& group : problem_.groups) {
    double least = 0.0;
    int best = -1;
    for (int v = group.first; v < group.first + group.NumChoices() - 1; ++v) {
      const auto i = static_cast<std::size_t>(v);
      double cost = gradient[i];
      for (std::size_t k = 0; k < lambda.size(); ++k) {
        cost += lambda[k] * static_cast<double>(problem_.sizes[k][i]);
      }
      if (cost < least) {
        least = cost;
        best = v;
      }
    }
    sum += least;
    if (best < 0) continue;
    for (std::size_t k = 0; k < lambda.size(); ++k) {
      slope[k] += static_cast<double>(
          problem_.sizes[k][static_cast<std::size_t>(best)]);
    }
  }
  return sum;
}

// Concave in one multiplier: doubling to a falling slope, then bisection.
double FactoredRelaxation::MaximizePrice(std::size_t k,
                                         std::span<const double> gradient,
                                         std::vector<double>& lambda) const {
  std::vector<double> slope(lambda.size());
  double best = -kInfinity;
  double best_price = lambda[k];
  const auto evaluate = [&](double price) {
    lambda[k] = price;
    const double value = LinearMinimum(lambda, gradient, slope);
    if (value > best) {
      best = value;
      best_price = price;
    }
    return slope[k];
  };
  double low = 0.0;
  double high = std::max(2.0 * lambda[k], 1e-12);
  evaluate(lambda[k]);
  if (evaluate(0.0) > 0.0) {
    int doublings = 0;
    while (evaluate(high) > 0.0 && ++doublings < kPriceSteps) {
      low = high;
      high *= 4.0;
    }
    for (int step = 0; step < kPriceSteps && high - low > 1e-14 * high;
         ++step) {
      const double middle = 0.5 * (low + high);
      (evaluate(middle) > 0.0 ? low : high) = middle;
    }
  }
  lambda[k] = best_price;
  return best;
}

void FactoredRelaxation::RaiseBound() {
  Recompute();
  std::vector<double> gradient(n_);
  double value = problem_.constant;
  double magnitude = problem_.scale;
  // f(y) - g'y = constant - y'Sy / 2; S y = g - linear + d / 2.
  for (std::size_t i = 0; i < n_; ++i) {
    gradient[i] = Gradient(static_cast<int>(i));
    const double sy = gradient[i] - problem_.linear[i] + diagonal_[i] / 2.0;
    value -= point_[i] * sy / 2.0;
    magnitude += std::abs(gradient[i]) + std::abs(diagonal_[i]);
  }
  std::vector<double> lambda = lambda_;
  std::vector<double> slope(lambda.size());
  double linear = LinearMinimum(lambda, gradient, slope);
  for (int pass = 0; pass < (lambda.size() > 1 ? 3 : 1); ++pass) {
    for (std::size_t k = 0; k < lambda.size(); ++k) {
      linear = std::max(linear, MaximizePrice(k, gradient, lambda));
    }
  }
  for (std::size_t k = 0; k < lambda.size(); ++k) {
    magnitude += lambda[k] * std::abs(static_cast<double>(problem_.limits[k]));
  }
  linear = LinearMinimum(lambda, gradient, slope);
  rounding_ = kRounding * magnitude;
  const double bound = value + linear - rounding_;
  if (!(bound > bound_)) return;
  bound_ = bound;
  for (std::size_t i = 0; i < n_; ++i) {
    reduced_costs_[i] = gradient[i];
    for (std::size_t k = 0; k < lambda.size(); ++k) {
      reduced_costs_[i] +=
          lambda[k] * static_cast<double>(problem_.sizes[k][i]);
    }
  }
}

void FactoredRelaxation::Improve(int rounds,
                                 double tolerance,
                                 const SolveClock& clock) {
  int stalls = 0;
  for (int round = 0; round < rounds && stalls < 3; ++round) {
    for (int sweep = 0; sweep <= kActiveSweeps; ++sweep) {
      if (clock.Reached(-1) != Limit::kNone) break;
      for (int g = 0; g < problem_.NumGroups(); ++g) {
        char& active = is_active_[static_cast<std::size_t>(g)];
        if (sweep == 0 || active != 0) active = StepGroup(g) ? 1 : 0;
      }
    }
    for (std::size_t k = 0; k < lambda_.size(); ++k) {
      lambda_[k] = std::max(0.0, lambda_[k] + penalty_[k] * excess_[k]);
    }
    const double before = bound_;
    RaiseBound();
    stalls = bound_ - before < tolerance ? stalls + 1 : 0;
    if (clock.Reached(-1) != Limit::kNone) return;
  }
}

std::vector<std::vector<char>> FactoredRelaxation::OpenChoices(
    double cutoff) const {
  std::vector<std::vector<char>> open;
  for (const ReducedGroup& group : problem_.groups) {
    double least = 0.0;
    for (int v = group.first; v < group.first + group.NumChoices() - 1; ++v) {
      least = std::min(least, reduced_costs_[static_cast<std::size_t>(v)]);
    }
    std::vector<char> choices = {bound_ - least < cutoff ? '\1' : '\0'};
    for (int v = group.first; v < group.first + group.NumChoices() - 1; ++v) {
      const double cost = reduced_costs_[static_cast<std::size_t>(v)] - least;
      choices.push_back(bound_ + cost < cutoff ? '\1' : '\0');
    }
    open.push_back(std::move(choices));
  }
  return open;
}

Choices FactoredRelaxation::Rounded() const {
  Choices choices;
  for (int g = 0; g < problem_.NumGroups(); ++g) {
    double most = reference_[static_cast<std::size_t>(g)];
    int best = 0;
    for (int c = 1; c < Group(g).NumChoices(); ++c) {
      const double y = point_[static_cast<std::size_t>(Group(g).first + c - 1)];
      if (y <= most) continue;
      most = y;
      best = c;
    }
    choices.push_back(best);
  }
  return choices;
}

}  // namespace bitpact
