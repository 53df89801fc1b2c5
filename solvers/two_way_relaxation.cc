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

struct TwoWayRelaxation::Factor {
  Eigen::MatrixXd matrix;
  Eigen::VectorXd right;
  Eigen::VectorXd size;
};

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
      is_one_(At(n_), 0),
      factor_(std::make_unique<Factor>()) {
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

TwoWayRelaxation::~TwoWayRelaxation() = default;

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
  if (factor_->matrix.rows() < m) {
    const Eigen::Index room = std::min<Eigen::Index>(n_, 2 * m + 8);
    factor_->matrix.resize(room, room);
    factor_->right.resize(room);
    factor_->size.resize(room);
  }
  for (Eigen::Index c = 0; c < m; ++c) {
    const int i = inside_[static_cast<std::size_t>(c)];
    const double* row = model_.matrix.data() + At(i) * At(n_);
    double* column = &factor_->matrix(0, c);
    for (Eigen::Index r = c; r < m; ++r) {
      column[r] = row[inside_[static_cast<std::size_t>(r)]];
    }
    column[c] = model_.shift[At(i)] * (1.0 + kRidge);
    factor_->right(c) = -g_[At(i)];
    factor_->size(c) = size_[At(i)];
  }
  Eigen::Ref<Eigen::MatrixXd> block = factor_->matrix.topLeftCorner(m, m);
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> cholesky(block);
  if (cholesky.info() != Eigen::Success) return false;
  auto right = factor_->right.head(m);
  auto size = factor_->size.head(m);
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
