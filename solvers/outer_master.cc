// SPDX-License-Identifier: Apache-2.0
#include "solvers/outer_master.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

OuterMaster::OuterMaster(const ConvexModel& model) : model_(model) {
  milp_.offset = model.constant;
  double largest = 0.0;
  for (const double cost : model.linear) {
    milp_.columns.push_back({.cost = cost, .is_integer = true});
    largest = std::max(largest, std::abs(cost));
  }
  for (int i = 0; i < model.NumVariables(); ++i) {
    largest = std::max(largest, model.Bend(i, i));
  }
  unit_ = largest > 0.0 ? largest : 1.0;
  milp_.columns.push_back({.cost = unit_, .upper = kInfinity});
  AddGroupRows();
  AddResourceRows();
  ScaleCosts(milp_);
  first_tangent_ = milp_.rows.size();
}

void OuterMaster::AddGroupRows() {
  for (const ConvexModel::Group& group : model_.groups) {
    if (group.NumChoices() <= 2 && group.has_reference) continue;
    MilpModel::Row row{.lower = group.has_reference ? -kInfinity : 1.0,
                       .upper = 1.0};
    for (int c = 1; c < group.NumChoices(); ++c) {
      row.columns.push_back(group.first + c - 1);
      row.coefficients.push_back(1.0);
    }
    milp_.rows.push_back(std::move(row));
  }
}

void OuterMaster::AddResourceRows() {
  for (std::size_t k = 0; k < model_.sizes.size(); ++k) {
    std::int64_t divisor = 0;
    for (const std::int64_t size : model_.sizes[k]) {
      divisor = std::gcd(divisor, size);
    }
    divisor = std::max<std::int64_t>(divisor, 1);
    const double limit = static_cast<double>(model_.limits[k]);
    // Whole sizes: the limit may be rounded down, but not in double.
    std::int64_t most = model_.limits[k] / divisor;
    if (model_.limits[k] % divisor < 0) --most;
    MilpModel::Row row{.lower = -kInfinity,
                       .upper = std::min(static_cast<double>(most),
                                         limit / static_cast<double>(divisor))};
    for (std::size_t v = 0; v < model_.sizes[k].size(); ++v) {
      if (model_.sizes[k][v] == 0) continue;
      row.columns.push_back(static_cast<int>(v));
      row.coefficients.push_back(
          static_cast<double>(model_.sizes[k][v] / divisor));
    }
    milp_.rows.push_back(std::move(row));
  }
}

void OuterMaster::AddTangent(std::span<const double> point) {
  const std::size_t n = model_.linear.size();
  std::vector<double> gradient(n, 0.0);
  double value = 0.0;
  model_.AddCurvature(point, gradient);
  for (std::size_t i = 0; i < n; ++i) value += 0.5 * point[i] * gradient[i];
  MilpModel::Row row{.lower = -kInfinity,
                     .upper = (value + model_.rounding) / unit_};
  for (std::size_t i = 0; i < n; ++i) {
    if (gradient[i] == 0.0) continue;
    row.columns.push_back(static_cast<int>(i));
    row.coefficients.push_back(gradient[i] / unit_);
  }
  row.columns.push_back(static_cast<int>(n));
  row.coefficients.push_back(-1.0);
  milp_.rows.push_back(std::move(row));
  ++num_tangents_;
}

std::vector<double> OuterMaster::Columns(const Choices& choices) const {
  const std::size_t n = model_.linear.size();
  std::vector<double> values(n + 1, 0.0);
  for (const ConvexModel::Group& group : model_.groups) {
    const int choice = choices[static_cast<std::size_t>(group.reduced_group)];
    for (int c = 1; c < group.NumChoices(); ++c) {
      if (group.reduced_choices[static_cast<std::size_t>(c)] == choice) {
        values[static_cast<std::size_t>(group.first + c - 1)] = 1.0;
      }
    }
  }
  for (std::size_t r = first_tangent_; r < milp_.rows.size(); ++r) {
    const MilpModel::Row& row = milp_.rows[r];
    double needed = -row.upper;
    for (std::size_t t = 0; t + 1 < row.columns.size(); ++t) {
      needed += row.coefficients[t] *
                values[static_cast<std::size_t>(row.columns[t])];
    }
    values[n] = std::max(values[n], needed);
  }
  return values;
}

Choices OuterMaster::Plan(std::span<const double> columns) const {
  Choices choices = model_.fixed;
  for (const ConvexModel::Group& group : model_.groups) {
    int& choice = choices[static_cast<std::size_t>(group.reduced_group)];
    choice = 0;
    for (int c = 1; c < group.NumChoices(); ++c) {
      if (columns[static_cast<std::size_t>(group.first + c - 1)] > 0.5) {
        choice = group.reduced_choices[static_cast<std::size_t>(c)];
      }
    }
  }
  return choices;
}

bool OuterMaster::Contains(const Choices& choices) const {
  Choices closed = choices;
  for (const ConvexModel::Group& group : model_.groups) {
    int& choice = closed[static_cast<std::size_t>(group.reduced_group)];
    const auto begin =
        group.reduced_choices.begin() + (group.has_reference ? 0 : 1);
    if (std::find(begin, group.reduced_choices.end(), choice) ==
        group.reduced_choices.end()) {
      return false;
    }
    choice = 0;
  }
  return closed == model_.fixed;
}

}  // namespace bitpact
