// SPDX-License-Identifier: Apache-2.0
// Low-rank pair parts: every operation against the dense expansion.
#include <cmath>
#include <cstdint>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/allocation_problem.h"
#include "solvers/expand_factors.h"
#include "solvers/pair_matrix.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::RandomProblem;
using testing::RandomProblemSpec;

AllocationProblem TwoUnits() {
  AllocationProblem problem;
  problem.units.push_back({"a", {{"low", 0.0, {}}, {"high", 0.0, {}}}});
  problem.units.push_back({"b", {{"low", 0.0, {}}, {"high", 0.0, {}}}});
  return problem;
}

constexpr std::size_t kNoLimit = 1'000'000;

TEST(PairFactor, CountsEachPairOfDifferentUnitsTwiceTheProduct) {
  AllocationProblem problem = TwoUnits();
  // Rows 1, 10 of unit a; 100 of unit b.
  problem.pairs.AddFactor({{0, 1, 2}, 1, 0.5, {1.0, 10.0, 100.0}});
  ASSERT_TRUE(Validate(problem).has_value());
  EXPECT_EQ(Objective(problem, {0, 0}), 2.0 * 0.5 * 1.0 * 100.0);
  EXPECT_EQ(Objective(problem, {1, 0}), 2.0 * 0.5 * 10.0 * 100.0);
  EXPECT_EQ(Objective(problem, {1, 1}), 0.0);
}

TEST(PairFactor, ExpansionHasTheSameObjectives) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const AllocationProblem problem = RandomProblem({.units = 4,
                                                     .options = 3,
                                                     .pair_density = 0.3,
                                                     .factor_rank = 2,
                                                     .negative_factors = true},
                                                    seed);
    ASSERT_TRUE(Validate(problem).has_value());
    const Expected<AllocationProblem> dense = ExpandFactors(problem, kNoLimit);
    ASSERT_TRUE(dense.has_value());
    ASSERT_TRUE(dense->pairs.factors().empty());
    EXPECT_GE(ObjectiveScale(problem) * (1.0 + 1e-12),
              ObjectiveScale(*dense) / 9.0);
    for (int plan = 0; plan < 81; ++plan) {
      const Assignment assignment = {
          plan % 3, plan / 3 % 3, plan / 9 % 3, plan / 27};
      EXPECT_NEAR(Objective(problem, assignment),
                  Objective(*dense, assignment),
                  1e-13 * ObjectiveScale(problem))
          << "seed " << seed;
    }
  }
}

TEST(PairFactor, ExpansionRefusesMoreThanAskedFor) {
  const AllocationProblem problem =
      RandomProblem({.units = 10, .pair_density = 0.0, .factor_rank = 1}, 1);
  EXPECT_EQ(ExpandFactors(problem, 50).error().code, ErrorCode::kUnsupported);
}

TEST(PairFactor, MatrixKeepsFewColumnsAndAnswersAsTheDenseOne) {
  const AllocationProblem problem = RandomProblem({.units = 60,
                                                   .options = 3,
                                                   .pair_density = 0.05,
                                                   .factor_rank = 3,
                                                   .negative_factors = true},
                                                  3);
  const ReducedProblem reduced = Reduce(problem);
  ASSERT_TRUE(reduced.pairs.has_factors());
  PairMatrix dense = reduced.pairs;
  dense.Expand();
  ASSERT_FALSE(dense.has_factors());
  const auto n = static_cast<std::size_t>(reduced.NumVariables());
  for (int i = 0; i < reduced.NumVariables(); i += 7) {
    std::vector<double> row(n, 0.0);
    std::vector<double> visited(n, 0.0);
    reduced.pairs.AddRow(i, 2.0, row);
    reduced.pairs.ForEachInRow(
        i, [&](int j, double v) { visited[static_cast<std::size_t>(j)] = v; });
    for (int j = 0; j < reduced.NumVariables(); ++j) {
      const auto at = static_cast<std::size_t>(j);
      EXPECT_NEAR(reduced.pairs.At(i, j), dense.At(i, j), 1e-12);
      EXPECT_NEAR(row[at], 2.0 * dense.At(i, j), 1e-12);
      EXPECT_NEAR(visited[at], dense.At(i, j), 1e-12);
      if (reduced.group_of[static_cast<std::size_t>(i)] ==
          reduced.group_of[at]) {
        EXPECT_EQ(reduced.pairs.At(i, j), 0.0);
      }
    }
  }
}

TEST(PairFactor, ReducesAsItsExpansionDoes) {
  const AllocationProblem problem = RandomProblem({.units = 40,
                                                   .pair_density = 0.0,
                                                   .factor_rank = 2,
                                                   .pins = 3,
                                                   .ties = 4},
                                                  3);
  const Expected<AllocationProblem> expanded = ExpandFactors(problem, kNoLimit);
  const ReducedProblem a = Reduce(problem);
  const ReducedProblem b = Reduce(*expanded);
  ASSERT_EQ(a.NumVariables(), b.NumVariables());
  PlanState state(a);
  PlanState dense(b);
  for (int step = 0; step < 200; ++step) {
    const int group = (step * 7) % a.NumGroups();
    // References may differ where the counts of pairs do.
    const ReducedGroup& mine = a.groups[static_cast<std::size_t>(group)];
    const ReducedGroup& other = b.groups[static_cast<std::size_t>(group)];
    const int choice = 1 - state.Choice(group);
    const int same = mine.options == other.options ? choice : 1 - choice;
    if (step == 0) {
      Assignment start = a.Expand(state.choices());
      dense.Reset(b.Contract(start));
    }
    EXPECT_NEAR(
        state.Delta(group, choice), dense.Delta(group, same), 1e-11 * a.scale);
    state.Move(group, choice);
    dense.Move(group, same);
    EXPECT_NEAR(state.objective(), dense.objective(), 1e-11 * a.scale);
  }
}

TEST(PairFactor, ValidateNamesWhatIsWrong) {
  const auto fails = [](PairFactor factor) {
    AllocationProblem problem = TwoUnits();
    problem.pairs.AddFactor(std::move(factor));
    const Expected<void> valid = Validate(problem);
    return valid ? std::string() : valid.error().message;
  };
  using ::testing::HasSubstr;
  EXPECT_EQ(fails({{0, 3}, 1, -1.0, {1.0, 2.0}}), "");
  EXPECT_THAT(fails({{0, 3}, 0, 1.0, {}}), HasSubstr("rank"));
  EXPECT_THAT(fails({{0, 3}, -2, 1.0, {1.0}}), HasSubstr("rank"));
  EXPECT_THAT(fails({{0, 3}, 2, 1.0, {1.0, 2.0}}), HasSubstr("rank"));
  EXPECT_THAT(fails({{3, 0}, 1, 1.0, {1.0, 2.0}}), HasSubstr("ascend"));
  EXPECT_THAT(fails({{0, 4}, 1, 1.0, {1.0, 2.0}}), HasSubstr("variable 4"));
  EXPECT_THAT(fails({{0, 3}, 1, std::nan(""), {1.0, 2.0}}), HasSubstr("scale"));
  EXPECT_THAT(fails({{0, 3}, 1, 1.0, {1.0, std::nan("")}}),
              HasSubstr("unit 1 'b' option 1: column 0"));
  EXPECT_THAT(fails({{0, 3}, 1, 1.0, {1e200, 1e200}}), HasSubstr("infinity"));
}

}  // namespace
}  // namespace bitpact
