// SPDX-License-Identifier: Apache-2.0
#include "solvers/mccormick.h"

#include <limits>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void AddProduct(int i, int j, double value, LinearModel& model) {
  const int y = static_cast<int>(model.milp.columns.size());
  model.products.emplace_back(i, j);
  model.milp.columns.push_back({.cost = value});
  auto& rows = model.milp.rows;
  if (value > 0.0) {
    rows.push_back({-kInfinity, 1.0, {i, j, y}, {1.0, 1.0, -1.0}});
  } else {
    rows.push_back({-kInfinity, 0.0, {i, y}, {-1.0, 1.0}});
    rows.push_back({-kInfinity, 0.0, {j, y}, {-1.0, 1.0}});
  }
}

}  // namespace

std::size_t CountPairs(const ReducedProblem& problem) {
  std::size_t count = 0;
  for (int i = 0; i < problem.NumVariables(); ++i) {
    problem.pairs.ForEachInRow(i, [&](int j, double) { count += j > i; });
  }
  return count;
}

LinearModel LinearizeMcCormick(const ReducedProblem& problem) {
  LinearModel model{.milp = LinearPart(problem)};
  for (int i = 0; i < problem.NumVariables(); ++i) {
    problem.pairs.ForEachInRow(i, [&](int j, double value) {
      if (j > i) AddProduct(i, j, value, model);
    });
  }
  ScaleCosts(model.milp);
  return model;
}

}  // namespace bitpact
