// SPDX-License-Identifier: Apache-2.0
#include "solvers/rlt.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

class RltBuilder {
 public:
  explicit RltBuilder(const ReducedProblem& problem)
      : problem_(problem), model_{.milp = LinearPart(problem)} {
    // The resource rows stand at the end of the linear part.
    first_resource_row_ = model_.milp.rows.size() - problem.sizes.size();
  }

  LinearModel Build() {
    AddProducts();
    for (int m = 0; m < problem_.NumGroups(); ++m) {
      for (int l = 0; l < m; ++l) AddGroupPair(l, m);
    }
    for (std::size_t k = 0; k < problem_.sizes.size(); ++k) {
      // A copy: rows are added while it is read.
      const MilpModel::Row row = model_.milp.rows[first_resource_row_ + k];
      for (int m = 0; m < problem_.NumGroups(); ++m) MultiplyByGroup(row, m);
    }
    ScaleCosts(model_.milp);
    return std::move(model_);
  }

 private:
  [[nodiscard]] int End(int group) const {
    const ReducedGroup& of = problem_.groups[static_cast<std::size_t>(group)];
    return of.first + of.NumChoices() - 1;
  }
  [[nodiscard]] int First(int group) const {
    return problem_.groups[static_cast<std::size_t>(group)].first;
  }
  [[nodiscard]] int Group(int variable) const {
    return problem_.group_of[static_cast<std::size_t>(variable)];
  }
  // The column of z_i z_j for variables of different groups.
  [[nodiscard]] int Product(int i, int j) const {
    const auto [low, high] = std::minmax(i, j);
    return row_start_[static_cast<std::size_t>(low)] + high - End(Group(low));
  }

  void AddProducts() {
    const int variables = problem_.NumVariables();
    std::vector<double> row(static_cast<std::size_t>(variables));
    for (int i = 0; i < variables; ++i) {
      row_start_.push_back(static_cast<int>(model_.milp.columns.size()));
      std::fill(row.begin(), row.end(), 0.0);
      problem_.pairs.AddRow(i, 1.0, row);
      for (int j = End(Group(i)); j < variables; ++j) {
        model_.products.emplace_back(i, j);
        model_.milp.columns.push_back(
            {.cost = row[static_cast<std::size_t>(j)]});
      }
    }
  }

  // The product of one choice of `by` with the reference of `group` is not
  // negative.
  void AddReferenceProducts(int group, int by) {
    for (int j = First(by); j < End(by); ++j) {
      std::vector<RowTerm> terms = {{j, -1.0}};
      for (int i = First(group); i < End(group); ++i) {
        terms.push_back({Product(i, j), 1.0});
      }
      model_.milp.rows.push_back(MakeRow(-kInfinity, 0.0, std::move(terms)));
    }
  }

  void AddGroupPair(int l, int m) {
    AddReferenceProducts(l, m);
    AddReferenceProducts(m, l);
    std::vector<RowTerm> terms;
    for (int i = First(l); i < End(l); ++i) terms.push_back({i, 1.0});
    for (int j = First(m); j < End(m); ++j) {
      terms.push_back({j, 1.0});
      for (int i = First(l); i < End(l); ++i) {
        terms.push_back({Product(i, j), -1.0});
      }
    }
    model_.milp.rows.push_back(MakeRow(-kInfinity, 1.0, std::move(terms)));
  }

  // A resource row times each choice of group m, the reference included.
  void MultiplyByGroup(const MilpModel::Row& row, int m) {
    std::vector<RowTerm> by_reference;
    for (std::size_t t = 0; t < row.columns.size(); ++t) {
      const int i = row.columns[t];
      if (Group(i) == m) continue;
      by_reference.push_back({i, row.coefficients[t]});
      for (int j = First(m); j < End(m); ++j) {
        by_reference.push_back({Product(i, j), -row.coefficients[t]});
      }
    }
    for (int j = First(m); j < End(m); ++j) {
      by_reference.push_back({j, row.upper});
      std::vector<RowTerm> by_choice = {{j, -row.upper}};
      for (std::size_t t = 0; t < row.columns.size(); ++t) {
        const int i = row.columns[t];
        if (i != j && Group(i) == m) continue;
        by_choice.push_back({i == j ? j : Product(i, j), row.coefficients[t]});
      }
      model_.milp.rows.push_back(
          MakeRow(-kInfinity, 0.0, std::move(by_choice)));
    }
    model_.milp.rows.push_back(
        MakeRow(-kInfinity, row.upper, std::move(by_reference)));
  }

  const ReducedProblem& problem_;
  LinearModel model_;
  std::size_t first_resource_row_ = 0;
  // The column of variable i's first product.
  std::vector<int> row_start_;
};

}  // namespace

std::size_t CountCrossPairs(const ReducedProblem& problem) {
  const std::size_t variables = problem.linear.size();
  std::size_t count = 0;
  for (const ReducedGroup& group : problem.groups) {
    const auto size = static_cast<std::size_t>(group.NumChoices() - 1);
    count += size * (variables - size);
  }
  return count / 2;
}

LinearModel LinearizeRlt(const ReducedProblem& problem) {
  return RltBuilder(problem).Build();
}

}  // namespace bitpact
