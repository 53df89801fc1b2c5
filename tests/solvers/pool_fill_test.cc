// SPDX-License-Identifier: Apache-2.0
#include "solvers/pool_fill.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "solvers/solver_factory.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;

// The objectives of the plans that differ from `plan` in one or two units.
std::vector<double> NearObjectives(const AllocationProblem& problem,
                                   const Assignment& plan) {
  std::vector<double> near;
  const auto note = [&](const Assignment& moved) {
    if (IsFeasible(problem, moved)) near.push_back(Objective(problem, moved));
  };
  const int n = problem.NumUnits();
  for (int u = 0; u < n; ++u) {
    for (int a = 0; a < problem.NumOptions(u); ++a) {
      if (a == plan[static_cast<std::size_t>(u)]) continue;
      Assignment once = plan;
      once[static_cast<std::size_t>(u)] = a;
      note(once);
      for (int w = u + 1; w < n; ++w) {
        for (int b = 0; b < problem.NumOptions(w); ++b) {
          if (b == plan[static_cast<std::size_t>(w)]) continue;
          Assignment twice = once;
          twice[static_cast<std::size_t>(w)] = b;
          note(twice);
        }
      }
    }
  }
  std::sort(near.begin(), near.end());
  return near;
}

TEST(FillPool, OffersTheBestPlansNextToTheIncumbent) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const RandomProblemSpec spec{.units = 8,
                                 .options = 2 + static_cast<int>(seed % 2),
                                 .resources = 1 + static_cast<int>(seed % 3)};
    const AllocationProblem problem = RandomProblem(spec, seed);
    const testing::BruteForceAnswer judge = testing::SolveByBruteForce(problem);
    if (!judge.plan) continue;
    SolveOptions options;
    options.pool_size = 6;
    options.warm_start = judge.plan;
    const SolveClock clock(options);
    const ReducedProblem reduced = Reduce(problem);
    IncumbentRecorder recorder(problem, options, clock);
    FillPool(reduced, options, recorder);
    EXPECT_EQ(recorder.BestAssignment(), *judge.plan) << Describe(spec, seed);
    const std::vector<double> near = NearObjectives(problem, *judge.plan);
    for (std::size_t i = 0; i < near.size() && i < 5; ++i) {
      ASSERT_LT(i + 1, recorder.pool().size()) << Describe(spec, seed);
      EXPECT_LE(recorder.pool()[i + 1].objective,
                near[i] + 1e-12 * ObjectiveScale(problem))
          << Describe(spec, seed);
    }
  }
}

TEST(FillPool, GivesEveryExactSolverOfTheFactoryAFullPool) {
  SolveOptions options;
  options.pool_size = 12;
  for (const char* name :
       {"auto", "branch-and-bound", "dp", "lagrangian-qkp"}) {
    const auto solver = MakeSolver(name);
    ASSERT_TRUE(solver.has_value());
    const Expected<SolveResult> result =
        SolveAndCheck(**solver,
                      RandomProblem({.units = 30, .pair_density = 0.0}, 2),
                      options);
    ASSERT_TRUE(result.has_value()) << name << ": " << result.error().message;
    EXPECT_EQ(result->termination, Termination::kOptimal) << name;
    EXPECT_EQ(result->pool.size(), 12U) << name;
  }
}

}  // namespace
}  // namespace bitpact
