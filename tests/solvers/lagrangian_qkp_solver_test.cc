// SPDX-License-Identifier: Apache-2.0
#include "solvers/lagrangian_qkp_solver.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/random.h"
#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "solvers/qkp_bound.h"
#include "solvers/qkp_model.h"
#include "solvers/reduced_problem.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::BruteForceAnswer;
using testing::RandomProblem;
using testing::SolveByBruteForce;

// The i-th of many small quadratic knapsacks: sparse and dense, tight, loose
// and exactly full, weights and profits that may be zero, profits below zero,
// whole numbers and others, and some with exchanged options.
AllocationProblem SmallQkp(std::uint64_t i) {
  RandomStream stream(i, "tests/small_qkp");
  const int n = 4 + static_cast<int>(i % 9);
  const bool is_whole = i % 3 != 0;
  const bool has_zeros = i % 2 == 0;
  const bool has_losses = i % 5 == 0;
  const double density = i % 4 == 0 ? 0.25 : (i % 4 == 1 ? 0.6 : 1.0);
  const auto profit = [&] {
    if (has_zeros && stream.Uniform() < 0.3) return 0.0;
    if (is_whole) return 1.0 + static_cast<double>(stream.UniformInt(20));
    return 20.0 * stream.Uniform();
  };
  AllocationProblem problem;
  problem.constant = i % 7 == 0 ? 3.25 : 0.0;
  std::vector<std::int64_t> weights;
  std::vector<char> is_exchanged;
  for (int u = 0; u < n; ++u) {
    const bool is_zero = has_zeros && stream.Uniform() < 0.2;
    weights.push_back(is_zero ? 0 : 1 + stream.UniformInt(15));
    is_exchanged.push_back(i % 6 == 0 && stream.Uniform() < 0.4 ? 1 : 0);
    ProblemOption out{.name = "out", .cost = 0.0, .sizes = {0}};
    ProblemOption in{
        .name = "in", .cost = -profit(), .sizes = {weights.back()}};
    if (has_losses && stream.Uniform() < 0.3) in.cost = -in.cost;
    ProblemUnit unit{.name = "u" + std::to_string(u), .options = {out, in}};
    if (is_exchanged.back() != 0) std::swap(unit.options[0], unit.options[1]);
    problem.units.push_back(unit);
  }
  for (int u = 0; u < n; ++u) {
    for (int v = u + 1; v < n; ++v) {
      if (stream.Uniform() >= density) continue;
      problem.pairs.Add(2 * u + 1 - is_exchanged[static_cast<std::size_t>(u)],
                        2 * v + 1 - is_exchanged[static_cast<std::size_t>(v)],
                        -profit());
    }
  }
  std::int64_t sum = 0;
  std::int64_t some = 0;
  for (const std::int64_t weight : weights) {
    sum += weight;
    if (stream.Uniform() < 0.5) some += weight;
  }
  // Exactly full: the sum of a random subset, or of everything (less one).
  const std::int64_t limits[] = {
      some, sum / 5, sum / 2, 9 * sum / 10, sum, sum - 1, 0};
  problem.resources.push_back(
      {.name = "bytes", .limit = std::max<std::int64_t>(0, limits[i % 7])});
  return problem;
}

void ExpectProof(const AllocationProblem& problem,
                 const SolveOptions& options,
                 std::uint64_t seed) {
  const BruteForceAnswer judge = SolveByBruteForce(problem);
  ASSERT_TRUE(judge.plan.has_value()) << "seed " << seed;
  LagrangianQkpSolver solver(LagrangianQkpSolver::Start::kNothing);
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, options);
  ASSERT_TRUE(result.has_value())
      << "seed " << seed << ": " << result.error().message;
  EXPECT_EQ(result->termination, Termination::kOptimal) << "seed " << seed;
  EXPECT_NEAR(result->objective, judge.objective, 1e-7) << "seed " << seed;
  EXPECT_LE(result->bound, judge.objective + 1e-9) << "seed " << seed;
}

// A search that starts from the optimum proves anything; these start from
// nothing at all.
TEST(LagrangianQkpSolver, ProvesWithoutAnIncumbent) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    ExpectProof(SmallQkp(seed), SolveOptions{}, seed);
    if (HasFailure()) return;
  }
}

TEST(LagrangianQkpSolver, ProvesFromABadPlan) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const AllocationProblem problem = SmallQkp(seed);
    SolveOptions options;
    Assignment out;
    for (const ProblemUnit& unit : problem.units) {
      out.push_back(unit.options[0].name == "out" ? 0 : 1);
    }
    options.warm_start = out;
    ExpectProof(problem, options, seed);
    if (HasFailure()) return;
  }
}

TEST(LagrangianQkpSolver, ProvesFromAPlanOnePartBelowTheOptimum) {
  int tried = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const AllocationProblem problem = SmallQkp(seed);
    const double optimum = SolveByBruteForce(problem).objective;
    // The best plan without one unit of the best one.
    const Assignment best = *SolveByBruteForce(problem).plan;
    Assignment worse = best;
    for (std::size_t u = 0; u < worse.size(); ++u) {
      const int out = problem.units[u].options[0].name == "out" ? 0 : 1;
      if (worse[u] == out) continue;
      worse[u] = out;
      break;
    }
    if (Objective(problem, worse) <= optimum + 1e-9) continue;
    ++tried;
    SolveOptions options;
    options.warm_start = worse;
    ExpectProof(problem, options, seed);
    if (HasFailure()) return;
  }
  EXPECT_GT(tried, 200);
}

TEST(LagrangianQkpSolver, AnInterruptedSearchStillHasAValidBound) {
  for (std::uint64_t seed = 8; seed < 200; seed += 9) {
    const AllocationProblem problem = SmallQkp(seed);
    const double optimum = SolveByBruteForce(problem).objective;
    LagrangianQkpSolver solver(LagrangianQkpSolver::Start::kNothing);
    for (const std::int64_t nodes : {0, 1, 2, 5, 20}) {
      SolveOptions options;
      options.node_limit = nodes;
      const Expected<SolveResult> result =
          SolveAndCheck(solver, problem, options);
      ASSERT_TRUE(result.has_value()) << result.error().message;
      EXPECT_LE(result->bound, optimum + 1e-9)
          << "seed " << seed << " nodes " << nodes;
    }
  }
}

TEST(LagrangianQkpSolver, NamesWhatItCannotExpress) {
  LagrangianQkpSolver solver;
  AllocationProblem problem = SmallQkp(3);
  // Every pair of three units costs: no exchange makes all of them profits.
  problem.pairs = PairTerms();
  problem.pairs.Add(1, 3, 1.0);
  problem.pairs.Add(1, 5, 1.0);
  problem.pairs.Add(3, 5, 1.0);
  const Expected<SolveResult> result = solver.Solve(problem, {});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(result.error().message.find("pair costs above zero"),
            std::string::npos);
}

// The bound holds for any shares, after any number of steps, and for the
// solutions that agree with what was marked.
TEST(QkpBound, IsNeverBelowTheBestValue) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const AllocationProblem problem = SmallQkp(seed);
    const ReducedProblem reduced = Reduce(problem);
    if (reduced.NumGroups() == 0) continue;
    Expected<SwitchedQkpModel> switched = MakeQkpModel(reduced);
    ASSERT_TRUE(switched.has_value()) << switched.error().message;
    const double best = -SolveByBruteForce(problem).objective;
    double last = std::numeric_limits<double>::infinity();
    for (const int steps : {1, 3, 40}) {
      QkpModel model = switched->model;
      std::vector<ItemState> states(model.item.size(), ItemState::kFree);
      ASSERT_TRUE(MarkForced(model, states));
      model = Compress(model, states);
      states.assign(model.item.size(), ItemState::kFree);
      if (model.NumItems() == 0) break;
      QkpBound bound;
      const double value =
          bound.Tighten(model,
                        states,
                        -std::numeric_limits<double>::infinity(),
                        1e-9,
                        {.steps = steps, .patience = 50, .least_gain = 0.0});
      EXPECT_GE(value, best) << "seed " << seed << " steps " << steps;
      EXPECT_LE(value, last + 1e-9) << "seed " << seed << " steps " << steps;
      last = value;
    }
    if (HasFailure()) return;
  }
}

TEST(QkpModel, FoldingKeepsTheValue) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const AllocationProblem problem = SmallQkp(seed);
    const ReducedProblem reduced = Reduce(problem);
    Expected<SwitchedQkpModel> switched = MakeQkpModel(reduced);
    ASSERT_TRUE(switched.has_value()) << switched.error().message;
    RandomStream stream(seed, "tests/fold");
    QkpModel model = switched->model;
    std::vector<char> is_in(model.item.size());
    Choices choices;
    for (std::size_t i = 0; i < is_in.size(); ++i) {
      is_in[i] = stream.Uniform() < 0.5 ? 1 : 0;
      choices.push_back(is_in[i] != switched->is_exchanged[i] ? 1 : 0);
    }
    // Item by item in random order; what is left at the end is the value.
    while (model.NumItems() > 0) {
      std::vector<ItemState> states(model.item.size(), ItemState::kFree);
      const auto at =
          static_cast<std::size_t>(stream.UniformInt(model.NumItems()));
      states[at] = is_in[static_cast<std::size_t>(model.item[at])] != 0
                       ? ItemState::kIn
                       : ItemState::kOut;
      model = Compress(model, states);
    }
    const Assignment plan = reduced.Expand(choices);
    EXPECT_NEAR(model.base, -Objective(problem, plan), 1e-9) << "seed " << seed;
    EXPECT_EQ(model.capacity >= 0, IsFeasible(problem, plan))
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace bitpact
