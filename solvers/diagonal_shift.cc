// SPDX-License-Identifier: Apache-2.0
#include "solvers/diagonal_shift.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>

#include "Eigen/Dense"
#include "core/random.h"
#include "solvers/least_eigenvalue.h"

namespace bitpact {
namespace {

using Matrix =
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;
using MatrixView = Eigen::Map<const Matrix>;

constexpr int kBalancingRounds = 12;
// On covariances of 224 variables a tenth of the rank that would be exact, and
// ten sweeps, bound as well as rank 22 and 60 sweeps to 0.05%.
constexpr Eigen::Index kTraceRank = 6;
constexpr int kTraceSweeps = 10;

MatrixView View(const TwoWayModel& model) {
  const Eigen::Index n = model.NumVariables();
  return {model.matrix.data(), n, n};
}

// s with equal row norms of diag(s)^-1/2 Q diag(s)^-1/2 (a symmetric
// equilibration by damped fixed-point steps).
Vector BalancingScale(const MatrixView& q) {
  const Eigen::Index n = q.rows();
  const Matrix squares = q.cwiseAbs2();
  Vector x = Vector::Ones(n);  // 1 / s
  for (int round = 0; round < kBalancingRounds; ++round) {
    const Vector sums = x.cwiseProduct(squares * x);
    const double mean = sums.mean();
    if (mean == 0.0) break;
    for (Eigen::Index i = 0; i < n; ++i) {
      x(i) *= std::sqrt(mean / std::max(sums(i), 1e-6 * mean));
    }
  }
  Vector scale = x.cwiseInverse();
  const double largest = scale.maxCoeff();
  return scale.cwiseMax(1e-9 * largest);
}

// Adds multiples of `direction` until Q + diag(d) is positive definite by
// enough for any factorization to say so.
void MakeSafe(const MatrixView& q, const Vector& direction, Vector& d) {
  const Eigen::Index n = q.rows();
  const double norm = (q.cwiseAbs().rowwise().sum() + d.cwiseAbs()).maxCoeff();
  const double margin = CholeskyMargin(n, norm);
  if (norm == 0.0) return;
  d.array() += 2.0 * margin;
  double step = 1e-6 * std::max(d.cwiseAbs().maxCoeff() / direction.maxCoeff(),
                                norm / direction.maxCoeff() * 1e-3);
  for (;;) {
    Eigen::MatrixXd shifted = q;
    shifted.diagonal() += d;
    if (IsSafelyDefinite(std::move(shifted), margin)) return;
    d += step * direction;
    step *= 4.0;
  }
}

// The direction of the shift with the least trace relative to `scale`: d =
// norms of the gradients of the mixing method on diag(scale)^-1/2 Q
// diag(scale)^-1/2 without linear terms, stopped early and of low rank, because
// only the direction is wanted. Of a covariance without its diagonal this finds
// the diagonal (minimum trace factor analysis).
Vector LeastTraceScale(const MatrixView& q, const Vector& scale) {
  const Eigen::Index n = q.rows();
  const Vector root = scale.cwiseSqrt().cwiseInverse();
  const Matrix balanced = root.asDiagonal() * q * root.asDiagonal();
  const Eigen::Index rank = std::min(kTraceRank, n);
  RandomStream stream(1, "solvers/least_trace");
  Matrix v(n, rank);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index r = 0; r < rank; ++r) v(i, r) = stream.Normal();
    v.row(i).normalize();
  }
  Vector norms = Vector::Zero(n);
  Eigen::RowVectorXd g(rank);
  for (int sweep = 0; sweep < kTraceSweeps; ++sweep) {
    for (Eigen::Index i = 0; i < n; ++i) {
      g.noalias() = balanced.row(i) * v;
      norms(i) = g.norm();
      if (norms(i) > 0.0) v.row(i) = g / -norms(i);
    }
  }
  const double least = 1e-3 * norms.maxCoeff();
  if (least == 0.0) return scale;
  return norms.cwiseMax(least).cwiseProduct(scale);
}

std::vector<double> ToVector(const Vector& d) {
  return {d.data(), d.data() + d.size()};
}

// One solve of the mixing method at a price; returns the gradient norms.
class Mixing {
 public:
  Mixing(const TwoWayModel& model, MixingState& state)
      : q_(View(model)),
        n_(q_.rows()),
        rank_(static_cast<Eigen::Index>(
                  std::ceil(std::sqrt(2.0 * static_cast<double>(n_ + 1)))) +
              1),
        sizes_(n_),
        base_(Eigen::Map<const Vector>(model.linear.data(), n_) * 0.5 +
              0.25 * q_.rowwise().sum()),
        norms_(Vector::Zero(n_)) {
    for (Eigen::Index i = 0; i < n_; ++i) {
      sizes_(i) = static_cast<double>(model.sizes[static_cast<std::size_t>(i)]);
    }
    if (!state.is_warm ||
        state.vectors.size() != static_cast<std::size_t>(n_ * rank_)) {
      state.vectors.resize(static_cast<std::size_t>(n_ * rank_));
      RandomStream stream(1, "solvers/mixing_method");
      Eigen::Map<Matrix> v(state.vectors.data(), n_, rank_);
      for (Eigen::Index i = 0; i < n_; ++i) {
        for (Eigen::Index r = 0; r < rank_; ++r) v(i, r) = stream.Normal();
        v.row(i).normalize();
      }
    }
    v_ = state.vectors.data();
  }

  // v_0 is the first coordinate; z = (1 + v_0.v) / 2.
  void Sweeps(double price, int most, double tolerance) {
    Eigen::Map<Matrix> v(v_, n_, rank_);
    Eigen::RowVectorXd g(rank_);
    const Vector c = base_ + 0.5 * price * sizes_;
    for (int sweep = 0; sweep < most; ++sweep) {
      double moved = 0.0;
      for (Eigen::Index i = 0; i < n_; ++i) {
        g.noalias() = 0.25 * (q_.row(i) * v);
        g(0) += c(i);
        norms_(i) = g.norm();
        if (norms_(i) == 0.0) continue;
        g /= -norms_(i);
        moved += (g - v.row(i)).squaredNorm();
        v.row(i) = g;
      }
      if (moved < tolerance * static_cast<double>(n_)) break;
    }
  }

  [[nodiscard]] double Use() const {
    const Eigen::Map<const Matrix> v(v_, n_, rank_);
    return 0.5 * sizes_.dot((1.0 + v.col(0).array()).matrix());
  }
  [[nodiscard]] const Vector& sizes() const { return sizes_; }
  [[nodiscard]] Vector Shift() const { return 4.0 * norms_; }
  [[nodiscard]] double TypicalPrice() const {
    const double size = sizes_.cwiseAbs().mean();
    return size > 0.0 ? base_.cwiseAbs().mean() / size : 0.0;
  }

 private:
  MatrixView q_;
  Eigen::Index n_;
  Eigen::Index rank_;
  Vector sizes_;
  Vector base_;
  Vector norms_;
  double* v_ = nullptr;
};

constexpr int kCoarseSweeps = 12;
constexpr double kCoarseTolerance = 1e-5;
constexpr int kFineSweeps = 200;
constexpr double kFineTolerance = 1e-8;
constexpr int kQuickSweeps = 12;
constexpr int kPriceSteps = 14;

// Leaves the price of the row in `state`.
void FindPrice(const TwoWayModel& model, Mixing& mixing, MixingState& state) {
  const auto excess = [&](double price) {
    mixing.Sweeps(price, kCoarseSweeps, kCoarseTolerance);
    const double use = mixing.Use();
    if (model.upper != TwoWayModel::kNoUpper &&
        use > static_cast<double>(model.upper)) {
      return 1;
    }
    return model.lower != TwoWayModel::kNoLower &&
                   use < static_cast<double>(model.lower)
               ? -1
               : 0;
  };
  mixing.Sweeps(state.price, 2 * kCoarseSweeps, kCoarseTolerance);
  const int side = excess(state.price);
  const double unit = mixing.TypicalPrice();
  if (unit == 0.0) return;
  // A bracket: a price that is too low and one that is too high.
  double low = state.price;
  double high = state.price;
  const bool has_bound_below = model.lower == TwoWayModel::kNoLower;
  double step = state.is_warm ? 0.02 * unit : 0.5 * unit;
  if (side > 0) {
    for (int k = 0; k < 20 && excess(high) > 0; ++k, step *= 2.0) {
      low = high;
      high += step;
    }
  } else {
    for (int k = 0; k < 20; ++k, step *= 2.0) {
      if (has_bound_below && low <= 0.0) break;
      low = has_bound_below ? std::max(0.0, low - step) : low - step;
      if (excess(low) > 0) break;
      high = low;
    }
  }
  for (int k = 0; k < kPriceSteps && high - low > 1e-3 * unit; ++k) {
    const double middle = 0.5 * (low + high);
    (excess(middle) > 0 ? low : high) = middle;
  }
  state.price = 0.5 * (low + high);
}

// d from the mixing method's norms, as small as it may be.
std::vector<double> FinishSemidefinite(const MatrixView& q, Vector d) {
  const double largest = d.maxCoeff();
  if (largest == 0.0) return ToVector(d);
  const Vector scale = d.cwiseMax(1e-3 * largest);
  const Vector root = scale.cwiseSqrt().cwiseInverse();
  Matrix balanced = q;
  balanced.diagonal() += d;
  balanced = root.asDiagonal() * balanced * root.asDiagonal();
  // Both ways: what is not needed is taken back.
  d -= EstimateLeastEigenvalue(balanced) * scale;
  MakeSafe(q, scale, d);
  return ToVector(d);
}

}  // namespace

std::vector<double> ScaledShift(const TwoWayModel& model) {
  const MatrixView q = View(model);
  if (q.rows() == 0) return {};
  const Vector scale = LeastTraceScale(q, BalancingScale(q));
  const Vector root = scale.cwiseSqrt().cwiseInverse();
  const Matrix balanced = root.asDiagonal() * q * root.asDiagonal();
  Vector d = std::max(0.0, -EstimateLeastEigenvalue(balanced)) * scale;
  MakeSafe(q, scale, d);
  return ToVector(d);
}

std::vector<double> SemidefiniteShift(const TwoWayModel& model,
                                      MixingState& state) {
  const MatrixView q = View(model);
  if (q.rows() == 0) return {};
  Mixing mixing(model, state);
  if (model.HasRow()) FindPrice(model, mixing, state);
  mixing.Sweeps(state.price, kFineSweeps, kFineTolerance);
  state.is_warm = true;
  return FinishSemidefinite(q, mixing.Shift());
}

std::vector<double> QuickSemidefiniteShift(const TwoWayModel& model,
                                           double price) {
  const MatrixView q = View(model);
  if (q.rows() == 0) return {};
  MixingState state;
  Mixing mixing(model, state);
  mixing.Sweeps(price, kQuickSweeps, kCoarseTolerance);
  return FinishSemidefinite(q, mixing.Shift());
}

}  // namespace bitpact
