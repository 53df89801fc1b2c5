// SPDX-License-Identifier: Apache-2.0
#include "solvers/qkp_bound.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kFirstPace = 1.0;
constexpr double kSlower = 0.7;
constexpr int kStepsBeforeSlower = 6;
// The bracket around a row's last critical ratio, squared when it misses.
constexpr double kBracket = 1.02;
constexpr double kWidest = 1e3;
// Ratios closer than this (relative) count as equal.
constexpr double kTie = 1e-12;

std::size_t At(int index) { return static_cast<std::size_t>(index); }

}  // namespace

// The ratio at which the first `count` candidates, taken from the largest ratio
// down, exceed the room; 0 when all fit. A quickselect by weight.
double QkpBound::FindCritical(std::size_t count, double room) {
  auto begin = candidates_.begin();
  auto end = begin + static_cast<std::ptrdiff_t>(count);
  while (end - begin > 1) {
    const double a = begin->ratio;
    const double b = (begin + (end - begin) / 2)->ratio;
    const double c = (end - 1)->ratio;
    const double pivot = std::max(std::min(a, b), std::min(std::max(a, b), c));
    double weight_above = 0.0;
    double weight_equal = 0.0;
    auto above = begin;
    for (auto at = begin; at != end; ++at) {
      if (at->ratio <= pivot) continue;
      weight_above += at->weight;
      std::swap(*at, *above++);
    }
    if (weight_above > room) {
      end = above;
      continue;
    }
    auto equal = above;
    for (auto at = above; at != end; ++at) {
      if (at->ratio != pivot) continue;
      weight_equal += at->weight;
      std::swap(*at, *equal++);
    }
    if (weight_above + weight_equal > room) return pivot;
    room -= weight_above + weight_equal;
    begin = equal;
  }
  return begin != end && begin->weight > room ? begin->ratio : 0.0;
}

// The weight of the row's entries whose ratio is above lambda.
double QkpBound::WeightAbove(const Row& row, double lambda) {
  constexpr std::size_t kLanes = 4;
  double sums[kLanes] = {0.0, 0.0, 0.0, 0.0};
  std::size_t e = 0;
  for (; e + kLanes <= row.size; e += kLanes) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      const double weight = row.weight[e + k];
      sums[k] += row.share[e + k] > lambda * weight ? weight : 0.0;
    }
  }
  for (; e < row.size; ++e) {
    const double weight = row.weight[e];
    sums[0] += row.share[e] > lambda * weight ? weight : 0.0;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// Around the last ratio, which is rarely far off: first a bracket, then the
// entries between its ends.
double QkpBound::CriticalRatio(const Row& row, double room, double last) {
  double high = std::max(last, 0.0);
  double above_high = WeightAbove(row, high);
  double low = 0.0;
  if (above_high > room) {
    double factor = kBracket;
    do {
      low = high;
      high = low > 0.0 ? low * factor : kInfinity;
      factor *= factor;
      above_high = WeightAbove(row, high);
    } while (above_high > room);
  } else if (high > 0.0) {
    double factor = kBracket;
    for (low = high / factor; factor < kWidest; low = high / factor) {
      const double above_low = WeightAbove(row, low);
      if (above_low > room) break;
      high = low;
      above_high = above_low;
      factor *= factor;
    }
    if (factor >= kWidest) low = 0.0;
  } else {
    return 0.0;
  }
  std::size_t count = 0;
  for (std::size_t e = 0; e < row.size; ++e) {
    const double weight = row.weight[e];
    const double share = row.share[e];
    const bool is_between = (share > low * weight) & !(share > high * weight);
    candidates_[count] = {share / weight, weight};
    count += is_between ? 1U : 0U;
  }
  return FindCritical(count, room - above_high);
}

double QkpBound::SolveRow(QkpModel& model, int item) {
  const auto first = At(model.start[At(item)]);
  const Row row{model.share.data() + first,
                entry_weight_.data() + first,
                At(model.start[At(item) + 1]) - first};
  const double room = room_ - weight_[At(item)];
  const double lambda = CriticalRatio(row, room, model.ratio[At(item)]);
  model.ratio[At(item)] = lambda;
  double* y = y_.data() + first;
  double above = 0.0;
  double sum = 0.0;
  std::size_t ties = 0;
  const double tie = kTie * lambda;
  for (std::size_t e = 0; e < row.size; ++e) {
    const double weight = row.weight[e];
    const double gain = row.share[e] - lambda * weight;
    const bool is_above = gain > tie * weight;
    sum += gain > 0.0 ? gain : 0.0;
    above += is_above ? weight : 0.0;
    y[e] = is_above ? 1.0 : 0.0;
    ties_[ties] = e;
    ties += !is_above & (gain >= -tie * weight) ? 1U : 0U;
  }
  // Entries at the critical ratio share what room is left.
  if (lambda > 0.0 && ties > 0) {
    double equal = 0.0;
    for (std::size_t k = 0; k < ties; ++k) equal += row.weight[ties_[k]];
    const double part = std::clamp((room - above) / equal, 0.0, 1.0);
    for (std::size_t k = 0; k < ties; ++k) y[ties_[k]] = part;
  }
  return model.profit[At(item)] + lambda * room + sum;
}

// From lambda = infinity, where what gives room is in and what takes it is out,
// down: the items change in the order of their ratios until the room is used.
double QkpBound::SolveOuter(const QkpModel& model) {
  const int n = model.NumItems();
  std::int64_t room = model.capacity;
  double sum = 0.0;
  order_.clear();
  for (int j = 0; j < n; ++j) {
    const std::int64_t weight = model.weight[At(j)];
    const double value = value_[At(j)];
    const bool is_in = weight < 0 || (weight == 0 && value >= 0.0);
    x_[At(j)] = is_in ? 1.0 : 0.0;
    if (is_in) {
      room -= weight;
      sum += value;
    }
    if (weight != 0 && (value > 0.0) == (weight > 0)) order_.push_back(j);
  }
  const auto ratio = [&](int j) {
    return value_[At(j)] / static_cast<double>(model.weight[At(j)]);
  };
  std::sort(order_.begin(), order_.end(), [&](int a, int b) {
    const double of_a = ratio(a);
    const double of_b = ratio(b);
    return of_a != of_b ? of_a > of_b : a < b;
  });
  outer_lambda_ = 0.0;
  std::int64_t left = room;
  for (const int j : order_) {
    const std::int64_t size = std::abs(model.weight[At(j)]);
    if (size <= left) {
      x_[At(j)] = 1.0 - x_[At(j)];
      left -= size;
      continue;
    }
    const double part = static_cast<double>(left) / static_cast<double>(size);
    x_[At(j)] = x_[At(j)] > 0.5 ? 1.0 - part : part;
    outer_lambda_ = ratio(j);
    break;
  }
  sum += outer_lambda_ * static_cast<double>(room);
  for (const int j : order_) {
    const double reduced =
        value_[At(j)] -
        outer_lambda_ * static_cast<double>(model.weight[At(j)]);
    sum += std::max(0.0, model.weight[At(j)] > 0 ? reduced : -reduced);
  }
  return model.base + sum;
}

double QkpBound::Evaluate(QkpModel& model) {
  for (int j = 0; j < model.NumItems(); ++j) {
    value_[At(j)] = SolveRow(model, j);
  }
  ++steps_;
  return SolveOuter(model);
}

void QkpBound::Mark(const QkpModel& model,
                    double bound,
                    double threshold,
                    std::vector<ItemState>& states) const {
  for (int j = 0; j < model.NumItems(); ++j) {
    const double reduced =
        value_[At(j)] -
        outer_lambda_ * static_cast<double>(model.weight[At(j)]);
    if (states[At(j)] == ItemState::kFree &&
        bound - std::abs(reduced) <= threshold) {
      states[At(j)] = reduced > 0.0 ? ItemState::kIn : ItemState::kOut;
    }
  }
}

// Also fills gradient_: what row j's flag of a pair says against its mirror's.
double QkpBound::SquaredNorm(const QkpModel& model) {
  double sum = 0.0;
  for (int j = 0; j < model.NumItems(); ++j) {
    for (int e = model.start[At(j)]; e < model.start[At(j) + 1]; ++e) {
      const int i = model.column[At(e)];
      if (i < j) continue;
      double gradient =
          y_[At(e)] * x_[At(j)] - y_[At(model.mirror[At(e)])] * x_[At(i)];
      const double share = model.share[At(e)];
      const bool is_at_border =
          gradient > 0.0 ? share <= 0.0 : share >= model.pair[At(e)];
      if (is_at_border) gradient = 0.0;
      gradient_[At(e)] = gradient;
      sum += gradient * gradient;
    }
  }
  return sum;
}

void QkpBound::Move(QkpModel& model, double step) const {
  for (int j = 0; j < model.NumItems(); ++j) {
    for (int e = model.start[At(j)]; e < model.start[At(j) + 1]; ++e) {
      if (model.column[At(e)] < j || gradient_[At(e)] == 0.0) continue;
      const double pair = model.pair[At(e)];
      const double share =
          std::clamp(model.share[At(e)] - step * gradient_[At(e)], 0.0, pair);
      model.share[At(e)] = share;
      model.share[At(model.mirror[At(e)])] = pair - share;
    }
  }
}

void QkpBound::Start(const QkpModel& model) {
  const auto n = At(model.NumItems());
  const auto entries = model.pair.size();
  value_.assign(n, 0.0);
  x_.assign(n, 0.0);
  mean_.assign(n, 0.0);
  y_.assign(entries, 0.0);
  gradient_.assign(entries, 0.0);
  weight_.assign(n, 0.0);
  std::int64_t room = model.capacity;
  for (std::size_t j = 0; j < n; ++j) {
    weight_[j] =
        static_cast<double>(std::max<std::int64_t>(model.weight[j], 0));
    room -= std::min<std::int64_t>(model.weight[j], 0);
  }
  room_ = static_cast<double>(room);
  entry_weight_.resize(entries);
  for (std::size_t e = 0; e < entries; ++e) {
    entry_weight_[e] = weight_[At(model.column[e])];
  }
  candidates_.resize(n + 1);
  ties_.resize(n + 1);
}

double QkpBound::Tighten(QkpModel& model,
                         std::vector<ItemState>& states,
                         double threshold,
                         double margin,
                         const Effort& effort) {
  Start(model);
  double best = kInfinity;
  double best_before = kInfinity;
  double pace = kFirstPace;
  int since_best = 0;
  int means = 0;
  for (int step = 0; step < effort.steps; ++step) {
    const double bound = Evaluate(model) + margin;
    if (bound <= threshold) return bound;
    if (threshold > -kInfinity) Mark(model, bound, threshold, states);
    if (2 * step >= effort.steps || step + 1 >= effort.patience) {
      for (std::size_t j = 0; j < x_.size(); ++j) mean_[j] += x_[j];
      ++means;
    }
    if (bound < best) {
      best = bound;
      best_share_ = model.share;
      since_best = 0;
    } else if (++since_best >= kStepsBeforeSlower) {
      pace *= kSlower;
      since_best = 0;
    }
    if ((step + 1) % effort.patience == 0) {
      const double gap = best - threshold;
      if (best_before - best < effort.least_gain * gap) break;
      best_before = best;
    }
    const double norm = SquaredNorm(model);
    if (norm <= 0.0) break;
    const double target =
        threshold > -kInfinity ? threshold : bound - 0.02 * std::abs(bound);
    Move(model, pace * (bound - target) / norm);
  }
  model.share = best_share_;
  for (double& mean : mean_) mean /= std::max(means, 1);
  return best;
}

}  // namespace bitpact
