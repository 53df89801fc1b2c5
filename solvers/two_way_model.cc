// SPDX-License-Identifier: Apache-2.0
#include "solvers/two_way_model.h"

#include <cmath>
#include <cstddef>
#include <utility>

namespace bitpact {
namespace {

constexpr double kRounding = 1e-12;

bool AreOpposite(const ReducedProblem& problem) {
  for (std::size_t v = 0; v < problem.linear.size(); ++v) {
    if (problem.sizes[0][v] != -problem.sizes[1][v]) return false;
  }
  return true;
}

}  // namespace

double TwoWayModel::Value(std::span<const char> z) const {
  double value = constant;
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (z[i] == 0) continue;
    value += linear[i];
    const std::span<const double> row = Row(static_cast<int>(i));
    for (std::size_t j = 0; j < i; ++j) {
      if (z[j] != 0) value += row[j];
    }
  }
  return value;
}

std::int64_t TwoWayModel::Use(std::span<const char> z) const {
  std::int64_t use = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (z[i] != 0) use += sizes[i];
  }
  return use;
}

bool IsTwoWayModel(const ReducedProblem& problem) {
  if (!problem.IsTwoWay()) return false;
  return problem.NumResources() <= 1 ||
         (problem.NumResources() == 2 && AreOpposite(problem));
}

TwoWayModel MakeTwoWayModel(const ReducedProblem& problem) {
  TwoWayModel model;
  model.constant = problem.constant;
  model.linear = problem.linear;
  const std::size_t n = model.linear.size();
  model.sizes.assign(n, 0);
  if (problem.NumResources() > 0) {
    model.sizes = problem.sizes[0];
    model.upper = problem.limits[0];
  }
  if (problem.NumResources() > 1) model.lower = -problem.limits[1];
  model.matrix.assign(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    model.reduced_variable.push_back(static_cast<int>(i));
    problem.pairs.ForEachInRow(static_cast<int>(i), [&](int j, double value) {
      model.matrix[i * n + static_cast<std::size_t>(j)] = value;
    });
  }
  return model;
}

TwoWayModel Compress(const TwoWayModel& model,
                     std::span<const Fixing> state,
                     std::vector<int>& kept) {
  TwoWayModel compressed;
  compressed.constant = model.constant;
  std::vector<double> linear = model.linear;
  std::int64_t used = 0;
  kept.clear();
  for (int i = 0; i < model.NumVariables(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (state[at] == Fixing::kFree) kept.push_back(i);
    if (state[at] != Fixing::kOne) continue;
    // Later fixed ones see this one's pairs in their linear cost.
    compressed.constant += linear[at];
    used += model.sizes[at];
    const std::span<const double> row = model.Row(i);
    for (std::size_t j = 0; j < row.size(); ++j) linear[j] += row[j];
  }
  if (model.upper != TwoWayModel::kNoUpper) {
    compressed.upper = model.upper - used;
  }
  if (model.lower != TwoWayModel::kNoLower) {
    compressed.lower = model.lower - used;
  }
  compressed.matrix.reserve(kept.size() * kept.size());
  for (const int i : kept) {
    const auto at = static_cast<std::size_t>(i);
    compressed.linear.push_back(linear[at]);
    compressed.sizes.push_back(model.sizes[at]);
    compressed.reduced_variable.push_back(model.reduced_variable[at]);
    const std::span<const double> row = model.Row(i);
    for (const int j : kept) {
      compressed.matrix.push_back(row[static_cast<std::size_t>(j)]);
    }
  }
  // What folding rounded stays rounded.
  compressed.rounding = model.rounding;
  return compressed;
}

void SetShift(std::vector<double> shift, TwoWayModel& model) {
  double magnitude = std::abs(model.constant);
  for (const double value : model.linear) magnitude += std::abs(value);
  for (const double value : model.matrix) magnitude += 0.5 * std::abs(value);
  for (const double value : shift) magnitude += std::abs(value);
  model.rounding = std::max(model.rounding, kRounding * magnitude);
  model.shift = std::move(shift);
}

}  // namespace bitpact
