// SPDX-License-Identifier: Apache-2.0
#include "solvers/convex_shift.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "core/check.h"
#include "core/random.h"

namespace bitpact {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Blocks = std::vector<CoordinateBlock>;

constexpr int kBalancingSteps = 12;
// A coordinate with (almost) no pairs must not be divided by zero.
constexpr double kLeastBalance = 1e-9;
constexpr double kLeastPull = 1e-9;
constexpr int kTraceSweeps = 100;
constexpr double kTraceTolerance = 1e-4;
constexpr int kMixingSweeps = 200;
constexpr double kMixingTolerance = 1e-7;
// Halvings of the interval that holds one coordinate's shift.
constexpr int kShiftSteps = 24;

// f applied to the eigenvalues of a small symmetric block.
template <typename Function>
Matrix OfEigenvalues(const Matrix& block, Function&& f) {
  if (block.rows() == 1) return Matrix::Constant(1, 1, f(block(0, 0)));
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(block);
  const Matrix& v = solver.eigenvectors();
  return v * solver.eigenvalues().unaryExpr(f).asDiagonal() * v.transpose();
}

// B^(-1/2) K B^(-1/2), where `inverse_root` has one block a group.
Matrix Balanced(const Matrix& k,
                const Blocks& blocks,
                const std::vector<Matrix>& inverse_root) {
  Matrix half = k;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    auto columns = half.middleCols(blocks[b].first, blocks[b].size);
    columns = (columns * inverse_root[b]).eval();
  }
  Matrix balanced = half.transpose();
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    auto columns = balanced.middleCols(blocks[b].first, blocks[b].size);
    columns = (columns * inverse_root[b]).eval();
  }
  return balanced;
}

Matrix RandomVectors(Eigen::Index m) {
  const auto rank = static_cast<Eigen::Index>(std::ceil(
                        std::sqrt(2.0 * static_cast<double>(m + 1)))) +
                    1;
  RandomStream stream(1, "solvers/mixing_method");
  Matrix v(rank, m);
  for (Eigen::Index i = 0; i < m; ++i) {
    for (Eigen::Index r = 0; r < rank; ++r) v(r, i) = stream.Normal();
    v.col(i).normalize();
  }
  return v;
}

// The minimum over one group, for a fixed shift d: the point of the coordinate
// and the variance of the factors there. The minimum of a function that is
// concave between any two choices' weights but for p^2 lies on the line between
// two choices.
struct GroupPoint {
  double value = 0.0;
  double mean = 0.0;
  double variance = 0.0;
};
GroupPoint Minimize(const ShiftGroup& group, double slope, double d) {
  const std::size_t n = group.factor.size();
  GroupPoint best;
  for (std::size_t i = 0; i < n; ++i) {
    const double from = group.cost[i] + slope * group.factor[i];
    if (i == 0 || from < best.value) best = {from, group.factor[i], 0.0};
    for (std::size_t j = 0; j < i; ++j) {
      const double rise = group.cost[j] + slope * group.factor[j] - from;
      const double step = group.factor[j] - group.factor[i];
      const double bend = d * step * step;
      if (std::abs(rise) >= 0.5 * bend) continue;
      const double t = 0.5 - rise / bend;
      const double spread = t * (1.0 - t);
      const double value = from + t * rise - 0.5 * spread * bend;
      if (value < best.value) {
        best = {value, group.factor[i] + t * step, spread * step * step};
      }
    }
  }
  return best;
}

// The shift at which the standard deviation is `pull` / shift.
double BalanceShift(const ShiftGroup& group,
                    double slope,
                    double pull,
                    double start,
                    GroupPoint& point) {
  const auto is_low = [&](double d) {
    point = Minimize(group, slope, d);
    return d * std::sqrt(point.variance) < pull;
  };
  double low = start;
  double high = start;
  if (is_low(start)) {
    for (int i = 0; i < 60 && is_low(high); ++i) high *= 2.0;
    low = 0.5 * high;
  } else {
    for (int i = 0; i < 60 && !is_low(low); ++i) low *= 0.5;
    high = 2.0 * low;
  }
  for (int i = 0; i < kShiftSteps; ++i) {
    const double middle = 0.5 * (low + high);
    (is_low(middle) ? low : high) = middle;
  }
  const double d = 0.5 * (low + high);
  point = Minimize(group, slope, d);
  return d;
}

}  // namespace

double LeastEigenvalue(const Matrix& matrix) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(matrix,
                                                     Eigen::EigenvaluesOnly);
  return solver.eigenvalues()(0);
}

Vector LeastEigenvalueShift(const Matrix& k) {
  return Vector::Constant(k.rows(), std::max(0.0, -LeastEigenvalue(k)));
}

Matrix ScaledShift(const Matrix& k, const Blocks& blocks) {
  const Eigen::Index m = k.rows();
  Matrix shift = Matrix::Zero(m, m);
  const double largest = k.rowwise().norm().maxCoeff();
  if (largest == 0.0) return shift;
  std::vector<Matrix> scale;
  std::vector<Matrix> inverse_root;
  for (const CoordinateBlock& block : blocks) {
    scale.push_back(largest * Matrix::Identity(block.size, block.size));
    inverse_root.push_back(scale.back() / std::pow(largest, 1.5));
  }
  for (int step = 0; step < kBalancingSteps; ++step) {
    const Matrix balanced = Balanced(k, blocks, inverse_root);
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const auto columns = balanced.middleCols(blocks[b].first, blocks[b].size);
      const Matrix gram = columns.transpose() * columns;
      const double least = kLeastBalance * (1.0 + gram.trace());
      const Matrix norm = OfEigenvalues(
          gram, [&](double e) { return std::sqrt(std::max(e, least)); });
      const Matrix root =
          OfEigenvalues(scale[b], [](double e) { return std::sqrt(e); });
      scale[b] = root * norm * root;
      const double floor = kLeastBalance * largest;
      inverse_root[b] = OfEigenvalues(scale[b], [&](double e) {
        return 1.0 / std::sqrt(std::max(e, floor));
      });
    }
  }
  const double t =
      std::max(0.0, -LeastEigenvalue(Balanced(k, blocks, inverse_root)));
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const auto [first, size] = blocks[b];
    shift.block(first, first, size, size) =
        t * OfEigenvalues(scale[b], [&](double e) {
          return std::max(e, kLeastBalance * largest);
        });
  }
  return shift;
}

// The dual of min <K, V'V> over V with V_b'V_b = I for every block: the block
// of V that is best for the others is -G (G'G)^(-1/2) with G = V K_b, and
// (G'G)^(1/2) its multiplier.
Matrix LeastTraceShift(const Matrix& k,
                       const Blocks& blocks,
                       const IsLate& is_late) {
  const Eigen::Index m = k.rows();
  Matrix shift = Matrix::Zero(m, m);
  const double largest = k.rowwise().norm().maxCoeff();
  if (largest == 0.0) return shift;
  const double least = kLeastPull * largest;
  Matrix v = RandomVectors(m);
  for (int sweep = 0; sweep < kTraceSweeps; ++sweep) {
    double moved = 0.0;
    for (const auto& [first, size] : blocks) {
      const Matrix pull = v * k.middleCols(first, size);
      auto d = shift.block(first, first, size, size);
      if (size == 1) {
        d(0, 0) = std::max(pull.norm(), least);
      } else {
        d = OfEigenvalues(pull.transpose() * pull, [&](double e) {
          return std::max(std::sqrt(std::max(e, 0.0)), least);
        });
      }
      const Matrix next = -pull * d.inverse();
      moved = std::max(moved, (next - v.middleCols(first, size)).squaredNorm());
      v.middleCols(first, size) = next;
    }
    if (moved < kTraceTolerance || is_late()) break;
  }
  return shift;
}

// One vector a coordinate, v = mean * e_0 + something across e_0 whose length
// is the standard deviation of the factors; the pairs pull it against the sum
// of the other vectors.
Vector SemidefiniteShift(const Matrix& k,
                         const std::vector<ShiftGroup>& groups,
                         const IsLate& is_late) {
  const Eigen::Index m = k.rows();
  BITPACT_CHECK(static_cast<Eigen::Index>(groups.size()) == m, "one each");
  Matrix v = RandomVectors(m);
  const double start = std::max(k.rowwise().norm().maxCoeff(), 1e-300);
  Vector shift = Vector::Constant(m, start);
  Vector pull(v.rows());
  for (int sweep = 0; sweep < kMixingSweeps; ++sweep) {
    double moved = 0.0;
    for (Eigen::Index i = 0; i < m; ++i) {
      pull.noalias() = v * k.col(i);
      const double slope = pull(0);
      pull(0) = 0.0;
      const double across = pull.norm();
      GroupPoint point;
      if (across <= 1e-12 * start) {
        shift(i) = 1e-12 * start;
        point = Minimize(groups[static_cast<std::size_t>(i)], slope, 0.0);
        pull.setZero();
      } else {
        shift(i) = BalanceShift(groups[static_cast<std::size_t>(i)],
                                slope,
                                across,
                                shift(i),
                                point);
        pull *= -1.0 / shift(i);
      }
      pull(0) = point.mean;
      moved = std::max(moved, (pull - v.col(i)).squaredNorm());
      v.col(i) = pull;
    }
    if (moved < kMixingTolerance || is_late()) break;
  }
  return shift;
}

}  // namespace bitpact
