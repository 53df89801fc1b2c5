// SPDX-License-Identifier: Apache-2.0
#include "solvers/dp_solver.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::SolveByBruteForce;

// Units of a language model: errors fall by about four a bit, sizes to the
// byte.
AllocationProblem BitLadder(int units, int options, std::uint64_t seed) {
  RandomStream stream(seed, "tests/bit_ladder");
  AllocationProblem problem;
  problem.resources = {{"bytes", 0}};
  for (int u = 0; u < units; ++u) {
    ProblemUnit unit{"unit" + std::to_string(u), {}};
    const double damage = std::exp(0.8 * stream.Normal());
    const std::int64_t weights = 100'003 + stream.UniformInt(40'000'000);
    for (int o = 0; o < options; ++o) {
      const int bits = 2 + o;
      unit.options.push_back(
          {std::to_string(bits),
           damage * std::pow(4.0, 2 - bits) * (0.8 + 0.4 * stream.Uniform()),
           {weights * bits / 8 + stream.UniformInt(977)}});
    }
    problem.units.push_back(std::move(unit));
  }
  const SizeRange range = ComputeSizeRange(problem, 0);
  problem.resources[0].limit = range.least + (range.greatest - range.least) / 3;
  return problem;
}

// Pair terms of random sign inside clusters of `width` units next to each
// other.
AllocationProblem Clustered(
    int units, int options, int width, bool whole_numbers, std::uint64_t seed) {
  AllocationProblem problem = testing::RandomProblem(
      {.units = units,
       .options = options,
       .pair_density = 0.0,
       .whole_numbers = whole_numbers,
       .tightness = 0.1 * static_cast<double>(seed % 11)},
      seed);
  RandomStream stream(seed, "tests/clustered");
  for (int i = 0; i < units * options; ++i) {
    for (int j = i + 1; j < units * options; ++j) {
      const int u = i / options;
      const int w = j / options;
      if (u == w || u / width != w / width) continue;
      const double value = whole_numbers
                               ? static_cast<double>(stream.UniformInt(5) - 2)
                               : stream.Normal();
      problem.pairs.Add(i, j, value);
    }
  }
  return problem;
}

TEST(DpSolver, AgreesWithBruteForceOnClusters) {
  DpSolver solver;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const int options = 2 + static_cast<int>(seed % 3);
    const AllocationProblem problem = Clustered(options == 2 ? 11 : 6,
                                                options,
                                                1 + static_cast<int>(seed % 4),
                                                seed % 2 == 0,
                                                seed);
    const auto judge = SolveByBruteForce(problem);
    SolveOptions run;
    if (seed % 3 == 0) {
      run.warm_start = Assignment(problem.units.size(), 0);
      if (!IsFeasible(problem, *run.warm_start)) run.warm_start.reset();
    }
    const Expected<SolveResult> result = SolveAndCheck(solver, problem, run);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    ASSERT_EQ(result->termination, Termination::kOptimal) << "seed " << seed;
    EXPECT_NEAR(result->objective, judge.objective, 1e-9) << "seed " << seed;
  }
}

TEST(DpSolver, ProvesAThousandUnitsOfSixOptions) {
  DpSolver solver;
  const AllocationProblem problem = BitLadder(1000, 6, 1);
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->termination, Termination::kOptimal);
  // Wide, for busy machines and sanitizers; measured: a hundredth of it.
  EXPECT_LT(result->stats.time_s, 5.0);
}

TEST(DpSolver, TakesEachUnitsBestWithoutABudget) {
  DpSolver solver;
  AllocationProblem problem = BitLadder(50, 4, 2);
  problem.resources.clear();
  for (ProblemUnit& unit : problem.units) {
    for (ProblemOption& option : unit.options) option.sizes.clear();
  }
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->termination, Termination::kOptimal);
}

TEST(DpSolver, RefusesClustersThatAreTooLarge) {
  DpSolver solver;
  const Expected<SolveResult> result =
      SolveAndCheck(solver, testing::RandomProblem({.units = 24}, 1), {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(result.error().message.find("couple 24 units"), std::string::npos)
      << result.error().message;
}

TEST(DpSolver, AnUnfinishedRunKeepsAPlanAndTheBoundOfTheRelaxation) {
  DpSolver solver;
  SolveOptions options;
  options.node_limit = 0;
  const AllocationProblem problem = BitLadder(200, 5, 3);
  const Expected<SolveResult> stopped = SolveAndCheck(solver, problem, options);
  const Expected<SolveResult> whole = SolveAndCheck(solver, problem, {});
  ASSERT_TRUE(stopped.has_value() && whole.has_value());
  EXPECT_EQ(stopped->termination, Termination::kFeasible);
  EXPECT_EQ(stopped->limit, Limit::kNodes);
  EXPECT_LE(stopped->bound, whole->objective);
  EXPECT_GE(stopped->objective, whole->objective);
}

}  // namespace
}  // namespace bitpact
