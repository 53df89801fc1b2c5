// SPDX-License-Identifier: Apache-2.0
#include "solvers/branch_and_bound_solver.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::BruteForceAnswer;
using testing::CoopProblem;
using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;
using testing::SolveByBruteForce;

// The i-th of many small kinds: two-way and one-hot, dense and sparse, one to
// three resources, pins, ties, equal optima, loose and tight limits.
RandomProblemSpec SmallSpec(std::uint64_t i) {
  const bool is_two_way = i % 3 != 0;
  return {.units = is_two_way ? 5 + static_cast<int>(i % 5)
                              : 3 + static_cast<int>(i % 3),
          .options = is_two_way ? 2 : 3,
          .resources = static_cast<int>(i % 4),
          .pair_density = i % 5 == 0 ? 0.3 : 1.0,
          .pair_scale = i % 7 == 0 ? 5.0 : 0.5,
          .whole_numbers = i % 4 == 1,
          .pins = static_cast<int>(i / 4 % 2),
          .ties = static_cast<int>(i / 8 % 2),
          .tightness = 0.15 + 0.1 * static_cast<double>(i % 8)};
}

void ExpectProof(const AllocationProblem& problem,
                 const SolveOptions& options,
                 const std::string& what) {
  const BruteForceAnswer judge = SolveByBruteForce(problem);
  BranchAndBoundSolver solver(BranchAndBoundSolver::Start::kNothing);
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, options);
  ASSERT_TRUE(result.has_value()) << what << ": " << result.error().message;
  if (!judge.plan) {
    EXPECT_EQ(result->termination, Termination::kInfeasible) << what;
    return;
  }
  EXPECT_EQ(result->termination, Termination::kOptimal) << what;
  EXPECT_NEAR(result->objective,
              judge.objective,
              1e-7 * (1.0 + std::abs(judge.objective)))
      << what;
}

// A search that starts from the optimum proves anything; these start from
// nothing at all.
TEST(BranchAndBoundSolver, ProvesWithoutAnIncumbent) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const RandomProblemSpec spec = SmallSpec(seed);
    ExpectProof(
        RandomProblem(spec, seed), SolveOptions{}, Describe(spec, seed));
    if (HasFatalFailure()) return;
  }
}

TEST(BranchAndBoundSolver, ProvesFromTheWorstPlan) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const RandomProblemSpec spec = SmallSpec(seed);
    const AllocationProblem problem = RandomProblem(spec, 5000 + seed);
    AllocationProblem negated = problem;
    for (ProblemUnit& unit : negated.units) {
      for (ProblemOption& option : unit.options) option.cost = -option.cost;
    }
    negated.pairs = PairTerms();
    problem.pairs.ForEach(
        [&](int i, int j, double value) { negated.pairs.Add(i, j, -value); });
    SolveOptions options;
    options.warm_start = SolveByBruteForce(negated).plan;
    ExpectProof(problem, options, Describe(spec, 5000 + seed));
    if (HasFatalFailure()) return;
  }
}

TEST(BranchAndBoundSolver, ProvesThePaperFormBeyondEnumeration) {
  // 40 units at a quadratic part ten times the linear one.
  BranchAndBoundSolver solver;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const AllocationProblem problem =
        CoopProblem({.units = 40, .ratio = 10.0}, seed);
    const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_EQ(result->termination, Termination::kOptimal) << "seed " << seed;
    EXPECT_LT(result->stats.nodes, 5000) << "seed " << seed;
  }
}

// The formula of RootCertificate, term by term in long double.
TEST(BranchAndBoundSolver, ItsRootCertificateReachesItsBound) {
  BranchAndBoundSolver solver;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const RandomProblemSpec spec{
        .units = 14, .resources = static_cast<int>(seed % 2), .tightness = 0.3};
    const AllocationProblem problem = RandomProblem(spec, seed);
    const ReducedProblem reduced = Reduce(problem, ReduceFor({}));
    const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
    ASSERT_TRUE(result.has_value()) << Describe(spec, seed);
    ASSERT_TRUE(result->root_certificate.has_value()) << Describe(spec, seed);
    const RootCertificate& root = *result->root_certificate;
    const auto n = static_cast<std::size_t>(reduced.NumVariables());
    ASSERT_EQ(root.multipliers.size(), reduced.limits.size());
    long double bound = reduced.constant;
    for (std::size_t k = 0; k < root.multipliers.size(); ++k) {
      EXPECT_GE(root.multipliers[k], 0.0);
      bound -= static_cast<long double>(root.multipliers[k]) *
               static_cast<long double>(reduced.limits[k]);
    }
    for (std::size_t i = 0; i < n; ++i) {
      const long double c = reduced.linear[i] - 0.5L * root.shift[i];
      long double g = c + static_cast<long double>(root.shift[i]) *
                              static_cast<long double>(root.point[i]);
      for (std::size_t j = 0; j < n; ++j) {
        g += static_cast<long double>(
                 reduced.pairs.At(static_cast<int>(i), static_cast<int>(j))) *
             static_cast<long double>(root.point[j]);
      }
      // f - g'y = constant + (c - g)'y / 2.
      bound += 0.5L * (c - g) * static_cast<long double>(root.point[i]);
      for (std::size_t k = 0; k < root.multipliers.size(); ++k) {
        g += static_cast<long double>(root.multipliers[k]) *
             static_cast<long double>(reduced.sizes[k][i]);
      }
      bound += std::min(g, 0.0L);
    }
    EXPECT_LE(static_cast<long double>(root.bound), bound)
        << Describe(spec, seed);
    EXPECT_NEAR(root.bound, static_cast<double>(bound), 1e-6)
        << Describe(spec, seed);
    EXPECT_LE(root.bound, result->objective) << Describe(spec, seed);
  }
}

TEST(BranchAndBoundSolver, ThreadsChangeNothing) {
  BranchAndBoundSolver solver;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const AllocationProblem problem =
        RandomProblem({.units = 40, .pair_scale = 0.5}, seed);
    SolveOptions options;
    options.node_limit = 600;
    const Expected<SolveResult> one = SolveAndCheck(solver, problem, options);
    options.threads = 3;
    const Expected<SolveResult> three = SolveAndCheck(solver, problem, options);
    ASSERT_TRUE(one.has_value() && three.has_value());
    EXPECT_EQ(one->incumbent, three->incumbent) << "seed " << seed;
    EXPECT_EQ(one->bound, three->bound) << "seed " << seed;
    EXPECT_EQ(one->stats.nodes, three->stats.nodes) << "seed " << seed;
    EXPECT_EQ(three->options.at("threads").used, "3");
  }
}

TEST(BranchAndBoundSolver, AnInterruptedSearchStillHasAValidBound) {
  const AllocationProblem problem = RandomProblem({.units = 14}, 3);
  const double optimum = SolveByBruteForce(problem).objective;
  BranchAndBoundSolver solver(BranchAndBoundSolver::Start::kNothing);
  double last = -std::numeric_limits<double>::infinity();
  for (const std::int64_t nodes : {1, 3, 10, 30, 100}) {
    SolveOptions options;
    options.node_limit = nodes;
    const Expected<SolveResult> result =
        SolveAndCheck(solver, problem, options);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_LE(result->bound, optimum + 1e-9) << nodes;
    EXPECT_GE(result->bound, last) << nodes;
    last = result->bound;
  }
}

}  // namespace
}  // namespace bitpact
