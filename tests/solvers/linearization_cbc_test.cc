// SPDX-License-Identifier: Apache-2.0

// The linearizations and the outer approximation, solved by CBC.

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "solvers/cbc_backend.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/linearization.h"
#include "solvers/outer_approximation.h"
#include "solvers/solve_clock.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::CoopProblem;
using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;

std::vector<RandomProblemSpec> Specs() {
  return {{.units = 5, .options = 2, .pair_density = 0.7},
          {.units = 4, .options = 3, .resources = 2, .pair_density = 0.7},
          {.units = 4, .options = 4, .resources = 0},
          {.units = 7, .options = 2, .resources = 3, .pins = 1, .ties = 1},
          {.units = 6, .options = 3, .pins = 1, .ties = 2},
          {.units = 5, .options = 3, .pair_scale = 4.0, .tightness = 0.2}};
}

class LinearizationByCbc : public ::testing::TestWithParam<LinearForm> {};

// The best whole point is the best plan: no column can undercut its product.
TEST_P(LinearizationByCbc, MilpOptimumEqualsBruteForce) {
  int compared = 0;
  for (const RandomProblemSpec& spec : Specs()) {
    for (std::uint64_t seed = 100; seed < 106; ++seed) {
      const AllocationProblem problem = RandomProblem(spec, seed);
      const ReducedProblem reduced = Reduce(problem);
      const auto judge = testing::SolveByBruteForce(problem);
      if (!judge.plan || reduced.NumGroups() == 0) continue;
      const LinearModel model = Linearize(GetParam(), reduced);
      const SolveOptions options;
      const auto outcome = RunCbc(model.milp, {}, SolveClock(options));
      ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
      ASSERT_TRUE(outcome->is_proven) << Describe(spec, seed);
      EXPECT_NEAR(model.milp.offset + model.milp.scale * outcome->bound,
                  judge.objective,
                  1e-6 * (1.0 + std::abs(judge.objective)))
          << Describe(spec, seed);
      ++compared;
    }
  }
  EXPECT_GE(compared, 20);
}

INSTANTIATE_TEST_SUITE_P(Forms,
                         LinearizationByCbc,
                         ::testing::Values(LinearForm::kMcCormick,
                                           LinearForm::kGlover,
                                           LinearForm::kRlt),
                         [](const auto& tested) {
                           std::string name(LinearFormName(tested.param));
                           std::erase(name, '-');
                           return name;
                         });

double Relaxation(LinearForm form, const ReducedProblem& problem) {
  const LinearModel model = Linearize(form, problem);
  const SolveOptions options;
  const auto value = RelaxationByClp(model.milp, SolveClock(options), nullptr);
  return value ? model.milp.offset + model.milp.scale * *value
               : -std::numeric_limits<double>::infinity();
}

// RLT-1 contains the rows of McCormick, and no relaxation is above the optimum.
TEST(LinearizationBound, OfRltIsNotBelowMcCormickNorAboveTheOptimum) {
  for (const RandomProblemSpec& spec : Specs()) {
    for (std::uint64_t seed = 200; seed < 206; ++seed) {
      const AllocationProblem problem = RandomProblem(spec, seed);
      const ReducedProblem reduced = Reduce(problem);
      const auto judge = testing::SolveByBruteForce(problem);
      if (!judge.plan || reduced.NumGroups() == 0) continue;
      const double tolerance = 1e-7 * reduced.scale;
      const double rlt = Relaxation(LinearForm::kRlt, reduced);
      const double mccormick = Relaxation(LinearForm::kMcCormick, reduced);
      const double glover = Relaxation(LinearForm::kGlover, reduced);
      EXPECT_GE(rlt, mccormick - tolerance) << Describe(spec, seed);
      EXPECT_LE(rlt, judge.objective + tolerance) << Describe(spec, seed);
      EXPECT_LE(glover, judge.objective + tolerance) << Describe(spec, seed);
    }
  }
}

// Tangents and masters alone, without a linearized core or an annealed start.
void ExpectMastersAgree(const AllocationProblem& problem,
                        const std::string& what) {
  const auto judge = testing::SolveByBruteForce(problem);
  const ReducedProblem reduced = Reduce(problem);
  if (!judge.plan || reduced.NumGroups() == 0) return;
  const SolveOptions options;
  const SolveClock clock(options);
  IncumbentRecorder recorder(problem, options, clock);
  const OuterApproximation method{.backend = RunCbc,
                                  .relax = RelaxationByClp,
                                  .start = OuterStart::kNothing,
                                  .most_core_binaries = 0};
  const auto outcome = SolveByOuterApproximation(
      method, problem, reduced, options, clock, recorder);
  ASSERT_TRUE(outcome.has_value()) << what << outcome.error().message;
  const SolveResult result = recorder.Finish(outcome->limit);
  EXPECT_EQ(result.termination, Termination::kOptimal) << what;
  EXPECT_NEAR(result.objective,
              judge.objective,
              1e-6 * (1.0 + std::abs(judge.objective)))
      << what;
}

TEST(OuterApproximation, MastersAloneProveThePaperForm) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    ExpectMastersAgree(CoopProblem({.units = 13, .ratio = 3.0}, seed),
                       "coop seed " + std::to_string(seed));
  }
}

TEST(OuterApproximation, MastersAloneProveIndefiniteAndOneHotProblems) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const RandomProblemSpec two{.units = 6, .resources = 2};
    ExpectMastersAgree(RandomProblem(two, 300 + seed), Describe(two, seed));
    const RandomProblemSpec one_hot{.units = 4, .options = 3};
    ExpectMastersAgree(RandomProblem(one_hot, 400 + seed),
                       Describe(one_hot, seed));
  }
}

}  // namespace
}  // namespace bitpact
