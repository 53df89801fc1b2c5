// SPDX-License-Identifier: Apache-2.0
#include "solvers/greedy_solver.h"

#include "gtest/gtest.h"
#include "solvers/plan_checker.h"

namespace bitpact {
namespace {

AllocationProblem ThreeItems() {
  AllocationProblem problem;
  problem.resources = {{"bytes", 10}};
  problem.units = {{"small", {{"out", 0.0, {0}}, {"in", -7.0, {5}}}},
                   {"large", {{"out", 0.0, {0}}, {"in", -10.0, {9}}}},
                   {"dear", {{"out", 0.0, {0}}, {"in", -2.0, {5}}}}};
  return problem;
}

TEST(GreedySolver, TakesWhatGainsMostForItsSize) {
  GreedySolver solver;
  // Gain a byte: 1.4, 1.11, 0.4. After the first the second does not fit.
  const Expected<SolveResult> result = SolveAndCheck(solver, ThreeItems(), {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->incumbent, Assignment({1, 0, 1}));
  EXPECT_EQ(result->objective, -9.0);  // the optimum is -10
  EXPECT_EQ(result->termination, Termination::kFeasible);
  EXPECT_EQ(result->stats.nodes, 2);
}

TEST(GreedySolver, SeesPairTermsAsTheyStand) {
  GreedySolver solver;
  AllocationProblem problem = ThreeItems();
  // Once "small" is in, "dear" costs more than it gains.
  problem.pairs.Add(1, 5, 3.0);
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->incumbent, Assignment({1, 0, 0}));
}

}  // namespace
}  // namespace bitpact
