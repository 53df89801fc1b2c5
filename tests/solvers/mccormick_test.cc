// SPDX-License-Identifier: Apache-2.0
#include "solvers/mccormick.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "solvers/plan_state.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;

double RowValue(const MilpModel::Row& row, const std::vector<double>& values) {
  double sum = 0.0;
  for (std::size_t i = 0; i < row.columns.size(); ++i) {
    sum +=
        row.coefficients[i] * values[static_cast<std::size_t>(row.columns[i])];
  }
  return sum;
}

bool Satisfies(const MilpModel& milp, const std::vector<double>& values) {
  for (const MilpModel::Row& row : milp.rows) {
    const double value = RowValue(row, values);
    if (value < row.lower || value > row.upper) return false;
  }
  return true;
}

// The model and the problem agree on every plan: same value, same feasibility,
// and the best y for fixed z is the product.
TEST(McCormick, IsExactAtEveryPlan) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const RandomProblemSpec spec{.units = 4,
                                 .options = 2 + static_cast<int>(seed % 2),
                                 .resources = 2,
                                 .pair_density = 0.7};
    const ReducedProblem problem = Reduce(RandomProblem(spec, seed));
    if (problem.infeasible) continue;
    const McCormickModel model = LinearizeMcCormick(problem);
    PlanState state(problem);
    Choices choices(static_cast<std::size_t>(problem.NumGroups()), 0);
    while (true) {
      state.Reset(choices);
      std::vector<double> values = model.Lift(problem, choices);
      double cost = 0.0;
      for (std::size_t c = 0; c < values.size(); ++c) {
        cost += model.milp.columns[c].cost * values[c];
      }
      EXPECT_NEAR(model.milp.offset + model.milp.scale * cost,
                  state.objective(),
                  1e-12 * problem.scale)
          << Describe(spec, seed);
      EXPECT_EQ(Satisfies(model.milp, values), state.IsWithinLimits())
          << Describe(spec, seed);
      if (state.IsWithinLimits()) {
        for (std::size_t p = 0; p < model.products.size(); ++p) {
          // Moving one y to its cheaper side must break a row or not pay.
          const std::size_t c =
              model.milp.columns.size() - model.products.size() + p;
          const double kept = values[c];
          values[c] = model.milp.columns[c].cost > 0.0 ? 0.0 : 1.0;
          EXPECT_TRUE(values[c] == kept || !Satisfies(model.milp, values))
              << Describe(spec, seed);
          values[c] = kept;
        }
      }
      std::size_t g = 0;
      while (g < choices.size() &&
             ++choices[g] == problem.groups[g].NumChoices()) {
        choices[g++] = 0;
      }
      if (g == choices.size()) break;
    }
  }
}

TEST(McCormick, MakesOnlyTheRowsThatTheSignNeeds) {
  AllocationProblem problem;
  for (int u = 0; u < 3; ++u) {
    problem.units.push_back(
        {"unit" + std::to_string(u), {{"a", 0.0, {}}, {"b", 1.0, {}}}});
  }
  problem.pairs.Add(1, 3, 8.0);
  problem.pairs.Add(3, 5, -2.0);
  const McCormickModel model = LinearizeMcCormick(Reduce(problem));
  EXPECT_EQ(model.products.size(), 2U);
  EXPECT_EQ(model.milp.rows.size(), 3U);
  EXPECT_EQ(model.milp.scale, 8.0);
}

TEST(McCormick, DividesSizesByTheirGreatestCommonDivisor) {
  AllocationProblem problem;
  problem.resources = {{"bytes", 4097}};
  for (int u = 0; u < 3; ++u) {
    problem.units.push_back({"unit" + std::to_string(u),
                             {{"a", 0.0, {0}}, {"b", -1.0, {1024 * (u + 1)}}}});
  }
  const McCormickModel model = LinearizeMcCormick(Reduce(problem));
  ASSERT_EQ(model.milp.rows.size(), 1U);
  EXPECT_EQ(model.milp.rows[0].upper, 4.0);
  EXPECT_EQ(model.milp.rows[0].coefficients, std::vector<double>({1, 2, 3}));
}

}  // namespace
}  // namespace bitpact
