// SPDX-License-Identifier: Apache-2.0
#include "solvers/convex_relaxation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// The least size of a group that has nothing open.
constexpr std::int64_t kNoChoice = std::numeric_limits<std::int64_t>::max();
// Sweeps of coordinate descent between two bounds.
constexpr int kSweepsPerRound = 3;
// A round that gains less than this share of what is missing ends the node.
constexpr double kWorthwhile = 0.05;
// Stiffness of the penalty on squared excess, relative to the curvature.
constexpr double kPenalty = 0.1;

}  // namespace

ConvexRelaxation::ConvexRelaxation(const ConvexModel& model)
    : model_(model),
      point_(model.linear.size(), 0.0),
      reference_(model.groups.size(), 0.0),
      pull_(static_cast<std::size_t>(model.num_coordinates), 0.0),
      excess_(model.limits.size(), 0.0) {
  for (std::size_t k = 0; k < model.sizes.size(); ++k) {
    std::vector<double> row;
    double sum = std::abs(static_cast<double>(model.limits[k]));
    for (const std::int64_t size : model.sizes[k]) {
      row.push_back(static_cast<double>(size));
      sum += std::abs(row.back());
    }
    sizes_.push_back(std::move(row));
    // Sizes beyond 2^53 are not exact as doubles; a limit that is a little too
    // generous keeps the bound true.
    limits_.push_back(static_cast<double>(model.limits[k]) + 1e-13 * sum);
    double bend = 0.0;
    double square = 0.0;
    for (int v = 0; v < model.NumVariables(); ++v) {
      const double size = sizes_[k][static_cast<std::size_t>(v)];
      bend += model.Bend(v, v);
      square += size * size;
    }
    penalty_.push_back(square > 0.0 ? kPenalty * bend / square : 0.0);
  }
}

RelaxationNode ConvexRelaxation::Root() const {
  RelaxationNode node;
  node.open.assign(model_.linear.size() + model_.groups.size(), 1);
  node.point.assign(model_.linear.size(), 0.0F);
  node.multipliers.assign(limits_.size(), 0.0);
  node.bound = -kInfinity;
  for (std::size_t g = 0; g < model_.groups.size(); ++g) {
    const ConvexModel::Group& group = model_.groups[g];
    const int open = group.NumChoices() - (group.has_reference ? 0 : 1);
    if (!group.has_reference) {
      node.open[Slot(static_cast<int>(g), 0)] = 0;
    }
    for (int c = 1; c < group.NumChoices(); ++c) {
      node.point[static_cast<std::size_t>(group.first + c - 1)] =
          1.0F / static_cast<float>(open);
    }
  }
  return node;
}

int ConvexRelaxation::NumOpen(const RelaxationNode& node, int group) const {
  const auto begin =
      node.open.begin() + static_cast<std::ptrdiff_t>(Slot(group, 0));
  return static_cast<int>(std::count(begin, begin + NumChoices(group), 1));
}

double ConvexRelaxation::Weight(const RelaxationNode& node,
                                int group,
                                int choice) const {
  if (choice != 0) {
    return static_cast<double>(
        node.point[static_cast<std::size_t>(Variable(group, choice))]);
  }
  double left = 1.0;
  for (int c = 1; c < NumChoices(group); ++c) {
    left -= Weight(node, group, c);
  }
  return left;
}

void ConvexRelaxation::Fix(RelaxationNode& node, int group, int choice) const {
  const int choices = NumChoices(group);
  for (int c = 0; c < choices; ++c) {
    if (c != choice) Close(node, group, c);
  }
}

void ConvexRelaxation::Close(RelaxationNode& node,
                             int group,
                             int choice) const {
  node.open[Slot(group, choice)] = 0;
}

double ConvexRelaxation::ReducedCost(int group,
                                     int choice,
                                     std::span<const double> lambda) const {
  if (choice == 0) return 0.0;
  const auto v = static_cast<std::size_t>(Variable(group, choice));
  double cost = Gradient(v);
  for (std::size_t k = 0; k < lambda.size(); ++k) {
    cost += lambda[k] * sizes_[k][v];
  }
  return cost;
}

// With whole numbers, on what is open: false when no plan fits.
bool ConvexRelaxation::CloseOversizedOf(std::size_t resource,
                                        RelaxationNode& node) const {
  const int groups = static_cast<int>(model_.groups.size());
  const auto size = [&](int g, int c) {
    const int v = Variable(g, c);
    return v < 0 ? std::int64_t{0}
                 : model_.sizes[resource][static_cast<std::size_t>(v)];
  };
  std::int64_t slack = model_.limits[resource];
  std::vector<std::int64_t> least(model_.groups.size(), kNoChoice);
  for (int g = 0; g < groups; ++g) {
    std::int64_t& smallest = least[static_cast<std::size_t>(g)];
    for (int c = 0; c < NumChoices(g); ++c) {
      if (IsOpen(node, g, c)) smallest = std::min(smallest, size(g, c));
    }
    if (smallest == kNoChoice) return false;
    slack -= smallest;
  }
  if (slack < 0) return false;
  for (int g = 0; g < groups; ++g) {
    for (int c = 0; c < NumChoices(g); ++c) {
      const std::int64_t above =
          size(g, c) - least[static_cast<std::size_t>(g)];
      if (IsOpen(node, g, c) && above > slack) Close(node, g, c);
    }
  }
  return true;
}

bool ConvexRelaxation::CloseOversized(RelaxationNode& node) const {
  for (std::size_t k = 0; k < model_.limits.size(); ++k) {
    if (!CloseOversizedOf(k, node)) return false;
  }
  for (int g = 0; g < static_cast<int>(model_.groups.size()); ++g) {
    if (NumOpen(node, g) == 0) return false;
  }
  return true;
}

// Weight of closed choices goes to the open ones in proportion, or evenly.
void ConvexRelaxation::LoadPoint(const RelaxationNode& node) {
  std::fill(pull_.begin(), pull_.end(), 0.0);
  for (int g = 0; g < static_cast<int>(model_.groups.size()); ++g) {
    const ConvexModel::Group& group =
        model_.groups[static_cast<std::size_t>(g)];
    const auto is_open = [&](int c) { return IsOpen(node, g, c); };
    double kept = 0.0;
    for (int c = 0; c < group.NumChoices(); ++c) {
      if (is_open(c)) kept += std::max(0.0, Weight(node, g, c));
    }
    const double even = 1.0 / NumOpen(node, g);
    double total = 0.0;
    for (int c = 1; c < group.NumChoices(); ++c) {
      double weight = 0.0;
      if (is_open(c)) {
        weight =
            kept > kNoWeight ? std::max(0.0, Weight(node, g, c)) / kept : even;
      }
      point_[static_cast<std::size_t>(group.first + c - 1)] = weight;
      total += weight;
    }
    reference_[static_cast<std::size_t>(g)] =
        is_open(0) ? std::max(0.0, 1.0 - total) : 0.0;
  }
  const std::size_t n = point_.size();
  for (std::size_t k = 0; k < excess_.size(); ++k) {
    excess_[k] = -limits_[k];
    for (std::size_t v = 0; v < n; ++v) excess_[k] += sizes_[k][v] * point_[v];
  }
  std::vector<double> p(pull_.size(), 0.0);
  for (std::size_t v = 0; v < n; ++v) {
    p[static_cast<std::size_t>(model_.coordinate[v])] +=
        model_.factor[v] * point_[v];
  }
  for (std::size_t i = 0; i < p.size(); ++i) {
    MoveCoordinate(static_cast<int>(i), p[i]);
  }
}

void ConvexRelaxation::MoveCoordinate(int coordinate, double change) {
  if (change == 0.0) return;
  const double* row = model_.Row(coordinate).data();
  const std::size_t m = pull_.size();
  for (std::size_t j = 0; j < m; ++j) pull_[j] += change * row[j];
}

void ConvexRelaxation::Shift(int group, int from, int to, double step) {
  if (step == 0.0) return;
  for (std::size_t k = 0; k < excess_.size(); ++k) {
    excess_[k] += step * (SizeOf(k, to) - SizeOf(k, from));
  }
  const auto move = [&](int variable, double change) {
    if (variable < 0) {
      reference_[static_cast<std::size_t>(group)] += change;
      return std::pair(-1, 0.0);
    }
    const auto v = static_cast<std::size_t>(variable);
    point_[v] += change;
    return std::pair(model_.coordinate[v], model_.factor[v] * change);
  };
  auto [out, out_change] = move(from, -step);
  auto [in, in_change] = move(to, step);
  if (in == out) {
    in_change += out_change;
  } else if (out >= 0) {
    MoveCoordinate(out, out_change);
  }
  if (in >= 0) MoveCoordinate(in, in_change);
}

double ConvexRelaxation::ExchangeBend(int from, int to) const {
  double bend = 0.0;
  if (from >= 0) bend += model_.Bend(from, from);
  if (to >= 0) bend += model_.Bend(to, to);
  if (from >= 0 && to >= 0) bend -= 2.0 * model_.Bend(from, to);
  return std::max(0.0, bend);
}

void ConvexRelaxation::Exchange(int group, int from, int to, double gap) {
  const int from_variable = Variable(group, from);
  const int to_variable = Variable(group, to);
  double curvature = ExchangeBend(from_variable, to_variable);
  for (std::size_t k = 0; k < excess_.size(); ++k) {
    const double size = SizeOf(k, to_variable) - SizeOf(k, from_variable);
    curvature += penalty_[k] * size * size;
  }
  double step = from_variable < 0
                    ? reference_[static_cast<std::size_t>(group)]
                    : point_[static_cast<std::size_t>(from_variable)];
  if (curvature * step > gap) step = gap / curvature;
  Shift(group, from_variable, to_variable, step);
}

void ConvexRelaxation::DescendGroup(const RelaxationNode& node,
                                    int group,
                                    std::span<const double> price) {
  int to = -1;
  int from = -1;
  double least = kInfinity;
  double most = -kInfinity;
  for (int c = 0; c < NumChoices(group); ++c) {
    if (!IsOpen(node, group, c)) continue;
    const double cost = ReducedCost(group, c, price);
    const int v = Variable(group, c);
    const double weight = v < 0 ? reference_[static_cast<std::size_t>(group)]
                                : point_[static_cast<std::size_t>(v)];
    if (cost < least) {
      least = cost;
      to = c;
    }
    if (weight > 0.0 && cost > most) {
      most = cost;
      from = c;
    }
  }
  if (from < 0 || from == to || most - least <= model_.rounding) return;
  Exchange(group, from, to, most - least);
  ++steps_;
}

void ConvexRelaxation::Descend(const RelaxationNode& node,
                               std::vector<double>& lambda) {
  std::vector<double> price(lambda.size());
  const auto update_price = [&] {
    for (std::size_t k = 0; k < lambda.size(); ++k) {
      price[k] = std::max(0.0, lambda[k] + penalty_[k] * excess_[k]);
    }
  };
  for (int sweep = 0; sweep < kSweepsPerRound; ++sweep) {
    for (int g = 0; g < static_cast<int>(model_.groups.size()); ++g) {
      update_price();
      DescendGroup(node, g, price);
    }
    update_price();
    lambda = price;
  }
}

bool ConvexRelaxation::Tighten(RelaxationNode& node,
                               double cutoff,
                               const Effort& effort) {
  if (!CloseOversized(node)) return false;
  LoadPoint(node);
  std::vector<double> lambda = node.multipliers;
  bool is_open = true;
  int slow_rounds = 0;
  double best_bound = -kInfinity;
  for (int round = 0; round < effort.rounds && is_open; ++round) {
    Descend(node, lambda);
    std::vector<double> best = lambda;
    const double minimum = MaximizeMultipliers(node, best);
    const double bound = PointValue() + minimum - model_.rounding;
    const double before = node.bound;
    if (bound > node.bound) node.bound = bound;
    if (round == 0 || bound > best_bound) {
      best_bound = bound;
      best_point_ = point_;
      best_multipliers_ = best;
    }
    node.multipliers = best;
    if (node.bound >= cutoff) {
      is_open = false;
      break;
    }
    const bool has_closed = CloseByReducedCost(node, best, bound, cutoff);
    if (has_closed) is_open = CloseOversized(node);
    // Without a cutoff the bound itself is the measure.
    const double missing = std::isfinite(cutoff)
                               ? cutoff - node.bound
                               : kWorthwhile * std::abs(node.bound);
    const bool is_slow = node.bound - before < kWorthwhile * missing;
    if (is_open && has_closed) {
      // Weights of what was closed move on.
      for (std::size_t v = 0; v < point_.size(); ++v) {
        node.point[v] = static_cast<float>(point_[v]);
      }
      LoadPoint(node);
    } else if (is_slow && ++slow_rounds >= effort.patience) {
      break;
    }
    if (effort.clock != nullptr && effort.clock->Reached(-1) != Limit::kNone) {
      break;
    }
    NewtonStep(lambda);
  }
  for (std::size_t v = 0; v < point_.size(); ++v) {
    node.point[v] = static_cast<float>(point_[v]);
  }
  return is_open;
}

ConvexRelaxation::Branch ConvexRelaxation::ChooseBranch(
    const RelaxationNode& node) const {
  Branch best;
  double best_score = 0.0;
  Branch closest;
  double least_distance = kInfinity;
  for (int g = 0; g < static_cast<int>(model_.groups.size()); ++g) {
    if (NumOpen(node, g) < 2) continue;
    const int choices = NumChoices(g);
    double first = kInfinity;
    double second = kInfinity;
    int cheapest = 0;
    for (int c = 0; c < choices; ++c) {
      if (!IsOpen(node, g, c)) continue;
      const double cost = ReducedCost(g, c, node.multipliers);
      if (cost < first) {
        second = first;
        first = cost;
        cheapest = c;
      } else {
        second = std::min(second, cost);
      }
      if (c == 0) continue;
      const int v = Variable(g, c);
      const double weight = Weight(node, g, c);
      const double bend = model_.Bend(v, v);
      const double shorter = std::min(weight, 1.0 - weight);
      const double score = bend * shorter * shorter;
      if (shorter > kNoWeight && score > best_score) {
        best_score = score;
        best = {g, c};
      }
    }
    if (second - first < least_distance) {
      least_distance = second - first;
      closest = {g, cheapest};
    }
  }
  return best.group >= 0 ? best : closest;
}

Choices ConvexRelaxation::Rounded(const RelaxationNode& node) const {
  Choices choices = model_.fixed;
  for (int g = 0; g < static_cast<int>(model_.groups.size()); ++g) {
    const ConvexModel::Group& group =
        model_.groups[static_cast<std::size_t>(g)];
    double most = -kInfinity;
    for (int c = 0; c < group.NumChoices(); ++c) {
      if (!IsOpen(node, g, c)) continue;
      if (Weight(node, g, c) <= most) continue;
      most = Weight(node, g, c);
      choices[static_cast<std::size_t>(group.reduced_group)] =
          group.reduced_choices[static_cast<std::size_t>(c)];
    }
  }
  return choices;
}

}  // namespace bitpact
