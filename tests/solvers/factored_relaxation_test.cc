// SPDX-License-Identifier: Apache-2.0
#include "solvers/factored_relaxation.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "solvers/relax_round_solver.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;

RandomProblemSpec SpecOf(std::uint64_t seed) {
  return {.units = 7,
          .options = 2 + static_cast<int>(seed % 2),
          .resources = static_cast<int>(seed / 2 % 3),
          .pair_density = seed % 5 == 0 ? 0.3 : 0.0,
          .factor_rank = static_cast<int>(seed % 4),
          .negative_factors = seed % 7 == 6};
}

TEST(FactoredRelaxation, BoundsEveryPlanHoweverFarItGot) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const RandomProblemSpec spec = SpecOf(seed);
    const AllocationProblem problem = RandomProblem(spec, seed);
    const ReducedProblem reduced = Reduce(problem);
    const auto judge = testing::SolveByBruteForce(problem);
    if (reduced.infeasible || reduced.NumGroups() == 0 || !judge.plan) continue;
    const SolveOptions options;
    const SolveClock clock(options);
    for (const int rounds : {1, 3, 100}) {
      FactoredRelaxation relaxation(reduced);
      relaxation.Improve(rounds, 0.0, clock);
      EXPECT_LE(relaxation.bound(), judge.objective) << Describe(spec, seed);
      EXPECT_GT(relaxation.bound(), -std::numeric_limits<double>::infinity());
    }
  }
}

TEST(FactoredRelaxation, ClosesNoChoiceOfABetterPlan) {
  std::size_t closed = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const RandomProblemSpec spec = SpecOf(seed);
    const AllocationProblem problem = RandomProblem(spec, seed);
    const ReducedProblem reduced = Reduce(problem);
    const auto judge = testing::SolveByBruteForce(problem);
    if (reduced.infeasible || reduced.NumGroups() == 0 || !judge.plan) continue;
    const SolveOptions options;
    const SolveClock clock(options);
    FactoredRelaxation relaxation(reduced);
    relaxation.Improve(100, 0.0, clock);
    const auto open = relaxation.OpenChoices(judge.objective + 1e-6);
    const Choices best = reduced.Contract(*judge.plan);
    for (std::size_t g = 0; g < best.size(); ++g) {
      EXPECT_EQ(open[g][static_cast<std::size_t>(best[g])], 1)
          << Describe(spec, seed);
      closed += static_cast<std::size_t>(
          std::count(open[g].begin(), open[g].end(), '\0'));
    }
  }
  EXPECT_GT(closed, 0U);
}

TEST(RelaxRoundSolver, IsWithinOnePercentOnLowRankCovariance) {
  AllocationProblem problem = RandomProblem(
      {.units = 400, .pair_density = 0.0, .factor_rank = 10, .tightness = 0.4},
      1);
  ASSERT_TRUE(Reduce(problem).pairs.has_factors());
  RelaxRoundSolver solver;
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_LE(result->RelativeGap(), 0.01);
}

TEST(RelaxRoundSolver, SaysThatNoPlanExists) {
  AllocationProblem problem =
      RandomProblem({.units = 40, .pair_density = 0.0, .factor_rank = 2}, 1);
  problem.resources[0].limit = 0;
  for (ProblemUnit& unit : problem.units) unit.options[0].sizes[0] = 1;
  for (ProblemUnit& unit : problem.units) unit.options[1].sizes[0] = 1;
  RelaxRoundSolver solver;
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->termination, Termination::kInfeasible);
}

}  // namespace
}  // namespace bitpact
