// SPDX-License-Identifier: Apache-2.0
#include "solvers/reduced_problem.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

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
  const std::optional<std::string> reason = Reduce(problem).infeasible;
  ASSERT_TRUE(reason.has_value());
  EXPECT_EQ(*reason,
            "b: the limit 1 is below the least possible 2 (greatest 2); u "
            "needs 1, w 1; options that cannot keep the other limits are left "
            "out");
}

// Dominated options gone: the best of what is left is the optimum, each plan's
// objective is right, and every feasible plan contracts to one that is left, is
// feasible and no worse.
void ExpectOptimumSurvives(const AllocationProblem& problem,
                           const ReducedProblem& reduced,
                           const std::string& what) {
  const double tolerance = 1e-12 * ObjectiveScale(problem);
  double best = std::numeric_limits<double>::infinity();
  Choices choices(static_cast<std::size_t>(reduced.NumGroups()), 0);
  for (bool is_done = false; !is_done;) {
    const Assignment plan = reduced.Expand(choices);
    PlanState state(reduced);
    state.Reset(choices);
    EXPECT_EQ(state.IsWithinLimits(), IsFeasible(problem, plan)) << what;
    EXPECT_NEAR(state.objective(), Objective(problem, plan), tolerance) << what;
    if (state.IsWithinLimits()) best = std::min(best, state.objective());
    is_done = true;
    for (std::size_t g = 0; g < choices.size() && is_done; ++g) {
      is_done = ++choices[g] == reduced.groups[g].NumChoices();
      if (is_done) choices[g] = 0;
    }
  }
  const testing::BruteForceAnswer judge = testing::SolveByBruteForce(problem);
  ASSERT_TRUE(judge.plan.has_value()) << what;
  EXPECT_NEAR(best, judge.objective, tolerance) << what;
  for (const Assignment& start : {*judge.plan, *judge.worst}) {
    const Assignment mapped = reduced.Expand(reduced.Contract(start));
    EXPECT_TRUE(IsFeasible(problem, mapped)) << what;
    EXPECT_LE(Objective(problem, mapped), Objective(problem, start) + tolerance)
        << what;
  }
}

TEST(ReducedProblem, DropsDominatedOptionsAndKeepsTheOptimum) {
  int dropped = 0;
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const RandomProblemSpec spec{
        .units = 5,
        .options = 2 + static_cast<int>(seed % 3),
        .resources = static_cast<int>(seed % 4),
        .pair_density = 0.1 * static_cast<double>(seed % 5),
        .pair_scale = 0.3,
        .whole_numbers = seed % 3 == 0,
        .factor_rank = static_cast<int>(seed / 5 % 2),
        .negative_factors = seed % 7 == 0,
        .pins = static_cast<int>(seed / 4 % 2),
        .ties = static_cast<int>(seed / 8 % 3),
        .tightness = 0.2 + 0.2 * static_cast<double>(seed % 5)};
    const AllocationProblem problem = RandomProblem(spec, seed);
    const ReducedProblem reduced = Reduce(problem, {.drop_dominated = true});
    if (testing::FeasibleObjectives(problem).empty()) continue;
    ASSERT_FALSE(reduced.infeasible.has_value()) << Describe(spec, seed);
    dropped += reduced.counts.dominated_options;
    ++compared;
    ExpectOptimumSurvives(problem, reduced, Describe(spec, seed));
  }
  EXPECT_GT(dropped, 300);
  EXPECT_GT(compared, 150);
}

TEST(ReducedProblem, DropsOneOfTwoEqualOptions) {
  AllocationProblem problem;
  problem.resources = {{"bytes", 5}};
  problem.units = {{"a", {{"x", 1.0, {2}}, {"y", 1.0, {2}}, {"z", 0.0, {4}}}},
                   {"b", {{"x", 0.0, {3}}, {"y", 1.0, {1}}}}};
  EXPECT_EQ(Reduce(problem).NumVariables(), 3);
  const ReducedProblem reduced = Reduce(problem, {.drop_dominated = true});
  EXPECT_EQ(reduced.NumVariables(), 2);
  EXPECT_EQ(reduced.counts.dominated_options, 1);
  EXPECT_EQ(reduced.Expand(reduced.Contract({1, 0})), Assignment({0, 0}));
}

TEST(ReducedProblem, KeepsAllPlansForAPool) {
  SolveOptions options;
  EXPECT_TRUE(ReduceFor(options).drop_dominated);
  options.pool_size = 2;
  EXPECT_FALSE(ReduceFor(options).drop_dominated);
}

TEST(ReducedProblem, DividesSizesAndRoundsTheLimitDown) {
  // The reference of both is the smaller option; the limit is below its size
  // when b must take the larger: (11 - 6 - 14) / 4, rounded down.
  AllocationProblem problem;
  problem.resources = {{"bytes", 29}};
  problem.units = {{"a", {{"x", 1.0, {10}}, {"y", 0.0, {18}}}},
                   {"b", {{"x", 1.0, {6}}, {"y", 0.0, {18}}}}};
  ReducedProblem reduced = Reduce(problem);
  EXPECT_EQ(reduced.sizes, (std::vector<std::vector<std::int64_t>>{{2, 3}}));
  EXPECT_EQ(reduced.limits, std::vector<std::int64_t>({3}));  // 13 / 4
  EXPECT_EQ(reduced.counts.divided_resources, 1);
  // With pairs on the small options the large ones are the references.
  problem.pairs.Add(0, 2, 0.5);
  reduced = Reduce(problem);
  EXPECT_EQ(reduced.sizes, (std::vector<std::vector<std::int64_t>>{{-2, -3}}));
  EXPECT_EQ(reduced.limits, std::vector<std::int64_t>({-2}));  // -7 / 4
}

TEST(ReducedProblem, CountsWhatItFolds) {
  AllocationProblem problem =
      RandomProblem({.units = 6, .options = 3, .tightness = 1.0}, 3);
  problem.pins = {{0, 1}};
  problem.ties = {{1, 2}};
  const PresolveCounts counts = Reduce(problem).counts;
  EXPECT_EQ(counts.fixed_units, 1);
  EXPECT_EQ(counts.tied_units, 1);
  EXPECT_EQ(counts.idle_resources, 1);
  EXPECT_EQ(counts.free_units, 4);
  EXPECT_EQ(counts.binaries, 8);
  EXPECT_EQ(PresolveText(counts),
            "1 tied unit, 1 fixed unit, 1 limit always kept; left: 4 free "
            "units, 8 binaries");
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
