// SPDX-License-Identifier: Apache-2.0
#include "solvers/plan_checker.h"

#include <functional>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/enumerate_solver.h"

namespace bitpact {
namespace {

using ::testing::HasSubstr;

// Option 0 is cheap to store and costs 1; both units at option 1 do not fit.
AllocationProblem Problem() {
  AllocationProblem problem;
  problem.resources = {{"bytes", 6}};
  problem.units = {{"a", {{"low", 1.0, {2}}, {"high", 0.0, {4}}}},
                   {"b", {{"low", 1.5, {2}}, {"high", 0.0, {4}}}}};
  return problem;
}

// Solves honestly, then changes the answer.
class CheatingSolver final : public Solver {
 public:
  explicit CheatingSolver(std::function<void(SolveResult&)> cheat)
      : cheat_(std::move(cheat)) {}
  [[nodiscard]] std::string_view name() const override { return "cheat"; }
  [[nodiscard]] SolverCapabilities capabilities() const override {
    return honest_.capabilities();
  }
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override {
    Expected<SolveResult> result = honest_.Solve(problem, options);
    cheat_(*result);
    return result;
  }

 private:
  EnumerateSolver honest_;
  std::function<void(SolveResult&)> cheat_;
};

std::string Caught(std::function<void(SolveResult&)> cheat) {
  CheatingSolver solver(std::move(cheat));
  SolveOptions options;
  options.pool_size = 2;
  const Expected<SolveResult> result =
      SolveAndCheck(solver, Problem(), options);
  EXPECT_FALSE(result.has_value());
  if (result) return {};
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  return result.error().message;
}

TEST(PlanChecker, AcceptsAnHonestAnswer) {
  CheatingSolver solver([](SolveResult&) {});
  const Expected<SolveResult> result = SolveAndCheck(solver, Problem(), {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->incumbent, Assignment({0, 1}));
  EXPECT_EQ(result->termination, Termination::kOptimal);
}

TEST(PlanChecker, CatchesAWrongObjective) {
  EXPECT_THAT(Caught([](SolveResult& r) {
                r.objective = 0.5;
                r.bound = 0.5;
              }),
              HasSubstr("claims objective 0.5"));
}

TEST(PlanChecker, CatchesAnOverrunLimit) {
  EXPECT_THAT(Caught([](SolveResult& r) {
                r.incumbent = {1, 1};
                r.objective = 0.0;
              }),
              HasSubstr("uses 8 of 'bytes', limit 6"));
}

TEST(PlanChecker, CatchesAnOptionThatDoesNotExist) {
  EXPECT_THAT(Caught([](SolveResult& r) {
                r.incumbent = {0, 2};
              }),
              HasSubstr("gives unit 1 the option 2"));
  EXPECT_THAT(Caught([](SolveResult& r) { r.incumbent = {0}; }),
              HasSubstr("1 entries for 2 units"));
}

TEST(PlanChecker, CatchesABoundAboveTheObjective) {
  EXPECT_THAT(Caught([](SolveResult& r) { r.bound = 1.25; }),
              HasSubstr("bound 1.25 is above"));
  EXPECT_THAT(Caught([](SolveResult& r) {
                r.bound = std::numeric_limits<double>::quiet_NaN();
              }),
              HasSubstr("NaN"));
}

TEST(PlanChecker, CatchesAnOptimumWithoutProof) {
  EXPECT_THAT(Caught([](SolveResult& r) { r.bound = 0.5; }),
              HasSubstr("claims an optimum with bound 0.5"));
}

TEST(PlanChecker, CatchesContradictoryTerminations) {
  EXPECT_THAT(
      Caught([](SolveResult& r) { r.termination = Termination::kInfeasible; }),
      HasSubstr("termination infeasible with an incumbent"));
  EXPECT_THAT(Caught([](SolveResult& r) { r.incumbent.clear(); }),
              HasSubstr("termination optimal without an incumbent"));
}

TEST(PlanChecker, CatchesAWrongPool) {
  EXPECT_THAT(Caught([](SolveResult& r) { r.pool.back().objective = 9.0; }),
              HasSubstr("pool plan 1 claims objective 9"));
  EXPECT_THAT(Caught([](SolveResult& r) { r.pool[1] = r.pool[0]; }),
              HasSubstr("repeat"));
  EXPECT_THAT(Caught([](SolveResult& r) { r.pool.erase(r.pool.begin()); }),
              HasSubstr("not the incumbent"));
}

TEST(PlanChecker, ChecksPinsAndTies) {
  AllocationProblem problem = Problem();
  SolveResult result;
  result.solver = "hand";
  result.termination = Termination::kFeasible;
  result.incumbent = {0, 1};
  result.objective = 1.0;
  ASSERT_TRUE(CheckResult(problem, result, 0.0).has_value());
  problem.pins = {{0, 1}};
  EXPECT_THAT(CheckResult(problem, result, 0.0).error().message,
              HasSubstr("breaks the pin of unit 0"));
  problem.pins = {};
  problem.ties = {{0, 1}};
  EXPECT_THAT(CheckResult(problem, result, 0.0).error().message,
              HasSubstr("breaks the tie of units 0 and 1"));
}

TEST(SolveAndCheck, RefusesBadOptionsAndStarts) {
  EnumerateSolver solver;
  SolveOptions options;
  options.time_limit_s = -3.0;
  EXPECT_THAT(SolveAndCheck(solver, Problem(), options).error().message,
              HasSubstr("time_limit_s"));
  options = {};
  options.relative_gap = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(SolveAndCheck(solver, Problem(), options).has_value());
  options = {};
  options.pool_size = 0;
  EXPECT_FALSE(SolveAndCheck(solver, Problem(), options).has_value());
  options = {};
  options.warm_start = Assignment{1, 1};
  EXPECT_THAT(SolveAndCheck(solver, Problem(), options).error().message,
              HasSubstr("the warm start uses 8"));
}

TEST(SolveAndCheck, DefaultsAreValid) {
  EXPECT_TRUE(Validate(SolveOptions{}).has_value());
}

TEST(SolveAndCheck, RecordsWhatWasAskedAndUsed) {
  EnumerateSolver solver;
  SolveOptions options;
  options.threads = 4;
  options.time_limit_s = 2.5;
  const Expected<SolveResult> result =
      SolveAndCheck(solver, Problem(), options);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->options.at("threads").asked, "4");
  EXPECT_EQ(result->options.at("threads").used, "1");
  EXPECT_EQ(result->options.at("time_limit_s").asked, "2.5");
  EXPECT_EQ(result->options.at("relative_gap").used, "1e-07");
}

}  // namespace
}  // namespace bitpact
