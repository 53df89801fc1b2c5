// SPDX-License-Identifier: Apache-2.0

// What every solver must do, with brute force as judge. A case that a solver
// cannot express by its own statement is skipped for it.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "solvers/solver_factory.h"
#include "solvers/solver_template.h"
#include "tests/solvers/example_solver.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::BruteForceAnswer;
using testing::CoopProblem;
using testing::Describe;
using testing::FeasibleObjectives;
using testing::RandomProblem;
using testing::RandomProblemSpec;
using testing::SolveByBruteForce;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Those of the factory, the skeleton that new ones are copied from, and the
// example of docs/adding-a-solver.md.
std::vector<std::string> TestedSolvers() {
  std::vector<std::string> names = SolverNames();
  names.emplace_back("template");
  names.emplace_back("darts");
  // A call of CBC takes milliseconds whatever its model: it has a program of
  // its own.
  const auto is_cbc = [](const std::string& name) {
    return name.starts_with("cbc");
  };
#ifdef BITPACT_CONFORMANCE_OF_CBC
  std::erase_if(names, std::not_fn(is_cbc));
#else
  std::erase_if(names, is_cbc);
#endif
  return names;
}

// Optima may differ by the default relative gap and by rounding.
double Tolerance(const AllocationProblem& problem, double objective) {
  return 2e-7 * std::abs(objective) + 1e-9 * ObjectiveScale(problem);
}

class SolverConformance : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "template") {
      solver_ = std::make_unique<SolverTemplate>();
    } else if (GetParam() == "darts") {
      solver_ = testing::MakeExampleSolver();
    } else {
      Expected<std::unique_ptr<Solver>> made = MakeSolver(GetParam());
      ASSERT_TRUE(made.has_value()) << made.error().message;
      solver_ = std::move(*made);
    }
    can_ = solver_->capabilities();
  }

  [[nodiscard]] bool CanExpress(const AllocationProblem& problem) const {
    bool has_other_than_two = false;
    for (const ProblemUnit& unit : problem.units) {
      has_other_than_two = has_other_than_two || unit.options.size() != 2;
    }
    return (can_.multiple_options || !has_other_than_two) &&
           (can_.multiple_resources || problem.resources.size() < 2) &&
           (can_.pair_terms || problem.pairs.empty());
  }

  // Solves and compares with brute force: exact solvers prove the optimum, the
  // others never claim better and never claim infeasibility wrongly.
  void ExpectAgreesWithBruteForce(const AllocationProblem& problem,
                                  SolveOptions options,
                                  const std::string& what) {
    if (!CanExpress(problem)) return;
    // Heuristics would go on until their schedule ends.
    if (!can_.exact && can_.node_limit) options.node_limit = 300;
    const BruteForceAnswer judge = SolveByBruteForce(problem);
    const Expected<SolveResult> result =
        SolveAndCheck(*solver_, problem, options);
    if (can_.needs_structure && !result &&
        result.error().code == ErrorCode::kUnsupported) {
      return;
    }
    ASSERT_TRUE(result.has_value()) << what << ": " << result.error().message;
    ++compared_;
    if (!judge.plan) {
      EXPECT_FALSE(result->HasIncumbent()) << what;
      if (can_.exact) {
        EXPECT_EQ(result->termination, Termination::kInfeasible) << what;
        EXPECT_EQ(result->bound, kInfinity) << what;
      }
      return;
    }
    EXPECT_NE(result->termination, Termination::kInfeasible) << what;
    const double tolerance = Tolerance(problem, judge.objective);
    EXPECT_LE(result->bound, judge.objective + tolerance) << what;
    if (can_.exact) {
      ASSERT_EQ(result->termination, Termination::kOptimal)
          << what << ": objective " << result->objective << ", bound "
          << result->bound << ", " << result->detail;
      EXPECT_NEAR(result->objective, judge.objective, tolerance) << what;
    }
    if (result->HasIncumbent()) {
      EXPECT_GE(result->objective, judge.objective - tolerance) << what;
    }
  }

  // What every solver takes, when the test is not about pair terms.
  [[nodiscard]] AllocationProblem Problem(RandomProblemSpec spec,
                                          std::uint64_t seed) const {
    if (can_.needs_structure) spec.pair_density = 0.0;
    return RandomProblem(spec, seed);
  }

  void ExpectAgreesOnSeeds(const RandomProblemSpec& spec,
                           std::uint64_t first_seed,
                           std::uint64_t count) {
    for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
      ExpectAgreesWithBruteForce(
          RandomProblem(spec, seed), SolveOptions{}, Describe(spec, seed));
      if (HasFatalFailure()) return;
    }
    if (compared_ == 0) GTEST_SKIP() << "the solver cannot express these";
  }

  std::unique_ptr<Solver> solver_;
  SolverCapabilities can_;
  int compared_ = 0;
};

TEST_P(SolverConformance, SolvesTheSmallestProblem) {
  AllocationProblem problem;
  problem.units = {{"only", {{"a", 2.0, {}}, {"b", 1.0, {}}}}};
  const Expected<SolveResult> result = SolveAndCheck(*solver_, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->incumbent, Assignment({1}));
  EXPECT_EQ(result->objective, 1.0);
  EXPECT_EQ(result->solver, GetParam());
}

TEST_P(SolverConformance, SolvesWhenPinsLeaveNoChoice) {
  AllocationProblem problem = Problem({.units = 3}, 4);
  problem.pins = {{0, 1}, {1, 0}, {2, 1}};
  problem.resources[0].limit = 1000;
  const Expected<SolveResult> result = SolveAndCheck(*solver_, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->incumbent, Assignment({1, 0, 1}));
}

TEST_P(SolverConformance, AgreesOnTinyProblems) {
  // A seeded sample of the small integer instances where ties and exactly full
  // budgets are the rule.
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const RandomProblemSpec spec{
        .units = 1 + static_cast<int>(seed % 3),
        .options = 2 + static_cast<int>(seed / 3 % 2),
        .whole_numbers = true,
        .tightness = 0.25 * static_cast<double>(seed % 5)};
    ExpectAgreesWithBruteForce(
        RandomProblem(spec, seed), SolveOptions{}, Describe(spec, seed));
    if (HasFatalFailure()) return;
  }
}

TEST_P(SolverConformance, AgreesOnIndefiniteTwoWay) {
  ExpectAgreesOnSeeds({.units = 10}, 100, 8);
}

TEST_P(SolverConformance, AgreesOnLargerTwoWay) {
  ExpectAgreesOnSeeds({.units = 14, .pair_density = 0.5}, 200, 2);
}

TEST_P(SolverConformance, AgreesOnEighteenTwoWay) {
  ExpectAgreesOnSeeds({.units = 18, .pair_scale = 0.3}, 300, 1);
}

TEST_P(SolverConformance, AgreesWithoutPairs) {
  ExpectAgreesOnSeeds({.units = 12, .pair_density = 0.0}, 400, 8);
}

TEST_P(SolverConformance, AgreesOnOneHot) {
  ExpectAgreesOnSeeds({.units = 6, .options = 4, .pair_density = 0.5}, 500, 3);
}

TEST_P(SolverConformance, AgreesOnSeveralResources) {
  ExpectAgreesOnSeeds(
      {.units = 9, .options = 2, .resources = 3, .tightness = 0.45}, 600, 10);
}

TEST_P(SolverConformance, AgreesOnOneHotWithSeveralResources) {
  ExpectAgreesOnSeeds(
      {.units = 5, .options = 3, .resources = 2, .tightness = 0.4}, 700, 10);
}

TEST_P(SolverConformance, AgreesWithPinsAndTies) {
  ExpectAgreesOnSeeds(
      {.units = 11, .options = 2, .pins = 2, .ties = 3}, 800, 10);
}

TEST_P(SolverConformance, AgreesOnOneHotWithPinsAndTies) {
  ExpectAgreesOnSeeds(
      {.units = 6, .options = 3, .resources = 2, .pins = 1, .ties = 2},
      900,
      10);
}

TEST_P(SolverConformance, AgreesWithoutBudget) {
  ExpectAgreesOnSeeds({.units = 10, .options = 2, .resources = 0}, 1000, 6);
}

TEST_P(SolverConformance, AgreesOnExactlyTightBudgets) {
  ExpectAgreesOnSeeds({.units = 9, .tightness = 0.0}, 1100, 6);
  ExpectAgreesOnSeeds({.units = 9, .tightness = 1.0}, 1200, 4);
}

TEST_P(SolverConformance, AgreesOnThePaperForm) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    ExpectAgreesWithBruteForce(
        CoopProblem({.units = 12, .ratio = 3.0, .equal_sizes = seed % 2 == 0},
                    seed),
        SolveOptions{},
        "coop seed " + std::to_string(seed));
  }
}

TEST_P(SolverConformance, SaysInfeasibleForAnUnreachableBudget) {
  AllocationProblem problem = Problem({.units = 6}, 3);
  problem.resources[0].limit = ComputeSizeRange(problem, 0).least - 1;
  const Expected<SolveResult> result = SolveAndCheck(*solver_, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->termination, Termination::kInfeasible);
  EXPECT_NE(result->detail.find("least possible"), std::string::npos)
      << result->detail;
}

TEST_P(SolverConformance, SaysInfeasibleWhenLimitsExcludeEachOther) {
  if (!can_.multiple_resources || can_.needs_structure) {
    GTEST_SKIP() << "one resource only";
  }
  // Each option fits one limit only; two units need both.
  AllocationProblem problem;
  problem.resources = {{"a", 1}, {"b", 1}};
  for (int u = 0; u < 3; ++u) {
    problem.units.push_back(
        {"unit" + std::to_string(u), {{"x", 0.0, {1, 0}}, {"y", 0.0, {0, 1}}}});
  }
  const Expected<SolveResult> result = SolveAndCheck(*solver_, problem, {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(
      result->termination,
      can_.exact ? Termination::kInfeasible : Termination::kNoSolutionFound);
}

TEST_P(SolverConformance, BadIncumbentOrNoneGivesTheSameOptimum) {
  if (!can_.warm_start) GTEST_SKIP() << "takes no warm start";
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const RandomProblemSpec spec{.units = 11, .tightness = 0.4};
    const AllocationProblem problem = Problem(spec, 2000 + seed);
    // The feasible plan with the greatest objective of a sample.
    Assignment worst;
    double worst_objective = -kInfinity;
    for (int code = 0; code < 2048; ++code) {
      Assignment plan;
      for (int u = 0; u < 11; ++u) plan.push_back(code >> u & 1);
      if (!IsFeasible(problem, plan)) continue;
      if (Objective(problem, plan) <= worst_objective) continue;
      worst_objective = Objective(problem, plan);
      worst = plan;
    }
    SolveOptions options;
    options.warm_start = worst;
    ExpectAgreesWithBruteForce(problem, options, Describe(spec, seed));
    if (HasFatalFailure()) return;
  }
}

TEST_P(SolverConformance, KeepsAPerfectWarmStart) {
  if (!can_.warm_start) GTEST_SKIP() << "takes no warm start";
  const AllocationProblem problem = Problem({.units = 12}, 77);
  const BruteForceAnswer judge = SolveByBruteForce(problem);
  SolveOptions options;
  options.warm_start = judge.plan;
  const Expected<SolveResult> result =
      SolveAndCheck(*solver_, problem, options);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_NEAR(
      result->objective, judge.objective, 1e-12 * ObjectiveScale(problem));
}

TEST_P(SolverConformance, GivesTheSamePlanForTheSameSeedAndAnyThreads) {
  const RandomProblemSpec spec{.units = 13, .whole_numbers = true};
  AllocationProblem problem = RandomProblem(spec, 5);
  SolveOptions options;
  options.seed = 42;
  Expected<SolveResult> once = SolveAndCheck(*solver_, problem, options);
  if (!once && can_.needs_structure) {
    problem = Problem(spec, 5);
    once = SolveAndCheck(*solver_, problem, options);
  }
  const Expected<SolveResult> again = SolveAndCheck(*solver_, problem, options);
  options.threads = 2;
  const Expected<SolveResult> two = SolveAndCheck(*solver_, problem, options);
  ASSERT_TRUE(once.has_value() && again.has_value() && two.has_value());
  EXPECT_EQ(once->incumbent, again->incumbent);
  EXPECT_EQ(once->incumbent, two->incumbent);
  EXPECT_EQ(once->bound, two->bound);
  EXPECT_EQ(two->options.at("threads").asked, "2");
}

TEST_P(SolverConformance, HonoursTheTimeLimit) {
  if (!can_.time_limit) GTEST_SKIP() << "takes no time limit";
  const int units = std::min(can_.max_free_units, 40);
  const AllocationProblem problem = Problem({.units = units}, 6);
  SolveOptions options;
  options.time_limit_s = 0.05;
  const auto start = std::chrono::steady_clock::now();
  const Expected<SolveResult> result =
      SolveAndCheck(*solver_, problem, options);
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(result.has_value()) << result.error().message;
  // Wide, for busy machines and sanitizers.
  EXPECT_LT(taken.count(), 3.0);
}

TEST_P(SolverConformance, StopsWhenAsked) {
  std::stop_source source;
  const int units = std::min(can_.max_free_units, 40);
  const AllocationProblem problem = Problem({.units = units}, 8);
  SolveOptions options;
  options.stop = source.get_token();
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    source.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  const Expected<SolveResult> result =
      SolveAndCheck(*solver_, problem, options);
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_LT(taken.count(), 3.0);
}

TEST_P(SolverConformance, ReportsEveryImprovementOnce) {
  std::vector<double> objectives;
  SolveOptions options;
  options.on_incumbent = [&](const ScoredPlan& plan) {
    objectives.push_back(plan.objective);
  };
  const AllocationProblem problem = Problem({.units = 12}, 9);
  const Expected<SolveResult> result =
      SolveAndCheck(*solver_, problem, options);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  ASSERT_FALSE(objectives.empty());
  EXPECT_EQ(objectives.back(), result->objective);
  for (std::size_t i = 1; i < objectives.size(); ++i) {
    EXPECT_LE(objectives[i], objectives[i - 1]);
  }
}

TEST_P(SolverConformance, PoolHoldsDistinctPlansBestFirst) {
  if (!can_.pool) GTEST_SKIP() << "keeps no pool";
  SolveOptions options;
  options.pool_size = 5;
  const AllocationProblem problem = Problem({.units = 9}, 10);
  const Expected<SolveResult> result =
      SolveAndCheck(*solver_, problem, options);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  const std::vector<double> all = FeasibleObjectives(problem);
  ASSERT_FALSE(result->pool.empty());
  EXPECT_GT(result->pool.size(), 1U);
  EXPECT_NEAR(result->pool.front().objective, all.front(), 1e-7);
}

TEST_P(SolverConformance, MoreBudgetNeverCostsMore) {
  if (!can_.exact) GTEST_SKIP() << "holds for exact solvers";
  AllocationProblem problem = Problem({.units = 9}, 11);
  const SizeRange range = ComputeSizeRange(problem, 0);
  double last = kInfinity;
  for (std::int64_t limit = range.least; limit <= range.greatest;
       limit += 1 + (range.greatest - range.least) / 12) {
    problem.resources[0].limit = limit;
    const Expected<SolveResult> result = SolveAndCheck(*solver_, problem, {});
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_LE(result->objective, last + 1e-6) << "limit " << limit;
    last = result->objective;
  }
}

TEST_P(SolverConformance, AgreesWithBruteForceOnFactors) {
  if (!can_.pair_terms) GTEST_SKIP() << "takes no pair terms";
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    // Ten binaries and one column are kept as a factor, two are written out.
    const RandomProblemSpec spec{
        .units = 10,
        .options = 2,
        .resources = seed % 4 == 3 ? 2 : 1,
        .pair_density = seed % 2 == 0 ? 0.0 : 0.2,
        .factor_rank = 1 + static_cast<int>(seed / 2 % 2),
        .negative_factors = seed >= 4};
    ExpectAgreesWithBruteForce(
        RandomProblem(spec, seed), {}, Describe(spec, seed));
  }
}

TEST_P(SolverConformance, ScalingAllCostsScalesTheOptimum) {
  if (!can_.exact) GTEST_SKIP() << "holds for exact solvers";
  for (const double factor : {1e-6, 1e6}) {
    AllocationProblem problem = Problem({.units = 10}, 12);
    const double before = SolveByBruteForce(problem).objective;
    problem.constant *= factor;
    for (ProblemUnit& unit : problem.units) {
      for (ProblemOption& option : unit.options) option.cost *= factor;
    }
    PairTerms scaled;
    problem.pairs.ForEach(
        [&](int i, int j, double value) { scaled.Add(i, j, factor * value); });
    problem.pairs = scaled;
    const Expected<SolveResult> result = SolveAndCheck(*solver_, problem, {});
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_NEAR(result->objective / factor, before, 1e-6);
  }
}

INSTANTIATE_TEST_SUITE_P(Solvers,
                         SolverConformance,
                         ::testing::ValuesIn(TestedSolvers()),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace bitpact
