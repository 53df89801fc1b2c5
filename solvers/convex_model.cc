// SPDX-License-Identifier: Apache-2.0
#include "solvers/convex_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "Eigen/Dense"
#include "core/check.h"
#include "solvers/convex_shift.h"
#include "solvers/least_eigenvalue.h"

namespace bitpact {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

constexpr double kRounding = 1e-12;
// Rows of one group that differ from multiples of each other by less, relative
// to their norm, become one coordinate.
constexpr double kLadderTolerance = 1e-13;
// Up to so many coordinates all eigenvalues are found in well under a tenth of
// a second.
constexpr Eigen::Index kMostEigenvalues = 256;
// First step of what a factorization asks for on top of the estimate, relative
// to the matrix.
constexpr double kMendStep = 1e-9;

// Everything but coordinates and shift: what the domain leaves, compressed.
// `pairs` becomes the pairs of its variables, n x n.
ConvexModel Compress(const ReducedProblem& problem,
                     const Domain& domain,
                     Matrix& pairs) {
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
  const auto size = static_cast<Eigen::Index>(n);
  pairs.setZero(size, size);
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
      if (j >= 0) pairs(j, static_cast<Eigen::Index>(i)) = value;
    });
  }
  return model;
}

// Numbers u with (row of v) = u * (row of the pivot) for all variables v of a
// group, whose rows are the columns of `rows`; empty when there are none.
std::vector<double> LadderOf(const Eigen::Ref<const Matrix>& rows,
                             Eigen::Index& pivot) {
  const Eigen::Index count = rows.cols();
  const double norm = rows.colwise().norm().maxCoeff(&pivot);
  std::vector<double> ladder(static_cast<std::size_t>(count), 1.0);
  if (count == 1) return ladder;
  const auto unit = rows.col(pivot);
  for (Eigen::Index c = 0; c < count; ++c) {
    const double u =
        norm > 0.0 ? unit.dot(rows.col(c)) / unit.squaredNorm() : 0.0;
    if ((rows.col(c) - u * unit).norm() > kLadderTolerance * norm) return {};
    ladder[static_cast<std::size_t>(c)] = c == pivot ? 1.0 : u;
  }
  return ladder;
}

// Fills coordinates and curvature (still K); returns the blocks. What the
// ladders miss of the pairs is added to `missed`.
std::vector<CoordinateBlock> MakeCoordinates(const Matrix& pairs,
                                             ConvexModel& model,
                                             Matrix& k,
                                             double& missed) {
  std::vector<CoordinateBlock> blocks;
  std::vector<Eigen::Index> source;  // variable that stands for a coordinate
  for (const ConvexModel::Group& group : model.groups) {
    const auto first = static_cast<Eigen::Index>(source.size());
    Eigen::Index pivot = 0;
    const std::vector<double> ladder =
        LadderOf(pairs.middleCols(group.first, group.NumChoices() - 1), pivot);
    for (int c = 0; c + 1 < group.NumChoices(); ++c) {
      if (ladder.empty() || c == 0) {
        source.push_back(group.first + (ladder.empty() ? c : pivot));
      }
      model.coordinate.push_back(static_cast<int>(source.size()) - 1);
      model.factor.push_back(
          ladder.empty() ? 1.0 : ladder[static_cast<std::size_t>(c)]);
    }
    blocks.push_back({first, static_cast<Eigen::Index>(source.size()) - first});
  }
  const auto m = static_cast<Eigen::Index>(source.size());
  model.num_coordinates = static_cast<int>(m);
  k = pairs(source, source);
  for (Eigen::Index w = 0; w < pairs.cols(); ++w) {
    const auto j = static_cast<std::size_t>(w);
    for (Eigen::Index v = 0; v < w; ++v) {
      const auto i = static_cast<std::size_t>(v);
      missed += std::abs(pairs(v, w) -
                         model.factor[i] * model.factor[j] *
                             k(model.coordinate[i], model.coordinate[j]));
    }
  }
  return blocks;
}

// What the semidefinite shift needs to know: open choices of each coordinate.
std::vector<ShiftGroup> MakeShiftGroups(const ConvexModel& model,
                                        std::span<const double> multipliers) {
  std::vector<ShiftGroup> groups;
  for (const ConvexModel::Group& group : model.groups) {
    for (int v = group.first; v < group.first + group.NumChoices() - 1; ++v) {
      const auto i = static_cast<std::size_t>(v);
      const auto k = static_cast<std::size_t>(model.coordinate[i]);
      if (k == groups.size()) {
        ShiftGroup next;
        next.coordinate = static_cast<Eigen::Index>(k);
        if (group.has_reference || !model.IsLadder(group)) {
          next.factor.push_back(0.0);
          next.cost.push_back(0.0);
        }
        groups.push_back(std::move(next));
      }
      double cost = model.linear[i];
      for (std::size_t r = 0; r < multipliers.size(); ++r) {
        cost += multipliers[r] * static_cast<double>(model.sizes[r][i]);
      }
      groups[k].factor.push_back(model.factor[i]);
      groups[k].cost.push_back(cost);
    }
  }
  return groups;
}

// Moves the shift to the border of the semidefinite cone along its own
// diagonal: adds what is missing, including what rounding may hide, or takes
// back what is not needed. By all eigenvalues while these are quick, otherwise
// by an estimate and the factorization that tells whether it was enough.
void MendShift(const Matrix& k, Matrix& shift) {
  const Eigen::Index m = k.rows();
  Vector scale = shift.diagonal().cwiseAbs();
  const double largest = std::max(scale.maxCoeff(), 1e-300);
  scale = scale.cwiseMax(1e-6 * largest);
  const Vector root = scale.cwiseSqrt().cwiseInverse();
  Matrix balanced = root.asDiagonal() * (k + shift) * root.asDiagonal();
  const double norm = balanced.cwiseAbs().rowwise().sum().maxCoeff();
  const double slack = CholeskyMargin(m, norm);
  if (m <= kMostEigenvalues) {
    const double missing = slack - LeastEigenvalue(balanced);
    shift.diagonal() += missing * scale;
    return;
  }
  double missing = 2.0 * slack - EstimateLeastEigenvalue(balanced);
  balanced.diagonal().array() += missing;
  for (double step = kMendStep * norm; !IsSafelyDefinite(balanced, slack);
       step *= 4.0) {
    balanced.diagonal().array() += step;
    missing += step;
  }
  shift.diagonal() += missing * scale;
}

}  // namespace

void ConvexModel::AddCurvature(std::span<const double> point,
                               std::span<double> gradient) const {
  const auto m = static_cast<std::size_t>(num_coordinates);
  std::vector<double> p(m, 0.0);
  std::vector<double> pull(m, 0.0);
  for (std::size_t v = 0; v < point.size(); ++v) {
    p[static_cast<std::size_t>(coordinate[v])] += factor[v] * point[v];
  }
  for (std::size_t i = 0; i < m; ++i) {
    if (p[i] == 0.0) continue;
    const double* row = curvature.data() + i * m;
    for (std::size_t j = 0; j < m; ++j) pull[j] += p[i] * row[j];
  }
  for (std::size_t v = 0; v < point.size(); ++v) {
    gradient[v] += factor[v] * pull[static_cast<std::size_t>(coordinate[v])];
  }
}

Domain FullDomain(const ReducedProblem& problem) {
  Domain domain;
  domain.reserve(problem.groups.size());
  for (const ReducedGroup& group : problem.groups) {
    domain.emplace_back(group.options.size(), 1);
  }
  return domain;
}

int CountCoordinates(const ReducedProblem& problem) {
  int coordinates = 0;
  Matrix rows;
  for (const ReducedGroup& group : problem.groups) {
    const int count = group.NumChoices() - 1;
    rows.setZero(problem.NumVariables(), count);
    for (int c = 0; c < count; ++c) {
      problem.pairs.ForEachInRow(
          group.first + c, [&](int v, double value) { rows(v, c) = value; });
    }
    Eigen::Index pivot = 0;
    coordinates += LadderOf(rows, pivot).empty() ? count : 1;
  }
  return coordinates;
}

ConvexModel MakeConvexModel(const ReducedProblem& problem,
                            const Domain& domain,
                            Shift shift,
                            std::span<const double> multipliers,
                            const SolveClock* clock) {
  const auto is_late = [clock] {
    return clock != nullptr && clock->Reached(-1) != Limit::kNone;
  };
  Matrix pairs;
  ConvexModel model = Compress(problem, domain, pairs);
  const Eigen::Index n = model.NumVariables();
  if (n == 0) return model;
  Eigen::Map<Vector> linear(model.linear.data(), n);
  double magnitude = std::abs(model.constant) + linear.cwiseAbs().sum() +
                     pairs.cwiseAbs().sum();
  double missed = 0.0;
  Matrix k;
  const std::vector<CoordinateBlock> blocks =
      MakeCoordinates(pairs, model, k, missed);
  Matrix d;
  if (shift == Shift::kLeastEigenvalue) {
    d = LeastEigenvalueShift(k).asDiagonal();
  } else if (shift == Shift::kScaled) {
    d = ScaledShift(k, blocks);
  } else if (shift == Shift::kLeastTrace) {
    d = LeastTraceShift(k, blocks, is_late);
  } else {
    d = SemidefiniteShift(k, MakeShiftGroups(model, multipliers), is_late)
            .asDiagonal();
  }
  MendShift(k, d);
  k += d;
  for (Eigen::Index v = 0; v < n; ++v) {
    const auto i = static_cast<std::size_t>(v);
    const Eigen::Index at = model.coordinate[i];
    const double moved = 0.5 * model.factor[i] * model.factor[i] * d(at, at);
    linear(v) -= moved;
    magnitude += std::abs(moved);
  }
  model.curvature.assign(k.data(), k.data() + k.size());
  model.rounding = kRounding * magnitude + missed;
  return model;
}

}  // namespace bitpact
