// SPDX-License-Identifier: Apache-2.0

// The second-order step of ConvexRelaxation. With H the curvature among split
// weights, r their reduced gradient, S their sizes and e the excess over the
// active limits, the point where all split weights are in balance is y + t with
//
//   H t + S lambda = -r,   S't = -e.
//
// Solved by one Cholesky factorization; what leaves the simplex is clipped, and
// the descent that follows mends what clipping spoils. Without it the descent
// alone needs about ten times the steps.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "Eigen/Dense"
#include "solvers/convex_relaxation.h"

namespace bitpact {
namespace {

constexpr double kRidge = 1e-10;
// Beyond this many split weights a factorization costs more than it gains.
constexpr std::size_t kMostDirections = 256;

// Weight moves between two variables of a group; -1 is the reference.
struct Direction {
  int group = 0;
  int to = -1;
  int from = -1;
};

// The heaviest choice of each group gives, all others that have weight take.
std::vector<Direction> SplitDirections(const ConvexModel& model,
                                       const std::vector<double>& point,
                                       const std::vector<double>& reference) {
  std::vector<Direction> directions;
  std::vector<int> split;
  for (std::size_t g = 0; g < model.groups.size(); ++g) {
    const ConvexModel::Group& group = model.groups[g];
    split.clear();
    int heaviest = -1;
    double most = reference[g];
    if (reference[g] > ConvexRelaxation::kNoWeight) split.push_back(-1);
    for (int v = group.first; v < group.first + group.NumChoices() - 1; ++v) {
      const double weight = point[static_cast<std::size_t>(v)];
      if (weight <= ConvexRelaxation::kNoWeight) continue;
      split.push_back(v);
      if (weight > most) {
        most = weight;
        heaviest = v;
      }
    }
    // In one coordinate a second direction would be the first once more.
    bool is_done = false;
    for (const int v : split) {
      if (v == heaviest || is_done) continue;
      directions.push_back({static_cast<int>(g), v, heaviest});
      is_done = model.IsLadder(group);
    }
  }
  return directions;
}

// values[to] - values[from] for each direction.
template <typename Values>
Eigen::VectorXd Differences(const std::vector<Direction>& directions,
                            const Values& values) {
  const auto at = [&](int v) {
    return v < 0 ? 0.0 : values[static_cast<std::size_t>(v)];
  };
  Eigen::VectorXd differences(static_cast<Eigen::Index>(directions.size()));
  for (std::size_t a = 0; a < directions.size(); ++a) {
    differences(static_cast<Eigen::Index>(a)) =
        at(directions[a].to) - at(directions[a].from);
  }
  return differences;
}

Eigen::MatrixXd Curvature(const ConvexModel& model,
                          const std::vector<Direction>& directions) {
  const auto entry = [&](int i, int j) {
    return i < 0 || j < 0 ? 0.0 : model.Bend(i, j);
  };
  const auto m = static_cast<Eigen::Index>(directions.size());
  Eigen::MatrixXd curvature(m, m);
  for (Eigen::Index a = 0; a < m; ++a) {
    const Direction& p = directions[static_cast<std::size_t>(a)];
    for (Eigen::Index b = 0; b <= a; ++b) {
      const Direction& q = directions[static_cast<std::size_t>(b)];
      curvature(a, b) = entry(p.to, q.to) - entry(p.to, q.from) -
                        entry(p.from, q.to) + entry(p.from, q.from);
    }
  }
  curvature.diagonal().array() += kRidge * curvature.diagonal().maxCoeff();
  return curvature;
}

}  // namespace

void ConvexRelaxation::NewtonStep(std::vector<double>& lambda) {
  const std::vector<Direction> directions =
      SplitDirections(model_, point_, reference_);
  if (directions.empty() || directions.size() > kMostDirections) return;
  // Only the lower triangle is filled and read.
  const Eigen::LLT<Eigen::MatrixXd> factor(Curvature(model_, directions));
  if (factor.info() != Eigen::Success) return;
  std::vector<double> gradient(point_.size());
  for (std::size_t v = 0; v < gradient.size(); ++v) gradient[v] = Gradient(v);
  Eigen::VectorXd t = -factor.solve(Differences(directions, gradient));

  std::vector<std::size_t> active;  // limits that have a price or are overrun
  for (std::size_t k = 0; k < lambda.size(); ++k) {
    if (lambda[k] > 0.0 || excess_[k] > 0.0) active.push_back(k);
  }
  const auto count = static_cast<Eigen::Index>(active.size());
  if (count > 0) {
    Eigen::MatrixXd s(t.size(), count);
    Eigen::VectorXd e(count);
    for (Eigen::Index j = 0; j < count; ++j) {
      const std::size_t k = active[static_cast<std::size_t>(j)];
      s.col(j) = Differences(directions, sizes_[k]);
      e(j) = excess_[k];
    }
    const Eigen::MatrixXd response = factor.solve(s);
    const Eigen::VectorXd price =
        (s.transpose() * response).ldlt().solve(e + s.transpose() * t);
    if (!price.allFinite()) return;
    for (Eigen::Index j = 0; j < count; ++j) {
      const double kept = std::max(0.0, price(j));
      lambda[active[static_cast<std::size_t>(j)]] = kept;
      t -= kept * response.col(j);
    }
  }
  if (!t.allFinite()) return;
  for (std::size_t a = 0; a < directions.size(); ++a) {
    const Direction& d = directions[a];
    const auto weight = [&](int v) {
      return v < 0 ? reference_[static_cast<std::size_t>(d.group)]
                   : point_[static_cast<std::size_t>(v)];
    };
    Shift(d.group,
          d.from,
          d.to,
          std::clamp(t(static_cast<Eigen::Index>(a)),
                     -std::max(0.0, weight(d.to)),
                     std::max(0.0, weight(d.from))));
  }
}

}  // namespace bitpact
