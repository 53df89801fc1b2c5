// SPDX-License-Identifier: Apache-2.0
#include "solvers/mccormick.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void AddGroupRows(const ReducedProblem& problem, MilpModel& milp) {
  for (const ReducedGroup& group : problem.groups) {
    if (group.NumChoices() <= 2) continue;
    MilpModel::Row row{.lower = -kInfinity, .upper = 1.0};
    for (int c = 1; c < group.NumChoices(); ++c) {
      row.columns.push_back(group.first + c - 1);
      row.coefficients.push_back(1.0);
    }
    milp.rows.push_back(std::move(row));
  }
}

// floor(a / b) for b > 0.
std::int64_t FloorDivide(std::int64_t a, std::int64_t b) {
  const std::int64_t quotient = a / b;
  return a % b < 0 ? quotient - 1 : quotient;
}

void AddResourceRows(const ReducedProblem& problem, MilpModel& milp) {
  for (std::size_t k = 0; k < problem.sizes.size(); ++k) {
    std::int64_t divisor = 0;
    for (const std::int64_t size : problem.sizes[k]) {
      divisor = std::gcd(divisor, size);
    }
    divisor = std::max<std::int64_t>(divisor, 1);
    MilpModel::Row row{
        .lower = -kInfinity,
        .upper = static_cast<double>(FloorDivide(problem.limits[k], divisor))};
    for (std::size_t v = 0; v < problem.sizes[k].size(); ++v) {
      if (problem.sizes[k][v] == 0) continue;
      row.columns.push_back(static_cast<int>(v));
      row.coefficients.push_back(
          static_cast<double>(problem.sizes[k][v] / divisor));
    }
    milp.rows.push_back(std::move(row));
  }
}

void AddProduct(int i, int j, double value, McCormickModel& model) {
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

void ScaleCosts(MilpModel& milp) {
  double largest = 0.0;
  for (const MilpModel::Column& column : milp.columns) {
    largest = std::max(largest, std::abs(column.cost));
  }
  if (largest == 0.0) return;
  milp.scale = largest;
  for (MilpModel::Column& column : milp.columns) column.cost /= largest;
}

}  // namespace

std::vector<double> McCormickModel::Lift(const ReducedProblem& problem,
                                         const Choices& choices) const {
  std::vector<double> values(milp.columns.size(), 0.0);
  for (int g = 0; g < problem.NumGroups(); ++g) {
    const int variable =
        problem.VariableOf(g, choices[static_cast<std::size_t>(g)]);
    if (variable >= 0) values[static_cast<std::size_t>(variable)] = 1.0;
  }
  const auto variables = static_cast<std::size_t>(problem.NumVariables());
  for (std::size_t p = 0; p < products.size(); ++p) {
    values[variables + p] =
        values[static_cast<std::size_t>(products[p].first)] *
        values[static_cast<std::size_t>(products[p].second)];
  }
  return values;
}

McCormickModel LinearizeMcCormick(const ReducedProblem& problem) {
  McCormickModel model;
  model.milp.offset = problem.constant;
  for (const double cost : problem.linear) {
    model.milp.columns.push_back({.cost = cost, .is_integer = true});
  }
  AddGroupRows(problem, model.milp);
  AddResourceRows(problem, model.milp);
  for (int i = 0; i < problem.NumVariables(); ++i) {
    problem.pairs.ForEachInRow(i, [&](int j, double value) {
      if (j > i) AddProduct(i, j, value, model);
    });
  }
  ScaleCosts(model.milp);
  return model;
}

}  // namespace bitpact
