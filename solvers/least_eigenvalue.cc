// SPDX-License-Identifier: Apache-2.0
#include "solvers/least_eigenvalue.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random.h"

namespace bitpact {
namespace {

using Vector = Eigen::VectorXd;

// Up to this size all eigenvalues are cheaper than Lanczos.
constexpr Eigen::Index kDense = 100;
constexpr int kLanczosSteps = 60;
constexpr Eigen::Index kLanczosCheck = 12;
constexpr double kLanczosTolerance = 1e-3;

}  // namespace

double EstimateLeastEigenvalue(
    const Eigen::Ref<const Eigen::MatrixXd>& matrix) {
  const Eigen::Index n = matrix.rows();
  if (n <= kDense) {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
        matrix, Eigen::EigenvaluesOnly);
    return solver.eigenvalues()(0);
  }
  const Eigen::Index steps = std::min<Eigen::Index>(kLanczosSteps, n - 1);
  Eigen::MatrixXd basis(n, steps + 1);
  Vector alpha(steps);
  Vector beta(steps);
  RandomStream stream(1, "solvers/lanczos");
  for (Eigen::Index i = 0; i < n; ++i) basis(i, 0) = stream.Normal();
  basis.col(0).normalize();
  double least = 0.0;
  for (Eigen::Index k = 0; k < steps; ++k) {
    Vector w = matrix * basis.col(k);
    alpha(k) = w.dot(basis.col(k));
    for (int twice = 0; twice < 2; ++twice) {
      const Vector parts = basis.leftCols(k + 1).transpose() * w;
      w.noalias() -= basis.leftCols(k + 1) * parts;
    }
    beta(k) = w.norm();
    const bool is_last = k + 1 == steps || beta(k) < 1e-12;
    if (is_last || k % kLanczosCheck == kLanczosCheck - 1) {
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> ritz;
      ritz.computeFromTridiagonal(alpha.head(k + 1), beta.head(k));
      least = ritz.eigenvalues()(0);
      const double residual = beta(k) * std::abs(ritz.eigenvectors()(k, 0));
      if (is_last || residual < kLanczosTolerance * std::abs(least)) {
        return least - residual * residual /
                           std::max(std::abs(least),
                                    std::numeric_limits<double>::min());
      }
    }
    basis.col(k + 1) = w / beta(k);
  }
  return least;
}

double CholeskyMargin(Eigen::Index rows, double norm) {
  return 4.0 * std::numeric_limits<double>::epsilon() *
         static_cast<double>(rows) * norm;
}

bool IsSafelyDefinite(Eigen::MatrixXd matrix, double margin) {
  matrix.diagonal().array() -= margin;
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(matrix);
  return factor.info() == Eigen::Success;
}

}  // namespace bitpact
