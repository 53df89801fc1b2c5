// SPDX-License-Identifier: Apache-2.0
#include "solvers/auto_solver.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::CoopProblem;
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

TEST(AutoSolver, AnnealsFirstWhatIsLarge) {
  SolveOptions options;
  options.time_limit_s = 20.0;
  const SolveResult result =
      Solve(CoopProblem({.units = 130, .ratio = 0.3}, 2), options);
  EXPECT_THAT(result.detail, StartsWith("anneal, then branch-and-bound"));
  EXPECT_EQ(result.termination, Termination::kOptimal);
  for (std::size_t i = 1; i < result.trace.size(); ++i) {
    EXPECT_GE(result.trace[i].time_s, result.trace[i - 1].time_s);
  }
}

TEST(AutoSolver, RelaxesWhatIsTooLargeForAMatrix) {
  SolveOptions options;
  options.node_limit = 2;
  const SolveResult result =
      Solve(RandomProblem({.units = 2100, .pair_density = 0.0005}, 3), options);
  EXPECT_THAT(result.detail, StartsWith("relax-round, then"));
  EXPECT_EQ(result.termination, Termination::kFeasible);
}

}  // namespace
}  // namespace bitpact
