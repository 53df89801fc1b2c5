// SPDX-License-Identifier: Apache-2.0
#include "solvers/reduced_problem.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"
#include "solvers/plan_state.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;

// Every plan of the reduced problem: its objective, its feasibility and the
// feasibility of the original plan agree; and every feasible original plan is
// reached.
void ExpectEquivalent(const AllocationProblem& problem,
                      const std::string& what) {
  const ReducedProblem reduced = Reduce(problem);
  std::size_t reached = 0;
  if (!reduced.infeasible) {
    PlanState state(reduced);
    Choices choices(static_cast<std::size_t>(reduced.NumGroups()), 0);
    while (true) {
      state.Reset(choices);
      const Assignment plan = reduced.Expand(choices);
      EXPECT_NEAR(state.objective(),
                  Objective(problem, plan),
                  1e-12 * ObjectiveScale(problem))
          << what;
      EXPECT_EQ(state.IsWithinLimits(), IsFeasible(problem, plan)) << what;
      if (state.IsWithinLimits()) {
        ++reached;
        EXPECT_EQ(reduced.Contract(plan), choices) << what;
      }
      std::size_t g = 0;
      while (g < choices.size() &&
             ++choices[g] == reduced.groups[g].NumChoices()) {
        choices[g++] = 0;
      }
      if (g == choices.size()) break;
    }
  }
  EXPECT_EQ(reached, testing::FeasibleObjectives(problem).size()) << what;
}

TEST(ReducedProblem, KeepsEveryFeasiblePlanAndItsObjective) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const RandomProblemSpec spec{
        .units = 5,
        .options = 2 + static_cast<int>(seed % 3),
        .resources = static_cast<int>(seed % 4),
        .pair_density = seed % 2 == 0 ? 1.0 : 0.3,
        .pins = static_cast<int>(seed / 4 % 2),
        .ties = static_cast<int>(seed / 8 % 3),
        .tightness = 0.2 + 0.1 * static_cast<double>(seed % 5)};
    ExpectEquivalent(RandomProblem(spec, seed), Describe(spec, seed));
  }
}

TEST(ReducedProblem, KeepsPlansOfFactorsKeptOrWrittenOut) {
  int kept = 0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    const RandomProblemSpec spec{
        .units = seed % 2 == 0 ? 10 : 6,
        .options = 2 + static_cast<int>(seed % 2),
        .resources = static_cast<int>(seed % 3),
        .pair_density = 0.2 * static_cast<double>(seed % 4 / 2),
        .factor_rank = 1 + static_cast<int>(seed / 4 % 2),
        .negative_factors = seed / 8 % 3 == 2,
        .pins = static_cast<int>(seed % 3 / 2),
        .ties = static_cast<int>(seed % 5 / 4)};
    const AllocationProblem problem = RandomProblem(spec, seed);
    kept += Reduce(problem).pairs.has_factors() ? 1 : 0;
    ExpectEquivalent(problem, Describe(spec, seed));
  }
  EXPECT_GE(kept, 6);
}

TEST(ReducedProblem, TwoWayGroupsHaveOneBinary) {
  const ReducedProblem reduced = Reduce(RandomProblem({.units = 7}, 1));
  EXPECT_TRUE(reduced.IsTwoWay());
  EXPECT_EQ(reduced.NumVariables(), 7);
}

TEST(ReducedProblem, ReferenceIsTheOptionWithoutPairs) {
  const AllocationProblem problem = testing::CoopProblem({.units = 6}, 1);
  const ReducedProblem reduced = Reduce(problem);
  for (const ReducedGroup& group : reduced.groups) {
    EXPECT_EQ(group.options.front(), 1);
  }
}

TEST(ReducedProblem, DropsOptionsThatCannotFit) {
  AllocationProblem problem;
  problem.resources = {{"bytes", 12}};
  problem.units = {{"a", {{"x", 0.0, {1}}, {"y", 0.0, {50}}}},
                   {"b", {{"x", 0.0, {1}}, {"y", 0.0, {11}}}}};
  const ReducedProblem reduced = Reduce(problem);
  ASSERT_EQ(reduced.NumGroups(), 1);
  EXPECT_EQ(reduced.folded.front(), 0);
  // What is left always fits, so the resource is gone too.
  EXPECT_EQ(reduced.NumResources(), 0);
}

TEST(ReducedProblem, SaysWhenFoldingProvesInfeasibility) {
  // Limit a allows x only once, limit b allows y only once; dropping options
  // under a leaves less room under b.
  AllocationProblem problem;
  problem.resources = {{"a", 0}, {"b", 1}};
  problem.units = {{"u", {{"x", 0.0, {1, 0}}, {"y", 0.0, {0, 1}}}},
                   {"w", {{"x", 0.0, {1, 0}}, {"y", 0.0, {0, 1}}}}};
  EXPECT_TRUE(Reduce(problem).infeasible.has_value());
}

TEST(PairMatrix, SparseAndDenseAgree) {
  // 3000 variables with few terms are kept sparse, the same terms squeezed into
  // 30 are dense.
  std::vector<PairTerm> terms;
  for (int i = 0; i < 29; ++i) {
    terms.push_back({i, i + 1, 0.5 * i});
    terms.push_back({i + 1, i / 2, 0.25});
  }
  const PairMatrix sparse(3000, terms);
  const PairMatrix dense(30, terms);
  for (int i = 0; i < 30; ++i) {
    std::vector<double> a(3000, 1.0);
    std::vector<double> b(30, 1.0);
    sparse.AddRow(i, 2.0, a);
    dense.AddRow(i, 2.0, b);
    for (int j = 0; j < 30; ++j) {
      EXPECT_EQ(sparse.At(i, j), dense.At(i, j));
      EXPECT_EQ(sparse.At(i, j), sparse.At(j, i));
      EXPECT_EQ(a[static_cast<std::size_t>(j)], b[static_cast<std::size_t>(j)]);
    }
  }
}

TEST(PlanState, KnowsWhatMovesCost) {
  const AllocationProblem problem =
      RandomProblem({.units = 5, .options = 3, .tightness = 1.0}, 3);
  const ReducedProblem reduced = Reduce(problem);
  PlanState state(reduced);
  state.Reset({0, 1, 2, 0, 1});
  const double before = state.objective();
  const double swap = state.SwapDelta(1, 2, 3, 1);
  const double single = state.Delta(1, 2);
  state.Move(1, 2);
  EXPECT_NEAR(state.objective(), before + single, 1e-12);
  state.Move(3, 1);
  EXPECT_NEAR(state.objective(), before + swap, 1e-12);
  EXPECT_NEAR(state.objective(),
              Objective(problem, reduced.Expand({0, 2, 2, 1, 1})),
              1e-12);
}

TEST(PlanState, RepairAlwaysSucceedsWithOneResource) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const RandomProblemSpec spec{.units = 12, .options = 3, .tightness = 0.1};
    const ReducedProblem reduced = Reduce(RandomProblem(spec, seed));
    PlanState state(reduced);
    EXPECT_TRUE(RepairOverflow(reduced, state)) << Describe(spec, seed);
    EXPECT_TRUE(state.IsWithinLimits()) << Describe(spec, seed);
    const double before = state.objective();
    DescendWithinLimits(reduced, state, 1000);
    EXPECT_TRUE(state.IsWithinLimits()) << Describe(spec, seed);
    EXPECT_LE(state.objective(), before) << Describe(spec, seed);
  }
}

}  // namespace
}  // namespace bitpact
