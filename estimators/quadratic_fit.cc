// SPDX-License-Identifier: Apache-2.0
#include "estimators/quadratic_fit.h"

#include <cmath>
#include <limits>
#include <string>

#include "Eigen/Eigenvalues"
#include "Eigen/QR"
#include "core/check.h"

namespace bitpact {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

// Relative to the largest eigenvalue, two a decade.
constexpr int kGridPoints = 19;
constexpr double kLargestPenalty = 10.0;

struct Rows {
  Eigen::Index units = 0;
  Eigen::Index levels = 0;  // options that have an indicator
  MatrixXd centred;         // [row, unit * levels + level]
  VectorXd means;           // weighted, of the indicators
  VectorXd scale;           // square roots of the weights
  [[nodiscard]] Eigen::Index pairs() const {
    return units * (units - 1) / 2 * levels * levels;
  }
};

Rows MakeRows(std::span<const FormatAssignment> assignments,
              std::span<const double> weights,
              int num_options) {
  Rows rows;
  rows.units = static_cast<Eigen::Index>(assignments.front().size());
  rows.levels = num_options - 1;
  const auto count = static_cast<Eigen::Index>(assignments.size());
  rows.centred = MatrixXd::Zero(count, rows.units * rows.levels);
  rows.scale.resize(count);
  for (Eigen::Index r = 0; r < count; ++r) {
    const auto at = static_cast<std::size_t>(r);
    rows.scale[r] = std::sqrt(weights[at]);
    for (Eigen::Index u = 0; u < rows.units; ++u) {
      const int option = assignments[at][static_cast<std::size_t>(u)];
      if (option > 0) rows.centred(r, u * rows.levels + option - 1) = 1.0;
    }
  }
  const VectorXd squares = rows.scale.cwiseAbs2();
  rows.means = rows.centred.transpose() * squares / squares.sum();
  rows.centred.rowwise() -= rows.means.transpose();
  return rows;
}

// Calls visit(k, l, index) for the indicators of all pair terms in order.
template <typename Visit>
void ForEachPair(const Rows& rows, Visit visit) {
  Eigen::Index index = 0;
  for (Eigen::Index u = 0; u < rows.units; ++u) {
    for (Eigen::Index w = u + 1; w < rows.units; ++w) {
      for (Eigen::Index a = 0; a < rows.levels; ++a) {
        for (Eigen::Index b = 0; b < rows.levels; ++b) {
          visit(u * rows.levels + a, w * rows.levels + b, index++);
        }
      }
    }
  }
}

// The pair terms of every row times the row's scale.
MatrixXd ScaledPairTerms(const Rows& rows) {
  MatrixXd terms(rows.centred.rows(), rows.pairs());
  ForEachPair(rows, [&](auto k, auto l, auto index) {
    terms.col(index) = rows.centred.col(k)
                           .cwiseProduct(rows.centred.col(l))
                           .cwiseProduct(rows.scale);
  });
  return terms;
}

// ScaledPairTerms * its transpose without forming it: with g_u(r, s) the
// product of unit u's indicators, sum_{u<w} g_u g_w = ((sum g)^2 - sum g^2)
// / 2.
MatrixXd PairGram(const Rows& rows) {
  const Eigen::Index count = rows.centred.rows();
  MatrixXd sum = MatrixXd::Zero(count, count);
  MatrixXd squares = MatrixXd::Zero(count, count);
  for (Eigen::Index u = 0; u < rows.units; ++u) {
    const auto part = rows.centred.middleCols(u * rows.levels, rows.levels);
    const MatrixXd product = part * part.transpose();
    sum += product;
    squares += product.cwiseAbs2();
  }
  return rows.scale.asDiagonal() * (0.5 * (sum.cwiseAbs2() - squares)) *
         rows.scale.asDiagonal();
}

// The penalised part in its principal axes: left [row, axis] orthonormal,
// energy the squared singular values.
struct Axes {
  MatrixXd left;
  VectorXd energy;
};

Axes PrincipalAxes(const Rows& rows, const MatrixXd& additive) {
  const auto project = [&](MatrixXd matrix) -> MatrixXd {
    matrix -= additive * (additive.transpose() * matrix);
    return matrix;
  };
  Axes axes;
  if (rows.pairs() <= rows.centred.rows()) {
    const MatrixXd terms = project(ScaledPairTerms(rows));
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(terms.transpose() *
                                                         terms);
    axes.energy = solver.eigenvalues();
    axes.left = terms * solver.eigenvectors();
  } else {
    const MatrixXd half = project(PairGram(rows));
    const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(
        project(half.transpose()));
    axes.energy = solver.eigenvalues();
    axes.left = solver.eigenvectors() *
                axes.energy.cwiseMax(0.0).cwiseSqrt().asDiagonal();
  }
  // Keep what is not rounding; `left` holds axis times singular value here.
  const double least = 1e-12 * std::max(axes.energy.maxCoeff(), 0.0);
  Eigen::Index kept = 0;
  for (Eigen::Index j = 0; j < axes.energy.size(); ++j) {
    if (axes.energy[j] <= least) continue;
    axes.left.col(kept) = axes.left.col(j) / std::sqrt(axes.energy[j]);
    axes.energy[kept++] = axes.energy[j];
  }
  axes.left.conservativeResize(Eigen::NoChange, kept);
  axes.energy.conservativeResize(kept);
  return axes;
}

// Shares of each axis that the ridge keeps.
VectorXd Kept(const Axes& axes, double lambda) {
  return axes.energy.array() / (axes.energy.array() + lambda);
}

// The sum of squared leave-one-out errors of the scaled rows.
double LeaveOneOut(const MatrixXd& additive,
                   const Axes& axes,
                   const VectorXd& target,
                   const VectorXd& kept) {
  VectorXd hat = additive.rowwise().squaredNorm();
  VectorXd residual = target - additive * (additive.transpose() * target);
  if (kept.size() > 0) {
    hat += axes.left.cwiseAbs2() * kept;
    residual -= axes.left * (kept.cwiseProduct(axes.left.transpose() * target));
  }
  double sum = 0.0;
  for (Eigen::Index r = 0; r < hat.size(); ++r) {
    const double left_out = residual[r] / std::max(1.0 - hat[r], 1e-6);
    sum += left_out * left_out;
  }
  return sum;
}

// Coefficients of centred indicators to a surrogate of plain ones.
Surrogate Uncentre(const Rows& rows,
                   const VectorXd& pairs,
                   VectorXd linear,
                   double constant) {
  Surrogate surrogate;
  constant -= linear.dot(rows.means);
  const VectorXd means = rows.means;
  ForEachPair(rows, [&](auto k, auto l, auto index) {
    const double value = pairs.size() == 0 ? 0.0 : pairs[index];
    if (value == 0.0) return;
    constant += value * means[k] * means[l];
    linear[k] -= value * means[l];
    linear[l] -= value * means[k];
    surrogate.pairs.push_back({static_cast<int>(k / rows.levels),
                               static_cast<int>(k % rows.levels) + 1,
                               static_cast<int>(l / rows.levels),
                               static_cast<int>(l % rows.levels) + 1,
                               value});
  });
  surrogate.constant = constant;
  for (Eigen::Index u = 0; u < rows.units; ++u) {
    std::vector<double> costs(1, 0.0);
    for (Eigen::Index a = 0; a < rows.levels; ++a) {
      costs.push_back(linear[u * rows.levels + a]);
    }
    surrogate.linear.push_back(std::move(costs));
  }
  return surrogate;
}

// From the fitted values of the pair part back to its coefficients.
Surrogate Recover(const Rows& rows,
                  const MatrixXd& design,
                  const Axes& axes,
                  const VectorXd& target,
                  double lambda,
                  double base_loss) {
  // Residual of the whole fit over lambda is the dual solution.
  VectorXd pairs;
  VectorXd rest = target;
  if (std::isfinite(lambda)) {
    const VectorXd dual =
        axes.left * (axes.left.transpose() * target)
                        .cwiseQuotient((axes.energy.array() + lambda).matrix());
    const VectorXd scaled = dual.cwiseProduct(rows.scale);
    pairs.resize(rows.pairs());
    VectorXd fitted = VectorXd::Zero(target.size());
    ForEachPair(rows, [&](auto k, auto l, auto index) {
      const auto term = rows.centred.col(k).cwiseProduct(rows.centred.col(l));
      pairs[index] = term.dot(scaled);
      fitted += pairs[index] * term;
    });
    rest -= fitted.cwiseProduct(rows.scale);
  }
  const VectorXd additive = design.colPivHouseholderQr().solve(rest);
  return Uncentre(
      rows, pairs, additive.tail(additive.size() - 1), additive[0] - base_loss);
}

}  // namespace

Expected<QuadraticFit> FitQuadratic(std::span<const FormatAssignment> rows,
                                    std::span<const double> losses,
                                    std::span<const double> weights,
                                    int num_options,
                                    double base_loss) {
  BITPACT_CHECK(rows.size() == losses.size() && rows.size() == weights.size(),
                "one loss and weight a row");
  const std::size_t unknowns =
      rows.empty()
          ? 1
          : rows.front().size() * static_cast<std::size_t>(num_options - 1) + 1;
  if (rows.size() < unknowns + 2) {
    return InvalidArgument(
        "coalitions = " + std::to_string(rows.size()) + " violates: at least " +
        std::to_string(unknowns + 2) + " for the additive part");
  }
  const Rows made = MakeRows(rows, weights, num_options);
  MatrixXd design(made.centred.rows(), made.centred.cols() + 1);
  design.col(0) = made.scale;
  design.rightCols(made.centred.cols()) =
      made.scale.asDiagonal() * made.centred;
  const Eigen::ColPivHouseholderQR<MatrixXd> qr(design);
  const MatrixXd additive =
      qr.householderQ() * MatrixXd::Identity(design.rows(), qr.rank());
  const VectorXd target =
      Eigen::Map<const VectorXd>(losses.data(), design.rows())
          .cwiseProduct(made.scale);
  const Axes axes = PrincipalAxes(made, additive);

  QuadraticFit fit;
  fit.lambda = std::numeric_limits<double>::infinity();
  double least = LeaveOneOut(additive, axes, target, VectorXd());
  const double total = made.scale.squaredNorm();
  fit.additive_error = std::sqrt(least / total);
  const double top = axes.energy.size() > 0 ? axes.energy.maxCoeff() : 0.0;
  for (int i = 0; i < kGridPoints && top > 0.0; ++i) {
    const double lambda = top * kLargestPenalty * std::pow(10.0, -0.5 * i);
    const double error =
        LeaveOneOut(additive, axes, target, Kept(axes, lambda));
    if (error < least) {
      least = error;
      fit.lambda = lambda;
    }
  }
  fit.error = std::sqrt(least / total);
  fit.surrogate = Recover(made, design, axes, target, fit.lambda, base_loss);
  return fit;
}

}  // namespace bitpact
