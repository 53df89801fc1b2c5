// SPDX-License-Identifier: Apache-2.0
#include "solvers/tabu_solver.h"

#include <cstdint>
#include <limits>

#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;
using testing::SolveByBruteForce;

TEST(TabuSolver, FindsTheOptimumOfSmallProblems) {
  TabuSolver solver;
  SolveOptions options;
  options.node_limit = 3000;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const RandomProblemSpec spec{.units = seed % 2 == 0 ? 11 : 6,
                                 .options = seed % 2 == 0 ? 2 : 4,
                                 .resources = static_cast<int>(seed % 3),
                                 .pins = static_cast<int>(seed % 2),
                                 .ties = static_cast<int>(seed / 2 % 3)};
    const AllocationProblem problem = RandomProblem(spec, seed);
    const testing::BruteForceAnswer judge = SolveByBruteForce(problem);
    if (!judge.plan) continue;
    const Expected<SolveResult> result =
        SolveAndCheck(solver, problem, options);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_NEAR(result->objective, judge.objective, 1e-9)
        << Describe(spec, seed);
  }
}

TEST(TabuSolver, CountsItsStepsAndClaimsNoBound) {
  TabuSolver solver;
  SolveOptions options;
  options.node_limit = 123;
  const Expected<SolveResult> result =
      SolveAndCheck(solver, RandomProblem({.units = 30}, 1), options);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->stats.nodes, 123);
  EXPECT_EQ(result->limit, Limit::kNodes);
  EXPECT_EQ(result->termination, Termination::kFeasible);
  EXPECT_EQ(result->bound, -std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace bitpact
