// SPDX-License-Identifier: Apache-2.0
#include "solvers/linearization.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "solvers/plan_state.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::CoopProblem;
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
    if (value < row.lower - 1e-9 || value > row.upper + 1e-9) return false;
  }
  for (std::size_t c = 0; c < values.size(); ++c) {
    if (values[c] < milp.columns[c].lower - 1e-9) return false;
    if (values[c] > milp.columns[c].upper + 1e-9) return false;
  }
  return true;
}

double ValueOf(const MilpModel& milp, const std::vector<double>& values) {
  double cost = 0.0;
  for (std::size_t c = 0; c < values.size(); ++c) {
    cost += milp.columns[c].cost * values[c];
  }
  return milp.offset + milp.scale * cost;
}

// Odometer over all plans; false after the last.
bool Next(const ReducedProblem& problem, Choices& choices) {
  std::size_t g = 0;
  while (g < choices.size() && ++choices[g] == problem.groups[g].NumChoices()) {
    choices[g++] = 0;
  }
  return g < choices.size();
}

std::vector<RandomProblemSpec> Specs() {
  return {{.units = 5, .options = 2, .pair_density = 0.7},
          {.units = 4, .options = 3, .resources = 2, .pair_density = 0.7},
          {.units = 4, .options = 4, .resources = 0},
          {.units = 7, .options = 2, .resources = 3, .pins = 1, .ties = 1},
          {.units = 6, .options = 3, .pins = 1, .ties = 2},
          {.units = 5, .options = 3, .pair_scale = 4.0, .tightness = 0.2}};
}

class Linearization : public ::testing::TestWithParam<LinearForm> {};

// The model and the problem agree on every plan: same value, same feasibility.
TEST_P(Linearization, IsExactAtEveryPlan) {
  for (const RandomProblemSpec& spec : Specs()) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      const ReducedProblem problem = Reduce(RandomProblem(spec, seed));
      if (problem.infeasible || problem.NumGroups() == 0) continue;
      const LinearModel model = Linearize(GetParam(), problem);
      PlanState state(problem);
      Choices choices(static_cast<std::size_t>(problem.NumGroups()), 0);
      do {
        state.Reset(choices);
        const std::vector<double> values =
            LiftToColumns(model, problem, choices);
        EXPECT_NEAR(ValueOf(model.milp, values),
                    state.objective(),
                    1e-11 * problem.scale)
            << Describe(spec, seed);
        EXPECT_EQ(Satisfies(model.milp, values), state.IsWithinLimits())
            << Describe(spec, seed);
        EXPECT_EQ(ChoicesOfColumns(problem, values), choices);
      } while (Next(problem, choices));
    }
  }
}

TEST_P(Linearization, CountsItsColumnsBeforeItIsBuilt) {
  for (const RandomProblemSpec& spec : Specs()) {
    const ReducedProblem problem = Reduce(RandomProblem(spec, 3));
    const MilpSize size = SizeOf(Linearize(GetParam(), problem).milp);
    EXPECT_EQ(size.columns, CountColumns(GetParam(), problem));
    EXPECT_GT(size.nonzeros, 0U);
  }
}

TEST_P(Linearization, HasNoCostAboveOne) {
  const ReducedProblem problem = Reduce(CoopProblem({.units = 12}, 1));
  const LinearModel model = Linearize(GetParam(), problem);
  double largest = 0.0;
  for (const MilpModel::Column& column : model.milp.columns) {
    largest = std::max(largest, std::abs(column.cost));
  }
  EXPECT_EQ(largest, 1.0);
}

INSTANTIATE_TEST_SUITE_P(Forms,
                         Linearization,
                         ::testing::Values(LinearForm::kMcCormick,
                                           LinearForm::kGlover,
                                           LinearForm::kRlt),
                         [](const auto& tested) {
                           std::string name(LinearFormName(tested.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST(McCormick, MakesOnlyTheRowsThatTheSignNeeds) {
  AllocationProblem problem;
  for (int u = 0; u < 3; ++u) {
    problem.units.push_back(
        {"unit" + std::to_string(u), {{"a", 0.0, {}}, {"b", 1.0, {}}}});
  }
  problem.pairs.Add(1, 3, 8.0);
  problem.pairs.Add(3, 5, -2.0);
  const LinearModel model = Linearize(LinearForm::kMcCormick, Reduce(problem));
  EXPECT_EQ(model.products.size(), 2U);
  EXPECT_EQ(model.milp.rows.size(), 3U);
  EXPECT_EQ(model.milp.scale, 8.0);
}

TEST(Glover, HasOneColumnAndOneRowAVariable) {
  const ReducedProblem problem = Reduce(CoopProblem({.units = 10}, 1));
  const LinearModel model = Linearize(LinearForm::kGlover, problem);
  EXPECT_EQ(SizeOf(model.milp).columns, 19U);
  EXPECT_EQ(SizeOf(model.milp).rows, 10U);
}

TEST(Glover, BoundsUseTheKnapsack) {
  // Any two of the four weigh too much together with the first.
  AllocationProblem problem;
  problem.resources = {{"bytes", 2}};
  for (int u = 0; u < 4; ++u) {
    problem.units.push_back(
        {"unit" + std::to_string(u), {{"out", 0.0, {0}}, {"in", 1.0, {1}}}});
  }
  for (int u = 1; u < 4; ++u) problem.pairs.Add(1, 2 * u + 1, -1.0);
  const LinearModel model = Linearize(LinearForm::kGlover, Reduce(problem));
  ASSERT_EQ(model.floors.size(), 1U);
  // Without the limit: -3.
  EXPECT_NEAR(model.floors[0].floor, -1.0, 1e-9);
}

TEST(Rlt, HasEveryPairOfDifferentGroups) {
  const ReducedProblem problem =
      Reduce(RandomProblem({.units = 4, .options = 3, .pair_density = 0.1}, 5));
  ASSERT_EQ(problem.NumVariables(), 8);
  const LinearModel model = Linearize(LinearForm::kRlt, problem);
  EXPECT_EQ(model.products.size(), 24U);
  // Linear part 4 + 1; 6 pairs of groups with 2 + 2 + 1; 4 x 3 factors.
  EXPECT_EQ(model.milp.rows.size(), 5U + 30U + 12U);
}

TEST(LinearPart, DividesSizesByTheirGreatestCommonDivisor) {
  AllocationProblem problem;
  problem.resources = {{"bytes", 4097}};
  for (int u = 0; u < 3; ++u) {
    problem.units.push_back({"unit" + std::to_string(u),
                             {{"a", 0.0, {0}}, {"b", -1.0, {1024 * (u + 1)}}}});
  }
  const MilpModel milp = LinearPart(Reduce(problem));
  ASSERT_EQ(milp.rows.size(), 1U);
  EXPECT_EQ(milp.rows[0].upper, 4.0);
  EXPECT_EQ(milp.rows[0].coefficients, std::vector<double>({1, 2, 3}));
}

TEST(MakeRow, SortsAddsUpAndDropsZeros) {
  const MilpModel::Row row =
      MakeRow(0.0, 1.0, {{3, 1.0}, {1, 2.0}, {3, -1.0}, {1, 0.5}});
  EXPECT_EQ(row.columns, std::vector<int>({1}));
  EXPECT_EQ(row.coefficients, std::vector<double>({2.5}));
}

}  // namespace
}  // namespace bitpact
