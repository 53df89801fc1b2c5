// SPDX-License-Identifier: Apache-2.0
#include "solvers/milp_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

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

void AddResourceRows(const ReducedProblem& problem, MilpModel& milp) {
  for (std::size_t k = 0; k < problem.sizes.size(); ++k) {
    MilpModel::Row row{.lower = -kInfinity,
                       .upper = static_cast<double>(problem.limits[k])};
    for (std::size_t v = 0; v < problem.sizes[k].size(); ++v) {
      if (problem.sizes[k][v] == 0) continue;
      row.columns.push_back(static_cast<int>(v));
      row.coefficients.push_back(static_cast<double>(problem.sizes[k][v]));
    }
    milp.rows.push_back(std::move(row));
  }
}

}  // namespace

MilpSize SizeOf(const MilpModel& milp) {
  MilpSize size{milp.columns.size(), milp.rows.size(), 0};
  for (const MilpModel::Row& row : milp.rows) {
    size.nonzeros += row.columns.size();
  }
  return size;
}

std::string SizeText(const MilpSize& size) {
  return std::to_string(size.columns) + " columns, " +
         std::to_string(size.rows) + " rows, " + std::to_string(size.nonzeros) +
         " nonzeros";
}

MilpModel LinearPart(const ReducedProblem& problem) {
  MilpModel milp;
  milp.offset = problem.constant;
  for (const double cost : problem.linear) {
    milp.columns.push_back({.cost = cost, .is_integer = true});
  }
  AddGroupRows(problem, milp);
  AddResourceRows(problem, milp);
  return milp;
}

void ScaleCosts(MilpModel& milp) {
  double largest = 0.0;
  for (const MilpModel::Column& column : milp.columns) {
    largest = std::max(largest, std::abs(column.cost));
  }
  if (largest == 0.0) return;
  milp.scale *= largest;
  for (MilpModel::Column& column : milp.columns) column.cost /= largest;
}

MilpModel::Row MakeRow(double lower, double upper, std::vector<RowTerm> terms) {
  std::stable_sort(
      terms.begin(), terms.end(), [](const RowTerm& a, const RowTerm& b) {
        return a.column < b.column;
      });
  MilpModel::Row row{.lower = lower, .upper = upper};
  for (std::size_t t = 0; t < terms.size();) {
    const int column = terms[t].column;
    double sum = 0.0;
    for (; t < terms.size() && terms[t].column == column; ++t) {
      sum += terms[t].coefficient;
    }
    if (sum == 0.0) continue;
    row.columns.push_back(column);
    row.coefficients.push_back(sum);
  }
  return row;
}

}  // namespace bitpact
