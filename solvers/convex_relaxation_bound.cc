// SPDX-License-Identifier: Apache-2.0

// The lower bounds of ConvexRelaxation, and what follows from them. Everything
// here is read-only on the point: however it was found, the bound is true.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "solvers/convex_relaxation.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Steps of the search for one multiplier; it usually ends by itself after 5-10.
constexpr int kMultiplierSteps = 40;

}  // namespace

// sum over groups of the least reduced cost - lambda'limits, and its slope in
// each multiplier.
double ConvexRelaxation::LinearMinimum(const RelaxationNode& node,
                                       std::span<const double> lambda,
                                       std::vector<double>& slope) const {
  double sum = 0.0;
  for (std::size_t k = 0; k < lambda.size(); ++k) {
    slope[k] = -limits_[k];
    sum -= lambda[k] * limits_[k];
  }
  for (int g = 0; g < static_cast<int>(model_.groups.size()); ++g) {
    const int choices = NumChoices(g);
    double least = kInfinity;
    int best = 0;
    for (int c = 0; c < choices; ++c) {
      if (!IsOpen(node, g, c)) continue;
      const double cost = ReducedCost(g, c, lambda);
      if (cost < least) {
        least = cost;
        best = c;
      }
    }
    sum += least;
    if (best == 0) continue;
    const auto v = static_cast<std::size_t>(Variable(g, best));
    for (std::size_t k = 0; k < lambda.size(); ++k) slope[k] += sizes_[k][v];
  }
  return sum;
}

// The function of one multiplier is concave and piecewise linear: a tangent
// with rising slope on the left and one with falling slope on the right meet at
// the next trial, until the trial lies on both.
double ConvexRelaxation::MaximizeOne(const RelaxationNode& node,
                                     std::size_t resource,
                                     std::vector<double>& lambda) const {
  std::vector<double> slope(lambda.size());
  const auto evaluate = [&](double value, double& tangent) {
    lambda[resource] = value;
    const double minimum = LinearMinimum(node, lambda, slope);
    tangent = slope[resource];
    return minimum;
  };
  const double start = lambda[resource];
  double left = 0.0;
  double left_slope = 0.0;
  double left_value = evaluate(left, left_slope);
  if (left_slope <= 0.0) return left_value;
  double right =
      start > 0.0 ? start : std::abs(left_value) / std::max(left_slope, 1e-300);
  if (!(right > 0.0) || !std::isfinite(right)) right = 1.0;
  double right_slope = 0.0;
  double right_value = evaluate(right, right_slope);
  for (int i = 0; i < kMultiplierSteps && right_slope > 0.0; ++i) {
    left = right;
    left_slope = right_slope;
    left_value = right_value;
    right *= 2.0;
    right_value = evaluate(right, right_slope);
  }
  for (int i = 0; i < kMultiplierSteps && right_slope < 0.0; ++i) {
    const double meet =
        (right_value - left_value + left_slope * left - right_slope * right) /
        (left_slope - right_slope);
    if (!(meet > left && meet < right)) break;
    const double line = left_value + left_slope * (meet - left);
    double tangent = 0.0;
    const double value = evaluate(meet, tangent);
    if (tangent > 0.0) {
      left = meet;
      left_slope = tangent;
      left_value = value;
    } else {
      right = meet;
      right_slope = tangent;
      right_value = value;
    }
    if (value >= line - model_.rounding) break;
  }
  lambda[resource] = left_value > right_value ? left : right;
  return std::max(left_value, right_value);
}

double ConvexRelaxation::MaximizeMultipliers(
    const RelaxationNode& node, std::vector<double>& lambda) const {
  std::vector<double> slope(lambda.size());
  if (lambda.empty()) return LinearMinimum(node, lambda, slope);
  double best = -kInfinity;
  // Coordinate ascent; one resource needs one pass.
  const int passes = lambda.size() == 1 ? 1 : 3;
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t k = 0; k < lambda.size(); ++k) {
      best = MaximizeOne(node, k, lambda);
    }
  }
  return best;
}

// f(y) - g'y. With g = linear + Qy this is constant - y'Qy / 2.
double ConvexRelaxation::PointValue() const {
  double bend = 0.0;
  for (std::size_t v = 0; v < point_.size(); ++v) {
    bend += point_[v] * model_.factor[v] *
            pull_[static_cast<std::size_t>(model_.coordinate[v])];
  }
  return model_.constant - 0.5 * bend;
}

bool ConvexRelaxation::CloseByReducedCost(RelaxationNode& node,
                                          std::span<const double> lambda,
                                          double bound,
                                          double cutoff) const {
  bool has_closed = false;
  for (int g = 0; g < static_cast<int>(model_.groups.size()); ++g) {
    const int choices = NumChoices(g);
    double least = kInfinity;
    for (int c = 0; c < choices; ++c) {
      if (!IsOpen(node, g, c)) continue;
      least = std::min(least, ReducedCost(g, c, lambda));
    }
    for (int c = 0; c < choices; ++c) {
      if (!IsOpen(node, g, c)) continue;
      if (bound + ReducedCost(g, c, lambda) - least < cutoff) continue;
      Close(node, g, c);
      has_closed = true;
    }
  }
  return has_closed;
}

}  // namespace bitpact
