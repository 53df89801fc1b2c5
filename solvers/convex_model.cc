// SPDX-License-Identifier: Apache-2.0
#include "solvers/convex_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "Eigen/Dense"
#include "core/check.h"
#include "core/random.h"

namespace bitpact {
namespace {

using Matrix =
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

constexpr int kMixingSweeps = 200;
constexpr double kMixingTolerance = 1e-7;
constexpr double kRounding = 1e-12;

// Everything but the shift: what the domain leaves, compressed.
ConvexModel Compress(const ReducedProblem& problem, const Domain& domain) {
  ConvexModel model;
  model.constant = problem.constant;
  model.limits = problem.limits;
  model.fixed.assign(problem.groups.size(), 0);
  std::vector<double> linear = problem.linear;
  std::vector<int> kept;  // reduced variable of each variable here
  for (int g = 0; g < problem.NumGroups(); ++g) {
    const auto& open = domain[static_cast<std::size_t>(g)];
    const auto count = std::count(open.begin(), open.end(), 1);
    BITPACT_CHECK(count > 0, "a group without choices");
    if (count == 1) {
      const auto choice = static_cast<int>(
          std::find(open.begin(), open.end(), 1) - open.begin());
      model.fixed[static_cast<std::size_t>(g)] = choice;
      const int variable = problem.VariableOf(g, choice);
      if (variable < 0) continue;
      // Later fixed groups see this one's pairs in their linear cost.
      model.constant += linear[static_cast<std::size_t>(variable)];
      problem.pairs.AddRow(variable, 1.0, linear);
      for (std::size_t k = 0; k < model.limits.size(); ++k) {
        model.limits[k] -= problem.sizes[k][static_cast<std::size_t>(variable)];
      }
      continue;
    }
    ConvexModel::Group group;
    group.reduced_group = g;
    group.reduced_choices = {0};
    group.has_reference = open[0] == 1;
    group.first = static_cast<int>(kept.size());
    for (int c = 1; c < static_cast<int>(open.size()); ++c) {
      if (open[static_cast<std::size_t>(c)] == 0) continue;
      group.reduced_choices.push_back(c);
      kept.push_back(problem.VariableOf(g, c));
      model.group_of.push_back(static_cast<int>(model.groups.size()));
    }
    model.groups.push_back(std::move(group));
  }
  const std::size_t n = kept.size();
  model.sizes.assign(problem.sizes.size(), std::vector<std::int64_t>(n));
  model.matrix.assign(n * n, 0.0);
  std::vector<int> position(linear.size(), -1);
  for (std::size_t i = 0; i < n; ++i) {
    position[static_cast<std::size_t>(kept[i])] = static_cast<int>(i);
  }
  for (std::size_t i = 0; i < n; ++i) {
    const auto v = static_cast<std::size_t>(kept[i]);
    model.linear.push_back(linear[v]);
    for (std::size_t k = 0; k < model.sizes.size(); ++k) {
      model.sizes[k][i] = problem.sizes[k][v];
    }
    problem.pairs.ForEachInRow(kept[i], [&](int w, double value) {
      const int j = position[static_cast<std::size_t>(w)];
      if (j >= 0) model.matrix[i * n + static_cast<std::size_t>(j)] = value;
    });
  }
  return model;
}

double LeastEigenvalue(const Matrix& matrix) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
      matrix, Eigen::EigenvaluesOnly);
  return solver.eigenvalues()(0);
}

Vector ScaledShift(const Matrix& q) {
  Vector scale = q.rowwise().norm();
  const double largest = scale.maxCoeff();
  if (largest == 0.0) return Vector::Zero(q.rows());
  // A variable with (almost) no pairs must not be divided by zero.
  scale = scale.cwiseMax(1e-9 * largest);
  const Vector root = scale.cwiseSqrt().cwiseInverse();
  const Matrix balanced = root.asDiagonal() * q * root.asDiagonal();
  return std::max(0.0, -LeastEigenvalue(balanced)) * scale;
}

// Unit vectors v_0 .. v_n minimise sum over i < j of A_ij v_i.v_j, where A
// comes from f by z = (1 + v_0.v) / 2; v_0 is the first coordinate. At the
// optimum A + diag(|g_i|) is positive semidefinite with g_i = sum over j of
// A_ij v_j.
Vector SemidefiniteShift(const Matrix& q, const Vector& cost) {
  const Eigen::Index n = q.rows();
  const auto rank = static_cast<Eigen::Index>(std::ceil(
                        std::sqrt(2.0 * static_cast<double>(n + 1)))) +
                    1;
  const Vector c = 0.5 * cost + 0.25 * q.rowwise().sum();
  RandomStream stream(1, "solvers/mixing_method");
  Matrix v(n, rank);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index r = 0; r < rank; ++r) v(i, r) = stream.Normal();
    v.row(i).normalize();
  }
  Vector norms = Vector::Zero(n);
  Eigen::RowVectorXd g(rank);
  for (int sweep = 0; sweep < kMixingSweeps; ++sweep) {
    double moved = 0.0;
    for (Eigen::Index i = 0; i < n; ++i) {
      g.noalias() = 0.25 * (q.row(i) * v);
      g(0) += c(i);
      norms(i) = g.norm();
      if (norms(i) == 0.0) continue;
      g /= -norms(i);
      moved = std::max(moved, (g - v.row(i)).squaredNorm());
      v.row(i) = g;
    }
    if (moved < kMixingTolerance) break;
  }
  return 4.0 * norms;
}

}  // namespace

Domain FullDomain(const ReducedProblem& problem) {
  Domain domain;
  domain.reserve(problem.groups.size());
  for (const ReducedGroup& group : problem.groups) {
    domain.emplace_back(group.options.size(), 1);
  }
  return domain;
}

ConvexModel MakeConvexModel(const ReducedProblem& problem,
                            const Domain& domain,
                            Shift shift,
                            std::span<const double> multipliers) {
  ConvexModel model = Compress(problem, domain);
  const Eigen::Index n = model.NumVariables();
  if (n == 0) return model;
  Eigen::Map<Matrix> q(model.matrix.data(), n, n);
  Eigen::Map<Vector> linear(model.linear.data(), n);
  const double magnitude =
      std::abs(model.constant) + linear.cwiseAbs().sum() + q.cwiseAbs().sum();
  Vector d;
  if (shift == Shift::kScaled) {
    d = ScaledShift(q);
  } else {
    Vector cost = linear;
    for (std::size_t k = 0; k < multipliers.size(); ++k) {
      for (Eigen::Index i = 0; i < n; ++i) {
        cost(i) +=
            multipliers[k] *
            static_cast<double>(model.sizes[k][static_cast<std::size_t>(i)]);
      }
    }
    d = SemidefiniteShift(q, cost);
  }
  // Whatever the method left, including its own rounding, is shifted away.
  Matrix shifted = q;
  shifted.diagonal() += d;
  const double norm = shifted.cwiseAbs().rowwise().sum().maxCoeff();
  const double slack = 4.0 * std::numeric_limits<double>::epsilon() *
                       static_cast<double>(n) * norm;
  const double missing = slack - LeastEigenvalue(shifted);
  if (missing > 0.0) d.array() += missing;
  q.diagonal() += d;
  linear -= 0.5 * d;
  model.rounding = kRounding * (magnitude + d.cwiseAbs().sum());
  return model;
}

}  // namespace bitpact
