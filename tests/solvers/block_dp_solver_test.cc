// SPDX-License-Identifier: Apache-2.0
#include "solvers/block_dp_solver.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/random.h"
#include "gtest/gtest.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/dp_solver.h"
#include "solvers/enumerate_solver.h"
#include "solvers/plan_checker.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

// Matrices whose options are growing shares of wide rows: costs fall by the
// share with noise, sizes grow to the byte, pairs inside a block have either
// sign.
struct RatioSpec {
  int blocks = 2;
  int matrices = 3;
  int options = 4;
  double pair_scale = 0.3;
  double tightness = 0.4;
};

AllocationProblem RatioProblem(const RatioSpec& spec, std::uint64_t seed) {
  RandomStream stream(seed, "tests/ratio_problem");
  AllocationProblem problem;
  problem.resources = {{"bytes", 0}};
  for (int u = 0; u < spec.blocks * spec.matrices; ++u) {
    ProblemUnit unit{"unit" + std::to_string(u), {}};
    const double damage = std::exp(0.6 * stream.Normal());
    const std::int64_t weights = 4'001 + stream.UniformInt(60'000);
    for (int o = 0; o < spec.options; ++o) {
      const double share = 0.5 * o / spec.options;
      unit.options.push_back(
          {std::to_string(share),
           damage * (std::exp(-4.0 * share) + 0.05 * stream.Normal()),
           {weights / 4 + std::llround(share * static_cast<double>(weights))}});
    }
    problem.units.push_back(std::move(unit));
  }
  const int per_block = spec.matrices * spec.options;
  for (int i = 0; i < spec.blocks * per_block; ++i) {
    for (int j = i + 1; j < spec.blocks * per_block; ++j) {
      if (i / per_block != j / per_block) break;
      if (i / spec.options == j / spec.options) continue;
      problem.pairs.Add(i, j, spec.pair_scale * stream.Normal());
    }
  }
  const SizeRange range = ComputeSizeRange(problem, 0);
  problem.resources[0].limit =
      range.least +
      std::llround(spec.tightness *
                   static_cast<double>(range.greatest - range.least));
  return problem;
}

double OptimumBy(Solver& solver, const AllocationProblem& problem) {
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  EXPECT_TRUE(result.has_value()) << result.error().message;
  if (!result) return std::nan("");
  EXPECT_EQ(result->termination, Termination::kOptimal);
  // A proof: to rounding, or to the relative gap that others stop at.
  EXPECT_NEAR(
      result->bound, result->objective, 2e-7 * std::abs(result->objective));
  return result->objective;
}

TEST(BlockDpSolver, AgreesWithBruteForceAndEnumerateOnIndefiniteBlocks) {
  BlockDpSolver solver;
  EnumerateSolver enumerate;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const AllocationProblem problem =
        RatioProblem({.matrices = 3,
                      .options = 3 + static_cast<int>(seed % 2),
                      .tightness = 0.1 * static_cast<double>(seed % 10)},
                     seed);
    const double optimum = OptimumBy(solver, problem);
    EXPECT_NEAR(optimum, testing::SolveByBruteForce(problem).objective, 1e-9);
    EXPECT_NEAR(optimum, OptimumBy(enumerate, problem), 1e-9);
  }
}

TEST(BlockDpSolver, AgreesWithDpAndBranchAndBoundOnLargerBlocks) {
  BlockDpSolver solver;
  DpSolver dp;
  BranchAndBoundSolver branch_and_bound;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const AllocationProblem problem = RatioProblem(
        {.blocks = 3, .matrices = 5, .options = 4, .pair_scale = 0.05}, seed);
    const double optimum = OptimumBy(solver, problem);
    EXPECT_NEAR(optimum, OptimumBy(dp, problem), 1e-9);
    EXPECT_NEAR(optimum,
                OptimumBy(branch_and_bound, problem),
                2e-7 * std::abs(optimum));
  }
}

TEST(BlockDpSolver, ProvesBlocksThatDpRefuses) {
  BlockDpSolver solver;
  DpSolver dp;
  const AllocationProblem problem =
      RatioProblem({.blocks = 2, .matrices = 7, .options = 8}, 5);
  const Expected<SolveResult> refused = SolveAndCheck(dp, problem, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  OptimumBy(solver, problem);
}

TEST(BlockDpSolver, RefusesWhatItCannotTakeAndSaysWhy) {
  BlockDpSolver solver;
  const auto message = [&](const AllocationProblem& problem) {
    const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
    EXPECT_FALSE(result.has_value());
    if (result) return std::string();
    EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
    return result.error().message;
  };
  EXPECT_NE(message(testing::RandomProblem({.units = 30}, 1))
                .find("couple 30 units (unit 0 is the first)"),
            std::string::npos);
  EXPECT_NE(message(testing::RandomProblem(
                        {.units = 8, .resources = 3, .tightness = 0.4}, 1))
                .find("3 resources that bind"),
            std::string::npos);
  EXPECT_NE(
      message(testing::RandomProblem(
                  {.units = 40, .pair_density = 0.0, .factor_rank = 1}, 1))
          .find("low-rank pair terms"),
      std::string::npos);
}

TEST(BlockDpSolver, StoppedWhileEnumeratingKeepsAPlanAndClaimsNoBound) {
  BlockDpSolver solver;
  SolveOptions options;
  options.node_limit = 1000;
  const Expected<SolveResult> result = SolveAndCheck(
      solver, RatioProblem({.matrices = 6, .options = 6}, 2), options);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->termination, Termination::kFeasible);
  EXPECT_EQ(result->limit, Limit::kNodes);
  EXPECT_TRUE(std::isinf(result->bound));
}

}  // namespace
}  // namespace bitpact
