// SPDX-License-Identifier: Apache-2.0

// How TwoWayRelaxation finds its point: semismooth Newton steps, and projected
// coordinate descent where they do not settle.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "Eigen/Dense"
#include "solvers/two_way_relaxation.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kNewtonSteps = 12;
constexpr int kRounds = 3;  // of Newton and, between them, descent
constexpr int kSweeps = 8;
// A point nearer than this to 0 or 1 counts as there.
constexpr double kInside = 1e-9;
// Added to the Newton matrix, relative: singular shifts need it.
constexpr double kRidge = 1e-11;
constexpr double kPenalty = 0.1;
// Newton steps stay between these: from a nearly singular matrix they may be
// 1e10 long, and coming back from there leaves the gradient wrong in its fifth
// digit.
constexpr double kLeastPoint = -1.0;
constexpr double kMostPoint = 2.0;

std::size_t At(int i) { return static_cast<std::size_t>(i); }

}  // namespace

// With nothing inside to carry the row: its price from the gradient alone, and
// the variable at that price comes inside.
bool TwoWayRelaxation::EnterByPrice() {
  lambda_ = MaximizePrice();
  int enters = -1;
  double least = kInfinity;
  for (int i = 0; i < n_; ++i) {
    if (place_[At(i)] == Place::kFixed || place_[At(i)] == Place::kInside ||
        size_[At(i)] == 0.0) {
      continue;
    }
    const double cost = std::abs(g_[At(i)] + lambda_ * size_[At(i)]);
    if (cost < least) {
      least = cost;
      enters = i;
    }
  }
  if (enters < 0) return false;
  place_[At(enters)] = Place::kInside;
  return true;
}

// Solves for the variables inside and, if it is tight, the price of the row.
// False when the factorization fails.
bool TwoWayRelaxation::NewtonStep() {
  ++steps_;
  inside_.clear();
  double square = 0.0;
  for (int i = 0; i < n_; ++i) {
    if (place_[At(i)] != Place::kInside) continue;
    inside_.push_back(i);
    square += size_[At(i)] * size_[At(i)];
  }
  if (is_tight_ && square == 0.0) {
    if (!EnterByPrice()) return false;
    return NewtonStep();
  }
  const auto m = static_cast<Eigen::Index>(inside_.size());
  if (!is_tight_) lambda_ = 0.0;
  if (m == 0) return true;
  Eigen::MatrixXd matrix(m, m);
  Eigen::VectorXd right(m);
  Eigen::VectorXd size(m);
  for (Eigen::Index c = 0; c < m; ++c) {
    const int i = inside_[static_cast<std::size_t>(c)];
    const double* row = model_.matrix.data() + At(i) * At(n_);
    double* column = &matrix(0, c);
    for (Eigen::Index r = c; r < m; ++r) {
      column[r] = row[inside_[static_cast<std::size_t>(r)]];
    }
    column[c] = model_.shift[At(i)] * (1.0 + kRidge);
    right(c) = -g_[At(i)];
    size(c) = size_[At(i)];
  }
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> cholesky(matrix);
  if (cholesky.info() != Eigen::Success) return false;
  cholesky.solveInPlace(right);
  if (is_tight_) {
    double missing = 0.0;
    for (int i = 0; i < n_; ++i) missing -= size_[At(i)] * y_[At(i)];
    missing += lambda_ >= 0.0 || !is_two_sided_ ? upper_ : lower_;
    double along = -missing;
    for (Eigen::Index r = 0; r < m; ++r) along += size(r) * right(r);
    cholesky.solveInPlace(size);
    double bend = 0.0;
    for (Eigen::Index r = 0; r < m; ++r) {
      bend += size(r) * size_[At(inside_[static_cast<std::size_t>(r)])];
    }
    if (!(bend > 0.0)) return false;
    lambda_ = along / bend;
    right.noalias() -= lambda_ * size;
  }
  for (Eigen::Index r = 0; r < m; ++r) {
    if (!std::isfinite(right(r))) return false;
  }
  for (Eigen::Index r = 0; r < m; ++r) {
    const int i = inside_[static_cast<std::size_t>(r)];
    const double y = y_[At(i)];
    Move(i, std::clamp(y + right(r), kLeastPoint, kMostPoint) - y);
  }
  return true;
}

bool TwoWayRelaxation::ClampPrice() {
  const bool was_tight = is_tight_;
  if (is_tight_ && lambda_ < 0.0 && !is_two_sided_) is_tight_ = false;
  if (is_tight_ && is_two_sided_ && model_.lower != model_.upper) {
    // Between two limits the price decides which one holds; zero neither.
    if (lambda_ == 0.0) is_tight_ = false;
  }
  if (!is_tight_ && has_row_) {
    const double excess = Excess();
    if (std::abs(excess) > 1e-9) {
      is_tight_ = true;
      lambda_ = excess > 0.0 ? std::max(lambda_, 0.0) : -1e-300;
    }
  }
  return is_tight_ != was_tight;
}

// Where the optimality conditions are broken, variables change sets. Whether
// any did.
bool TwoWayRelaxation::ChangePlaces() {
  bool changed = ClampPrice();
  if (changed && !is_tight_) lambda_ = 0.0;
  const double tolerance = 0.01 * model_.rounding;
  for (int i = 0; i < n_; ++i) {
    Place& place = place_[At(i)];
    if (place == Place::kFixed) continue;
    if (place == Place::kInside) {
      const double y = y_[At(i)];
      if (y >= 0.0 && y <= 1.0) continue;
      place = y < 0.0 ? Place::kLow : Place::kHigh;
      Move(i, (y < 0.0 ? 0.0 : 1.0) - y);
      y_[At(i)] = y < 0.0 ? 0.0 : 1.0;
      changed = true;
      continue;
    }
    const double cost = g_[At(i)] + lambda_ * size_[At(i)];
    if (place == Place::kLow ? cost < -tolerance : cost > tolerance) {
      place = Place::kInside;
      changed = true;
    }
  }
  return changed;
}

void TwoWayRelaxation::Newton(const TwoWayNode& node, double cutoff) {
  for (int round = 0; round < kRounds; ++round) {
    for (int step = 0; step < kNewtonSteps; ++step) {
      if (!NewtonStep()) break;
      Evaluate(lambda_);
      if (best_bound_ >= cutoff) return;
      if (!ChangePlaces()) return;
    }
    ++fallbacks_;
    Descend(node, cutoff);
    if (best_bound_ >= cutoff) return;
  }
}

void TwoWayRelaxation::Descend(const TwoWayNode& node, double cutoff) {
  double bend = 0.0;
  double square = 0.0;
  for (int i = 0; i < n_; ++i) {
    const double y = std::clamp(y_[At(i)], 0.0, 1.0);
    Move(i, y - y_[At(i)]);
    bend += model_.shift[At(i)];
    square += size_[At(i)] * size_[At(i)];
  }
  const double penalty = square > 0.0 ? kPenalty * bend / square : 0.0;
  double lambda = best_lambda_;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    double excess = 0.0;
    for (int i = 0; i < n_; ++i) excess += size_[At(i)] * y_[At(i)];
    const auto price = [&] {
      if (!has_row_) return 0.0;
      const double up = lambda + penalty * (excess - upper_);
      if (up >= 0.0 || !is_two_sided_) return std::max(0.0, up);
      return std::min(0.0, lambda + penalty * (excess - lower_));
    };
    for (int i = 0; i < n_; ++i) {
      if (node.state[At(i)] != Fixing::kFree) continue;
      const double size = size_[At(i)];
      const double curvature = model_.shift[At(i)] + penalty * size * size;
      if (curvature <= 0.0) continue;
      const double slope = g_[At(i)] + price() * size;
      const double to = std::clamp(y_[At(i)] - slope / curvature, 0.0, 1.0);
      excess += size * (to - y_[At(i)]);
      Move(i, to - y_[At(i)]);
    }
    lambda = price();
  }
  for (int i = 0; i < n_; ++i) {
    if (place_[At(i)] == Place::kFixed) continue;
    const double y = y_[At(i)];
    place_[At(i)] = y <= kInside         ? Place::kLow
                    : y >= 1.0 - kInside ? Place::kHigh
                                         : Place::kInside;
  }
  Evaluate(MaximizePrice());
  if (best_bound_ >= cutoff) return;
  lambda_ = lambda;
  is_tight_ = has_row_ && (lambda != 0.0 || std::abs(Excess()) > 1e-9);
}

}  // namespace bitpact
