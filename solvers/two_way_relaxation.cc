// SPDX-License-Identifier: Apache-2.0
#include "solvers/two_way_relaxation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "Eigen/Dense"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// A point nearer than this to 0 or 1 counts as there.
constexpr double kInside = 1e-9;
constexpr int kPriceSteps = 60;

std::size_t At(int i) { return static_cast<std::size_t>(i); }

// The diagonal of (L L')^-1, L the lower triangle of `factor`: squared norms of
// the columns of L^-1, each from its own forward substitution, which starts at
// its own row. m^3 / 6.
Eigen::VectorXd InverseDiagonal(const Eigen::MatrixXd& factor) {
  const Eigen::Index m = factor.rows();
  Eigen::VectorXd diagonal(m);
  Eigen::VectorXd x(m);
  for (Eigen::Index c = 0; c < m; ++c) {
    x.tail(m - c).setZero();
    x(c) = 1.0;
    for (Eigen::Index k = c; k < m; ++k) {
      x(k) /= factor(k, k);
      const Eigen::Index below = m - k - 1;
      x.tail(below).noalias() -= x(k) * factor.col(k).tail(below);
    }
    diagonal(c) = x.tail(m - c).squaredNorm();
  }
  return diagonal;
}

}  // namespace

TwoWayRelaxation::TwoWayRelaxation(const TwoWayModel& model)
    : model_(model),
      n_(model.NumVariables()),
      has_row_(model.HasRow()),
      is_two_sided_(model.lower != TwoWayModel::kNoLower),
      size_(At(n_), 0.0),
      linear_(At(n_)),
      y_(At(n_), 0.0),
      g_(At(n_), 0.0),
      place_(At(n_), Place::kLow),
      is_one_(At(n_), 0) {
  double most = 0.0;
  double sum = 0.0;
  for (int i = 0; i < n_; ++i) {
    linear_[At(i)] = model.linear[At(i)] - 0.5 * model.shift[At(i)];
    const double size = std::abs(static_cast<double>(model.sizes[At(i)]));
    most = std::max(most, size);
    sum += size;
  }
  // A power of two, so that dividing is exact.
  if (most > 0.0) unit_ = std::exp2(std::ceil(std::log2(most)));
  for (int i = 0; has_row_ && i < n_; ++i) {
    size_[At(i)] = static_cast<double>(model.sizes[At(i)]) / unit_;
  }
  // Sizes beyond 2^53 are not exact as doubles; limits that are a little too
  // generous keep the bound true.
  const double generous = sum > 0x1p52 ? 1e-13 * sum : 0.0;
  if (model.upper != TwoWayModel::kNoUpper) {
    upper_ = (static_cast<double>(model.upper) + generous) / unit_;
  }
  if (is_two_sided_) {
    lower_ = (static_cast<double>(model.lower) - generous) / unit_;
  }
}

TwoWayNode TwoWayRelaxation::Root() const {
  TwoWayNode node;
  node.state.assign(At(n_), Fixing::kFree);
  node.point.assign(At(n_), 0.5F);
  node.bound = -kInfinity;
  return node;
}

double TwoWayRelaxation::best_price() const { return best_lambda_ / unit_; }

void TwoWayRelaxation::Round(const TwoWayNode& node,
                             std::vector<char>& z) const {
  z.resize(At(n_));
  for (int i = 0; i < n_; ++i) {
    const Fixing state = node.state[At(i)];
    z[At(i)] = state == Fixing::kFree ? (node.point[At(i)] > 0.5F ? 1 : 0)
                                      : static_cast<char>(state);
  }
}

// With whole numbers; false when no plan fits.
bool TwoWayRelaxation::FixOversized(TwoWayNode& node) const {
  if (!has_row_) return true;
  std::int64_t least = 0;
  std::int64_t most = 0;
  for (int i = 0; i < n_; ++i) {
    const std::int64_t size = model_.sizes[At(i)];
    const Fixing state = node.state[At(i)];
    if (state == Fixing::kZero) continue;
    if (state == Fixing::kOne || size < 0) least += size;
    if (state == Fixing::kOne || size > 0) most += size;
  }
  const bool has_upper = model_.upper != TwoWayModel::kNoUpper;
  if (has_upper && least > model_.upper) return false;
  if (is_two_sided_ && most < model_.lower) return false;
  const std::int64_t room = has_upper ? model_.upper - least : 0;
  const std::int64_t spare = is_two_sided_ ? most - model_.lower : 0;
  for (int i = 0; i < n_; ++i) {
    const std::int64_t size = model_.sizes[At(i)];
    Fixing& state = node.state[At(i)];
    if (state != Fixing::kFree || size == 0) continue;
    const std::int64_t magnitude = std::abs(size);
    const bool is_too_large = has_upper && magnitude > room;
    const bool is_needed = is_two_sided_ && magnitude > spare;
    if (is_too_large && is_needed) return false;
    if (is_too_large) state = size > 0 ? Fixing::kZero : Fixing::kOne;
    if (is_needed) state = size > 0 ? Fixing::kOne : Fixing::kZero;
  }
  return true;
}

void TwoWayRelaxation::Move(int i, double change) {
  if (change == 0.0) return;
  y_[At(i)] += change;
  const double* row = model_.matrix.data() + At(i) * At(n_);
  double* g = g_.data();
  for (int j = 0; j < n_; ++j) g[j] += change * row[j];
  g_[At(i)] += change * model_.shift[At(i)];
}

void TwoWayRelaxation::Load(const TwoWayNode& node) {
  g_ = linear_;
  std::fill(y_.begin(), y_.end(), 0.0);
  for (int i = 0; i < n_; ++i) {
    const Fixing state = node.state[At(i)];
    is_one_[At(i)] = state == Fixing::kOne ? 1 : 0;
    double value = is_one_[At(i)];
    if (state == Fixing::kFree) {
      const auto point = static_cast<double>(node.point[At(i)]);
      value = std::clamp(point, 0.0, 1.0);
      place_[At(i)] = value <= kInside         ? Place::kLow
                      : value >= 1.0 - kInside ? Place::kHigh
                                               : Place::kInside;
    } else {
      place_[At(i)] = Place::kFixed;
    }
    Move(i, value);
  }
  lambda_ = node.price * unit_;
  is_tight_ = has_row_ && lambda_ != 0.0;
}

double TwoWayRelaxation::Excess() const {
  double use = 0.0;
  for (int i = 0; i < n_; ++i) use += size_[At(i)] * y_[At(i)];
  if (model_.upper != TwoWayModel::kNoUpper && use > upper_) {
    return use - upper_;
  }
  return is_two_sided_ && use < lower_ ? use - lower_ : 0.0;
}

// The bound at y and lambda; keeps the best.
void TwoWayRelaxation::Evaluate(double lambda) {
  if (!has_row_) lambda = 0.0;
  if (lambda < 0.0 && !is_two_sided_) lambda = 0.0;
  double bound = model_.constant - lambda * Limit(lambda);
  for (int i = 0; i < n_; ++i) {
    bound += 0.5 * (linear_[At(i)] - g_[At(i)]) * y_[At(i)];
    const double cost = g_[At(i)] + lambda * size_[At(i)];
    if (place_[At(i)] == Place::kFixed) {
      bound += is_one_[At(i)] * cost;
    } else {
      bound += std::min(0.0, cost);
    }
  }
  bound -= model_.rounding + 1e-13 * std::abs(lambda * Limit(lambda));
  if (bound <= best_bound_) return;
  best_bound_ = bound;
  best_lambda_ = lambda;
  best_point_ = y_;
  best_gradient_ = g_;
}

// The price that bounds best with the gradient as it is: bisection on the
// slope of a concave function.
double TwoWayRelaxation::MaximizePrice() const {
  if (!has_row_) return 0.0;
  double reach = 0.0;
  for (int i = 0; i < n_; ++i) {
    if (size_[At(i)] == 0.0) continue;
    reach = std::max(reach, std::abs(g_[At(i)] / size_[At(i)]));
  }
  const auto slope = [&](double lambda) {
    double use = -Limit(lambda);
    for (int i = 0; i < n_; ++i) {
      const bool counts = place_[At(i)] == Place::kFixed
                              ? is_one_[At(i)] != 0
                              : g_[At(i)] + lambda * size_[At(i)] < 0.0;
      if (counts) use += size_[At(i)];
    }
    return use;
  };
  double high = 1.000001 * reach + std::numeric_limits<double>::min();
  double low = is_two_sided_ ? -high : 0.0;
  if (!is_two_sided_ && slope(0.0) <= 0.0) return 0.0;
  for (int k = 0; k < kPriceSteps; ++k) {
    const double middle = 0.5 * (low + high);
    (slope(middle) > 0.0 ? low : high) = middle;
  }
  return high;
}

void TwoWayRelaxation::FixByReducedCost(TwoWayNode& node, double cutoff) const {
  const double missing = cutoff - best_bound_;
  for (int i = 0; i < n_; ++i) {
    Fixing& state = node.state[At(i)];
    if (state != Fixing::kFree) continue;
    const double cost = best_gradient_[At(i)] + best_lambda_ * size_[At(i)];
    if (std::abs(cost) < missing) continue;
    state = cost > 0.0 ? Fixing::kZero : Fixing::kOne;
  }
}

// Where both branches lift the bound most, estimated from the inverse of the
// Newton matrix (what the bound gains when only the inside variables answer);
// with nothing inside, the free variable with the least reduced cost.
void TwoWayRelaxation::ChooseBranch(TwoWayNode& node) {
  inside_.clear();
  int least = -1;
  double least_cost = kInfinity;
  for (int i = 0; i < n_; ++i) {
    if (node.state[At(i)] != Fixing::kFree) continue;
    const double y = best_point_[At(i)];
    if (y > 1e-7 && y < 1.0 - 1e-7) {
      inside_.push_back(i);
      continue;
    }
    const double cost =
        std::abs(best_gradient_[At(i)] + best_lambda_ * size_[At(i)]);
    if (cost < least_cost) {
      least_cost = cost;
      least = i;
    }
  }
  node.branch = least;
  node.one_first = least >= 0 && best_point_[At(least)] > 0.5;
  const auto m = static_cast<Eigen::Index>(inside_.size());
  if (m == 0) return;
  Eigen::VectorXd diagonal(m);
  Eigen::MatrixXd matrix(m, m);
  Eigen::VectorXd size(m);
  for (Eigen::Index c = 0; c < m; ++c) {
    const int i = inside_[static_cast<std::size_t>(c)];
    const double* row = model_.matrix.data() + At(i) * At(n_);
    for (Eigen::Index r = c; r < m; ++r) {
      matrix(r, c) = row[inside_[static_cast<std::size_t>(r)]];
    }
    matrix(c, c) = model_.shift[At(i)] * (1.0 + 1e-9);
    size(c) = size_[At(i)];
    diagonal(c) = 1.0 / std::max(matrix(c, c), 1e-300);
  }
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> cholesky(matrix);
  if (cholesky.info() == Eigen::Success) {
    diagonal = InverseDiagonal(matrix);
    if (best_lambda_ != 0.0) {
      const Eigen::VectorXd along = cholesky.solve(size);
      const double bend = along.dot(size);
      if (bend > 0.0) diagonal -= along.cwiseAbs2() / bend;
    }
  }
  double best = -1.0;
  const double floor = 1e-6 * std::abs(node.bound) + model_.rounding;
  for (Eigen::Index r = 0; r < m; ++r) {
    const int i = inside_[static_cast<std::size_t>(r)];
    const double y = best_point_[At(i)];
    const double stiffness = 0.5 / std::max(diagonal(r), 1e-300);
    const double down = std::min(1e100, y * y * stiffness);
    const double up = std::min(1e100, (1.0 - y) * (1.0 - y) * stiffness);
    const double score = std::max(down, floor) * std::max(up, floor);
    if (score <= best) continue;
    best = score;
    node.branch = i;
    node.one_first = up < down;
  }
}

// The best bound again with a gradient computed afresh: many updates pile up
// rounding, and what is claimed must not rest on them.
void TwoWayRelaxation::Confirm() {
  g_ = linear_;
  std::fill(y_.begin(), y_.end(), 0.0);
  for (int i = 0; i < n_; ++i) Move(i, best_point_[At(i)]);
  best_bound_ = -kInfinity;
  Evaluate(best_lambda_);
}

bool TwoWayRelaxation::Tighten(TwoWayNode& node, double cutoff) {
  if (!FixOversized(node)) return false;
  best_bound_ = -kInfinity;
  best_lambda_ = 0.0;
  Load(node);
  best_point_ = y_;
  best_gradient_ = g_;
  Newton(node, cutoff);
  Confirm();
  node.bound = std::max(node.bound, best_bound_);
  if (node.bound >= cutoff) return false;
  for (int i = 0; i < n_; ++i) {
    node.point[At(i)] = static_cast<float>(best_point_[At(i)]);
  }
  node.price = best_lambda_ / unit_;
  FixByReducedCost(node, cutoff);
  if (!FixOversized(node)) return false;
  ChooseBranch(node);
  return true;
}

}  // namespace bitpact
