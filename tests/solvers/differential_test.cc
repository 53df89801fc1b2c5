// SPDX-License-Identifier: Apache-2.0
// Every exact solver against brute force on small random problems of every
// kind, from no incumbent and from the worst plan there is. A search whose
// bounds are wrong still finds optima; it is a bad start, which it must not
// mistake for the optimum, that gives it away.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "core/random.h"
#include "gtest/gtest.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/plan_checker.h"
#include "solvers/solver_factory.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::BruteForceAnswer;
using testing::Describe;
using testing::LadderProblem;
using testing::LadderSpec;
using testing::RandomProblem;
using testing::RandomProblemSpec;
using testing::SolveByBruteForce;

constexpr std::uint64_t kProblems = 1440;
// A call of CBC or of Bonmin takes tens of milliseconds, however small the
// model.
constexpr std::uint64_t kProblemsForCbc = 120;
constexpr std::uint64_t kProblemsForBonmin = 360;

std::uint64_t NumProblems(const std::string& solver) {
  if (solver.starts_with("cbc")) return kProblemsForCbc;
  return solver == "bonmin" ? kProblemsForBonmin : kProblems;
}

// The kinds of pair terms.
enum class Pairs { kRandom, kPositive, kSemidefinite, kKnapsack, kSparse, kNo };
constexpr int kPairKinds = 6;
constexpr const char* kPairNames[] = {
    "random", "positive", "semidefinite", "knapsack-like", "sparse", "none"};

// Replaces the pair terms by Q = 2 A A' off the diagonal, whose diagonal goes
// into the costs: semidefinite over all variables.
void MakeSemidefinite(std::uint64_t seed, AllocationProblem& problem) {
  RandomStream stream(seed, "tests/differential");
  const std::vector<int> first = problem.FirstVariables();
  const auto n = static_cast<std::size_t>(first.back());
  constexpr std::size_t kRank = 3;
  std::vector<double> factor(n * kRank);
  for (double& entry : factor) entry = stream.Normal();
  const auto product = [&](std::size_t i, std::size_t j) {
    double sum = 0.0;
    for (std::size_t r = 0; r < kRank; ++r) {
      sum += factor[i * kRank + r] * factor[j * kRank + r];
    }
    return sum;
  };
  problem.pairs = {};
  for (std::size_t u = 0; u < problem.units.size(); ++u) {
    for (auto i = static_cast<std::size_t>(first[u]);
         i < static_cast<std::size_t>(first[u + 1]);
         ++i) {
      problem.units[u].options[i - static_cast<std::size_t>(first[u])].cost +=
          product(i, i);
      for (auto j = static_cast<std::size_t>(first[u + 1]); j < n; ++j) {
        problem.pairs.Add(
            static_cast<int>(i), static_cast<int>(j), 2.0 * product(i, j));
      }
    }
  }
}

// Replaces every coefficient by sign * its magnitude.
void SetSign(double sign, AllocationProblem& problem) {
  PairTerms terms;
  problem.pairs.ForEach([&](int i, int j, double value) {
    terms.Add(i, j, sign * std::abs(value));
  });
  problem.pairs = terms;
}

// The classical quadratic knapsack: option 0 takes nothing and gains nothing,
// all else gains.
void MakeKnapsackLike(AllocationProblem& problem) {
  PairTerms terms;
  const std::vector<int> first = problem.FirstVariables();
  std::vector<char> is_out(static_cast<std::size_t>(first.back()), 0);
  for (const int v : first) {
    if (v < first.back()) is_out[static_cast<std::size_t>(v)] = 1;
  }
  problem.pairs.ForEach([&](int i, int j, double value) {
    const bool counts = is_out[static_cast<std::size_t>(i)] == 0 &&
                        is_out[static_cast<std::size_t>(j)] == 0;
    if (counts) terms.Add(i, j, -std::abs(value));
  });
  problem.pairs = terms;
  for (ProblemUnit& unit : problem.units) {
    for (ProblemOption& option : unit.options) {
      option.cost = -std::abs(option.cost);
    }
    unit.options[0].cost = 0.0;
    for (std::int64_t& size : unit.options[0].sizes) size = 0;
  }
}

struct Case {
  AllocationProblem problem;
  std::string text;
};

// Problem `number` of the sweep; digits of the number choose what it is like.
Case MakeCase(std::uint64_t number) {
  std::uint64_t rest = number;
  const auto digit = [&](std::uint64_t base) {
    const std::uint64_t value = rest % base;
    rest /= base;
    return static_cast<int>(value);
  };
  const auto kind = static_cast<Pairs>(digit(kPairKinds));
  RandomProblemSpec spec;
  spec.options = 2 + digit(2) * (1 + static_cast<int>(number % 2));
  spec.resources = digit(4);
  spec.whole_numbers = digit(2) == 1;
  spec.pins = digit(2);
  spec.ties = digit(3);
  spec.units = spec.options == 2 ? 4 + static_cast<int>(number % 6)
                                 : 2 + static_cast<int>(number % 4);
  spec.tightness = 0.15 + 0.25 * static_cast<double>(number % 4);
  spec.pair_density = kind == Pairs::kNo       ? 0.0
                      : kind == Pairs::kSparse ? 0.3
                                               : 1.0;
  Case made;
  made.problem = RandomProblem(spec, number);
  if (kind == Pairs::kPositive) SetSign(1.0, made.problem);
  if (kind == Pairs::kSemidefinite) MakeSemidefinite(number, made.problem);
  if (kind == Pairs::kKnapsack) MakeKnapsackLike(made.problem);
  made.text = "problem " + std::to_string(number) + ", pairs " +
              kPairNames[static_cast<int>(kind)] + ", " +
              testing::Describe(spec, number);
  return made;
}

class Differential : public ::testing::TestWithParam<std::string> {
 protected:
  // Solves once and compares; false when the solver cannot express the problem.
  bool Compare(Solver& solver,
               const Case& given,
               const BruteForceAnswer& judge,
               const SolveOptions& options) {
    const Expected<SolveResult> result =
        SolveAndCheck(solver, given.problem, options);
    if (!result && result.error().code == ErrorCode::kUnsupported) return false;
    EXPECT_TRUE(result.has_value())
        << given.text << ": " << result.error().message;
    if (!result) return true;
    ++solves_;
    if (!judge.plan) {
      EXPECT_EQ(result->termination, Termination::kInfeasible) << given.text;
      return true;
    }
    const double tolerance =
        2e-7 * std::abs(judge.objective) + 1e-9 * ObjectiveScale(given.problem);
    EXPECT_EQ(result->termination, Termination::kOptimal) << given.text;
    EXPECT_NEAR(result->objective, judge.objective, tolerance) << given.text;
    EXPECT_LE(result->bound, judge.objective + tolerance) << given.text;
    if (result->root_certificate) {
      EXPECT_LE(result->root_certificate->bound, judge.objective + tolerance)
          << given.text;
    }
    // The curve is a claim too, at every point.
    for (const TracePoint& point : result->trace) {
      EXPECT_LE(point.bound, judge.objective + tolerance) << given.text;
      EXPECT_GE(point.objective, judge.objective - tolerance) << given.text;
    }
    EXPECT_FALSE(result->trace.empty()) << given.text;
    return true;
  }

  int solves_ = 0;
};

TEST_P(Differential, AgreesWithBruteForceFromNoStartAndFromTheWorst) {
  const auto solver = MakeSolver(GetParam());
  ASSERT_TRUE(solver.has_value());
  const std::uint64_t count = NumProblems(GetParam());
  int compared = 0;
  int infeasible = 0;
  int inexpressible = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    // A stride without common divisor visits all kinds early.
    const Case given = MakeCase(i * 7 % kProblems);
    ASSERT_TRUE(Validate(given.problem).has_value()) << given.text;
    const BruteForceAnswer judge = SolveByBruteForce(given.problem);
    if (!Compare(**solver, given, judge, {})) {
      ++inexpressible;
      continue;
    }
    ++compared;
    infeasible += judge.plan ? 0 : 1;
    if (judge.worst && (*solver)->capabilities().warm_start) {
      SolveOptions options;
      options.warm_start = judge.worst;
      Compare(**solver, given, judge, options);
    }
    if (HasFailure()) break;
  }
  std::cout << GetParam() << ": " << compared << " problems enumerated ("
            << infeasible << " infeasible), " << solves_ << " solves, "
            << inexpressible << " problems it cannot express\n";
  EXPECT_GT(compared, 0);
  if ((*solver)->capabilities().multiple_options &&
      !(*solver)->capabilities().needs_structure) {
    // 1,000 of all.
    EXPECT_GE(static_cast<std::uint64_t>(compared) * kProblems, 1000 * count);
  }
}

// Ladders of mixed lengths, convex and not, with and without noise on each
// option, in every solver that takes them: no start, and the worst plan's.
struct LadderCase {
  LadderSpec spec;
  std::uint64_t seed = 0;
};

LadderCase MakeLadderCase(std::uint64_t number) {
  static const std::vector<std::vector<int>> kLengths = {
      {1, 2, 3, 5}, {5, 3, 2, 1}, {2, 3}, {5, 3}, {3}, {1, 5}};
  LadderSpec spec;
  spec.options = kLengths[number % kLengths.size()];
  spec.units = spec.options == std::vector<int>{5, 3} ? 4 : 5;
  spec.is_convex = number / 6 % 2 == 0;
  spec.ratio = number / 12 % 3 == 0 ? 0.3 : number / 12 % 3 == 1 ? 3.0 : 30.0;
  spec.cost_noise = number / 36 % 2 == 0 ? 0.0 : 0.5;
  spec.pair_noise = number / 72 % 2 == 0 ? 0.0 : 0.2;
  spec.tightness = 0.1 + 0.2 * static_cast<double>(number % 5);
  return {spec, number};
}

constexpr std::uint64_t kLadderProblems = 720;

TEST(LadderDifferential, BranchAndBoundAgreesWithBruteForceAndCertifies) {
  BranchAndBoundSolver proof_only(BranchAndBoundSolver::Start::kNothing);
  BranchAndBoundSolver usual;
  int certified = 0;
  for (std::uint64_t i = 0; i < kLadderProblems; ++i) {
    const LadderCase made = MakeLadderCase(i);
    const AllocationProblem problem = LadderProblem(made.spec, made.seed);
    const std::string text = Describe(made.spec, made.seed);
    const BruteForceAnswer judge = SolveByBruteForce(problem);
    ASSERT_TRUE(judge.plan.has_value()) << text;
    const double tolerance =
        2e-7 * std::abs(judge.objective) + 1e-9 * ObjectiveScale(problem);
    for (const bool is_usual : {true, false}) {
      for (const bool is_bad : {false, true}) {
        SolveOptions options;
        if (is_bad) options.warm_start = judge.worst;
        const Expected<SolveResult> result =
            SolveAndCheck(is_usual ? usual : proof_only, problem, options);
        ASSERT_TRUE(result.has_value()) << text << result.error().message;
        EXPECT_EQ(result->termination, Termination::kOptimal) << text;
        EXPECT_NEAR(result->objective, judge.objective, tolerance) << text;
        EXPECT_LE(result->bound, judge.objective + tolerance) << text;
        if (!result->root_certificate) continue;
        ++certified;
        EXPECT_LE(result->root_certificate->bound, judge.objective + tolerance)
            << text;
        EXPECT_EQ(result->options.at("root_certificate").used, "checked");
      }
    }
    if (HasFailure()) break;
  }
  // Those with two-option units only, too; none where folding leaves nothing,
  // as where each unit has an option that is best whatever the others take.
  EXPECT_GT(certified, static_cast<int>(5 * kLadderProblems / 2));
}

std::vector<std::string> ExactSolvers() {
  std::vector<std::string> names;
  for (const std::string& name : SolverNames()) {
    if ((*MakeSolver(name))->capabilities().exact) names.push_back(name);
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Exact,
                         Differential,
                         ::testing::ValuesIn(ExactSolvers()),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace bitpact
