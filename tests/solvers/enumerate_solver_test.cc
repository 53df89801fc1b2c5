// SPDX-License-Identifier: Apache-2.0
#include "solvers/enumerate_solver.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::BruteForceAnswer;
using testing::Describe;
using testing::FeasibleObjectives;
using testing::RandomProblem;
using testing::RandomProblemSpec;
using testing::SolveByBruteForce;

TEST(EnumerateSolver, ReturnsTheFirstOfEqualOptima) {
  EnumerateSolver solver;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const RandomProblemSpec spec{.units = 7,
                                 .options = 2 + static_cast<int>(seed % 2),
                                 .whole_numbers = true,
                                 .ties = static_cast<int>(seed % 3)};
    const AllocationProblem problem = RandomProblem(spec, seed);
    const BruteForceAnswer judge = SolveByBruteForce(problem);
    const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->incumbent, *judge.plan) << Describe(spec, seed);
  }
}

TEST(EnumerateSolver, PoolIsTheBestOfAll) {
  EnumerateSolver solver;
  for (const int options : {2, 3}) {
    const RandomProblemSpec spec{.units = 7, .options = options};
    const AllocationProblem problem = RandomProblem(spec, 21);
    SolveOptions solve;
    solve.pool_size = 6;
    const Expected<SolveResult> result = SolveAndCheck(solver, problem, solve);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    const std::vector<double> all = FeasibleObjectives(problem);
    ASSERT_EQ(result->pool.size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_NEAR(result->pool[i].objective, all[i], 1e-9)
          << options << " " << i;
    }
  }
}

// Units of two options, costs 0..2 against 0, sizes 1..2, one pair of -1, 0 or
// 1, every budget from 0 to 4: all of them.
TEST(EnumerateSolver, AgreesOnEveryTinyInstance) {
  EnumerateSolver solver;
  int instances = 0;
  for (int code = 0; code < 3 * 3 * 2 * 2 * 3 * 5; ++code) {
    int rest = code;
    const auto take = [&rest](int base) {
      const int digit = rest % base;
      rest /= base;
      return digit;
    };
    AllocationProblem problem;
    const double first = take(3);
    const double second = take(3);
    const std::int64_t first_size = 1 + take(2);
    const std::int64_t second_size = 1 + take(2);
    problem.units = {{"a", {{"x", first, {0}}, {"y", 1.0, {first_size}}}},
                     {"b", {{"x", second, {0}}, {"y", 1.0, {second_size}}}}};
    problem.pairs.Add(1, 3, take(3) - 1);
    problem.resources = {{"bytes", take(5)}};
    const BruteForceAnswer judge = SolveByBruteForce(problem);
    const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
    ASSERT_TRUE(result.has_value()) << result.error().message;
    ASSERT_EQ(result->incumbent, *judge.plan) << "code " << code;
    ++instances;
  }
  EXPECT_EQ(instances, 540);
}

TEST(EnumerateSolver, RefusesMoreThanTwentyFourFreeTwoWayUnits) {
  EnumerateSolver solver;
  AllocationProblem problem = RandomProblem({.units = 25}, 1);
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(result.error().message, ::testing::HasSubstr("2^24"));
  // A pin frees it of one unit; the node limit keeps the test short.
  problem.pins = {{0, 0}};
  SolveOptions options;
  options.node_limit = 10000;
  const Expected<SolveResult> pinned = SolveAndCheck(solver, problem, options);
  ASSERT_TRUE(pinned.has_value()) << pinned.error().message;
  EXPECT_EQ(pinned->limit, Limit::kNodes);
}

}  // namespace
}  // namespace bitpact
