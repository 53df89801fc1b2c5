// SPDX-License-Identifier: Apache-2.0
#include "solvers/auto_solver.h"

#include <cstdint>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::CoopProblem;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RandomProblem;
using ::testing::StartsWith;

SolveResult Solve(const AllocationProblem& problem,
                  const SolveOptions& options) {
  AutoSolver solver;
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, options);
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return result.value_or(SolveResult{});
}

TEST(AutoSolver, EnumeratesWhatIsSmall) {
  const SolveResult result = Solve(RandomProblem({.units = 12}, 1), {});
  EXPECT_THAT(result.detail, StartsWith("enumerate"));
  EXPECT_EQ(result.termination, Termination::kOptimal);
}

TEST(AutoSolver, ProvesWhatIsMedium) {
  const SolveResult result =
      Solve(CoopProblem({.units = 56, .ratio = 10.0}, 1), {});
  EXPECT_THAT(result.detail, StartsWith("branch-and-bound"));
  EXPECT_EQ(result.termination, Termination::kOptimal);
}

TEST(AutoSolver, ProvesWhatIsLargeWithoutAFullAnnealing) {
  const SolveResult result =
      Solve(CoopProblem({.units = 130, .ratio = 0.3}, 2), {});
  EXPECT_THAT(result.detail, StartsWith("branch-and-bound, since too many"));
  EXPECT_THAT(result.detail, Not(HasSubstr("then anneal")));
  EXPECT_EQ(result.termination, Termination::kOptimal);
  EXPECT_TRUE(result.root_certificate.has_value());
}

TEST(AutoSolver, TakesDpWithoutPairTerms) {
  const SolveResult result = Solve(
      RandomProblem({.units = 60, .options = 5, .pair_density = 0.0}, 4), {});
  EXPECT_THAT(result.detail, StartsWith("dp, since there are no pair terms"));
  EXPECT_EQ(result.termination, Termination::kOptimal);
}

// `count` blocks of `width` units that pair terms couple.
AllocationProblem BlockProblem(int count, int width = 3) {
  AllocationProblem problem = RandomProblem(
      {.units = width * count, .options = 3, .pair_density = 0.0}, 7);
  const std::vector<int> first = problem.FirstVariables();
  for (int u = 0; u + 1 < width * count; ++u) {
    if (u % width == width - 1) continue;
    for (int o = 0; o < 3; ++o) {
      problem.pairs.Add(first[static_cast<std::size_t>(u)] + o,
                        first[static_cast<std::size_t>(u) + 1] + o,
                        0.1 * (o - 1) - 0.05);
    }
  }
  return problem;
}

TEST(AutoSolver, TakesDpForPairTermsInBlocks) {
  const SolveResult result = Solve(BlockProblem(12), {});
  EXPECT_THAT(result.detail, StartsWith("dp, since pair terms couple few"));
  EXPECT_EQ(result.termination, Termination::kOptimal);
}

TEST(AutoSolver, TakesBlockDpForBlocksThatDpCannotStore) {
  // With a pool no option is dropped as dominated, so the blocks stay large.
  SolveOptions options;
  options.pool_size = 2;
  const SolveResult result = Solve(BlockProblem(2, 14), options);
  EXPECT_THAT(result.detail, StartsWith("block-dp, since pair terms stay"));
  EXPECT_EQ(result.termination, Termination::kOptimal);
}

TEST(AutoSolver, GoesOnWhenSeveralLimitsKeepDpOut) {
  const SolveResult result = Solve(
      RandomProblem({.units = 40, .resources = 2, .pair_density = 0.0}, 4), {});
  EXPECT_THAT(result.detail, StartsWith("branch-and-bound"));
  EXPECT_EQ(result.termination, Termination::kOptimal);
}

// A quadratic knapsack: every pair gains.
AllocationProblem KnapsackProblem(int units, std::uint64_t seed) {
  AllocationProblem problem = RandomProblem(
      {.units = units, .pair_density = 0.0, .tightness = 0.4}, seed);
  for (int i = 0; i < units; ++i) {
    for (int j = i + 1; j < units; ++j) {
      if ((i + j) % 5 == 0) continue;
      problem.pairs.Add(2 * i + 1, 2 * j + 1, -0.01 * ((i + j) % 9 + 1));
    }
  }
  return problem;
}

TEST(AutoSolver, TakesTheLagrangianForQuadraticKnapsacks) {
  const SolveResult result = Solve(KnapsackProblem(40, 3), {});
  EXPECT_THAT(result.detail, StartsWith("lagrangian-qkp, since no pair cost"));
  EXPECT_EQ(result.termination, Termination::kOptimal);
}

TEST(AutoSolver, AnnealsWhatALimitLeavesUnproven) {
  SolveOptions options;
  options.node_limit = 3;
  options.pool_size = 4;
  std::vector<double> seen;
  options.on_incumbent = [&](const ScoredPlan& plan) {
    seen.push_back(plan.objective);
  };
  std::vector<TracePoint> progress;
  options.on_progress = [&](const TracePoint& point) {
    progress.push_back(point);
  };
  const SolveResult result =
      Solve(CoopProblem({.units = 60, .ratio = 100.0, .equal_sizes = true}, 3),
            options);
  EXPECT_THAT(result.detail, HasSubstr("then anneal, for a better plan"));
  EXPECT_EQ(result.termination, Termination::kFeasible);
  EXPECT_GT(result.pool.size(), 1U);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), result.objective);
  // One clock and one incumbent for all phases.
  ASSERT_EQ(progress.size(), result.trace.size());
  for (std::size_t i = 1; i < result.trace.size(); ++i) {
    EXPECT_GE(result.trace[i].time_s, result.trace[i - 1].time_s);
    EXPECT_LE(result.trace[i].objective, result.trace[i - 1].objective);
    EXPECT_GE(result.trace[i].bound, result.trace[i - 1].bound);
  }
}

TEST(AutoSolver, FillsThePoolOfAProof) {
  SolveOptions options;
  options.pool_size = 5;
  const SolveResult result =
      Solve(RandomProblem({.units = 40, .options = 3, .pair_density = 0.0}, 9),
            options);
  EXPECT_EQ(result.termination, Termination::kOptimal);
  EXPECT_EQ(result.pool.size(), 5U);
}

TEST(AutoSolver, KeepsTheTimeLimitOverAllPhases) {
  SolveOptions options;
  options.time_limit_s = 0.3;
  const SolveResult result =
      Solve(RandomProblem({.units = 300, .pair_density = 1.0}, 5), options);
  EXPECT_EQ(result.limit, Limit::kTime);
  EXPECT_LT(result.stats.time_s, 2.0);
}

TEST(AutoSolver, RelaxesWhatIsTooLargeForAMatrix) {
  SolveOptions options;
  options.node_limit = 2;
  const SolveResult result =
      Solve(RandomProblem({.units = 6000, .pair_density = 0.0005}, 3), options);
  EXPECT_THAT(result.detail, StartsWith("relax-round, then"));
  EXPECT_EQ(result.termination, Termination::kFeasible);
}

}  // namespace
}  // namespace bitpact
