// SPDX-License-Identifier: Apache-2.0
#include "solvers/convex_programme.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace bitpact {
namespace {

constexpr int kBalanceRounds = 20;
// Of the largest entry: what the shift is raised by against rounding.
constexpr double kShiftMargin = 1e-10;

// Balanced rows: a covariance without its diagonal gets its variances back.
Eigen::VectorXd Balance(const Eigen::MatrixXd& q) {
  Eigen::VectorXd scale = Eigen::VectorXd::Ones(q.rows());
  for (int round = 0; round < kBalanceRounds; ++round) {
    for (Eigen::Index i = 0; i < q.rows(); ++i) {
      double sum = 0.0;
      for (Eigen::Index j = 0; j < q.rows(); ++j) {
        if (q(i, j) != 0.0) sum += q(i, j) * q(i, j) / scale(j);
      }
      const double norm = std::sqrt(sum / scale(i));
      if (norm > 0.0) scale(i) *= norm;
    }
  }
  return scale;
}

// d; empty when Q + diag(d) is not semidefinite after all.
Eigen::VectorXd Shift(const Eigen::MatrixXd& q) {
  const Eigen::VectorXd scale = Balance(q);
  const Eigen::VectorXd root = scale.cwiseSqrt().cwiseInverse();
  const Eigen::MatrixXd balanced = root.asDiagonal() * q * root.asDiagonal();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(
      balanced, Eigen::EigenvaluesOnly);
  const double least = std::max(0.0, -eigen.eigenvalues()(0));
  const double margin = kShiftMargin * q.cwiseAbs().maxCoeff();
  const Eigen::VectorXd shift = (least * (1.0 + kShiftMargin)) * scale +
                                Eigen::VectorXd::Constant(q.rows(), margin);
  Eigen::MatrixXd shifted = q;
  shifted.diagonal() += shift;
  const bool is_convex =
      margin == 0.0 ||
      Eigen::LLT<Eigen::MatrixXd>(shifted).info() == Eigen::Success;
  return is_convex ? shift : Eigen::VectorXd();
}

void ScaleRow(MilpModel::Row& row) {
  double largest = 0.0;
  for (const double c : row.coefficients) {
    largest = std::max(largest, std::abs(c));
  }
  if (largest == 0.0) return;
  for (double& c : row.coefficients) c /= largest;
  row.lower /= largest;
  row.upper /= largest;
}

}  // namespace

Expected<ConvexProgramme> MakeConvexProgramme(const ReducedProblem& reduced) {
  const auto n = static_cast<Eigen::Index>(reduced.NumVariables());
  ConvexProgramme programme;
  programme.bend = Eigen::MatrixXd::Zero(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    reduced.pairs.ForEachInRow(static_cast<int>(i), [&](int j, double value) {
      programme.bend(i, j) = value;
    });
  }
  const Eigen::VectorXd shift = Shift(programme.bend);
  if (shift.size() != n) {
    return Fail(
        ErrorCode::kUnsupported,
        "takes convex problems only, and no diagonal makes the pair terms "
        "semidefinite to rounding");
  }
  programme.bend.diagonal() += shift;
  programme.unit = programme.bend.cwiseAbs().maxCoeff();
  for (Eigen::Index i = 0; i < n; ++i) {
    const double cost =
        reduced.linear[static_cast<std::size_t>(i)] - 0.5 * shift(i);
    programme.linear.push_back(cost);
    programme.unit = std::max(programme.unit, std::abs(cost));
  }
  if (programme.unit == 0.0) programme.unit = 1.0;
  programme.bend /= programme.unit;
  for (double& cost : programme.linear) cost /= programme.unit;
  programme.rows = LinearPart(reduced).rows;
  for (MilpModel::Row& row : programme.rows) ScaleRow(row);
  return programme;
}

}  // namespace bitpact
