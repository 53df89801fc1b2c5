// SPDX-License-Identifier: Apache-2.0

// The convex model and its shifts and relaxation, below any search.

#include "solvers/convex_model.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "Eigen/Dense"
#include "gtest/gtest.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/convex_relaxation.h"
#include "solvers/convex_shift.h"
#include "solvers/plan_checker.h"
#include "solvers/plan_state.h"
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

TEST(ConvexModel, KeepsTheObjectiveAtBinariesAndHasNoNegativeCurvature) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const RandomProblemSpec spec{.units = 5,
                                 .options = 2 + static_cast<int>(seed % 2)};
    const ReducedProblem reduced = Reduce(RandomProblem(spec, seed));
    constexpr Shift kShifts[] = {Shift::kLeastTrace,
                                 Shift::kSemidefinite,
                                 Shift::kLeastEigenvalue,
                                 Shift::kScaled};
    const Shift shift = kShifts[seed % 4];
    const std::vector<double> prices(reduced.limits.size(), 0.01);
    const ConvexModel model =
        MakeConvexModel(reduced, FullDomain(reduced), shift, prices);
    const std::size_t n = model.linear.size();
    const auto value = [&](const std::vector<double>& z) {
      double sum = model.constant;
      std::vector<double> bend(n, 0.0);
      model.AddCurvature(z, bend);
      for (std::size_t i = 0; i < n; ++i) {
        sum += model.linear[i] * z[i] + 0.5 * z[i] * bend[i];
      }
      return sum;
    };
    // Binary points: one choice after the other in group 0 and the last group.
    PlanState state(reduced);
    std::vector<double> z(n, 0.0);
    EXPECT_NEAR(value(z), state.objective(), 1e-9) << Describe(spec, seed);
    state.Move(0, 1);
    z[0] = 1.0;
    state.Move(reduced.NumGroups() - 1, 1);
    z[static_cast<std::size_t>(reduced.groups.back().first)] = 1.0;
    EXPECT_NEAR(value(z), state.objective(), 1e-9) << Describe(spec, seed);
    // Midpoints of random pairs of points: convex along every line.
    for (std::uint64_t trial = 0; trial < 20; ++trial) {
      std::vector<double> a(n);
      std::vector<double> b(n);
      std::vector<double> middle(n);
      for (std::size_t i = 0; i < n; ++i) {
        a[i] = static_cast<double>((trial * 7 + i * 13) % 11) / 10.0;
        b[i] = static_cast<double>((trial * 5 + i * 3) % 11) / 10.0;
        middle[i] = 0.5 * (a[i] + b[i]);
      }
      EXPECT_LE(value(middle), 0.5 * (value(a) + value(b)) + 1e-9)
          << Describe(spec, seed);
    }
  }
}

TEST(ConvexModel, CountsALadderAsOneCoordinate) {
  const LadderSpec ladders{.units = 12, .options = {2, 3, 5}};
  const ReducedProblem reduced = Reduce(LadderProblem(ladders, 1));
  EXPECT_EQ(reduced.NumVariables(), 4 * (1 + 2 + 4));
  EXPECT_EQ(CountCoordinates(reduced), 12);
  LadderSpec noisy = ladders;
  noisy.pair_noise = 0.1;
  const ReducedProblem broken = Reduce(LadderProblem(noisy, 1));
  EXPECT_EQ(CountCoordinates(broken), broken.NumVariables());
  EXPECT_EQ(
      MakeConvexModel(reduced, FullDomain(reduced), Shift::kLeastTrace, {})
          .num_coordinates,
      CountCoordinates(reduced));
}

// 2,100 binaries in 700 coordinates are taken, and refused in 2,100.
TEST(BranchAndBoundSolver, CountsCoordinatesNotBinaries) {
  LadderSpec spec{.units = 700, .options = {4}, .reach = 1};
  EXPECT_TRUE(
      BranchAndBoundSolver::IsSmallEnough(Reduce(LadderProblem(spec, 2))));
  spec.pair_noise = 0.1;
  const AllocationProblem problem = LadderProblem(spec, 2);
  BranchAndBoundSolver solver;
  const Expected<SolveResult> refused = SolveAndCheck(solver, problem, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message.find("2100 coordinates; the most is 2048"),
            std::string::npos)
      << refused.error().message;
}

// Beyond the sizes at which all eigenvalues are computed the estimate and the
// factorization must still leave nothing negative, and little too much.
TEST(ConvexModel, LargeShiftsLieOnTheBorder) {
  for (const bool is_convex : {false, true}) {
    const LadderSpec spec{.units = 300, .options = {3}, .is_convex = is_convex};
    const ReducedProblem reduced = Reduce(LadderProblem(spec, 5));
    for (const Shift shift : {Shift::kLeastTrace, Shift::kSemidefinite}) {
      const ConvexModel model =
          MakeConvexModel(reduced, FullDomain(reduced), shift, {});
      ASSERT_EQ(model.num_coordinates, 300);
      const Eigen::Map<const Eigen::MatrixXd> bend(
          model.curvature.data(), 300, 300);
      const Eigen::VectorXd root = bend.diagonal().cwiseSqrt().cwiseInverse();
      const double least =
          LeastEigenvalue(root.asDiagonal() * bend * root.asDiagonal());
      EXPECT_GE(least, 0.0);
      EXPECT_LE(least, 0.02);
    }
  }
}

// A clock that has run out takes the shift as it stands: still convex.
TEST(ConvexModel, AnImpatientShiftIsValid) {
  const ReducedProblem reduced =
      Reduce(LadderProblem({.units = 30, .options = {3}}, 5));
  SolveOptions options;
  options.time_limit_s = 0.0;
  const SolveClock clock(options);
  for (const Shift shift : {Shift::kLeastTrace, Shift::kSemidefinite}) {
    const ConvexModel model =
        MakeConvexModel(reduced, FullDomain(reduced), shift, {}, &clock);
    const Eigen::Map<const Eigen::MatrixXd> bend(
        model.curvature.data(), model.num_coordinates, model.num_coordinates);
    EXPECT_GE(LeastEigenvalue(bend), 0.0);
  }
}

TEST(ConvexShift, LeastEigenvalueMovesEveryCoordinateAlike) {
  // Eigenvalues 3 and -3 of the pair, 0 of the third.
  Eigen::MatrixXd k = Eigen::MatrixXd::Zero(3, 3);
  k(0, 1) = k(1, 0) = 3.0;
  const Eigen::VectorXd d = LeastEigenvalueShift(k);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(d(i), 3.0, 1e-12);
  k += d.asDiagonal();
  EXPECT_NEAR(LeastEigenvalue(k), 0.0, 1e-12);
}

// With the cutoff just above the optimum every choice of the optimal plan must
// stay open, and the bound must not pass the optimum.
TEST(ConvexRelaxation, NeverClosesTheOptimum) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const bool is_two_way = seed % 3 != 0;
    const RandomProblemSpec spec{
        .units = is_two_way ? 5 + static_cast<int>(seed % 5)
                            : 3 + static_cast<int>(seed % 3),
        .options = is_two_way ? 2 : 3,
        .resources = static_cast<int>(seed % 4),
        .pair_density = seed % 5 == 0 ? 0.3 : 1.0,
        .whole_numbers = seed % 4 == 1,
        .ties = static_cast<int>(seed / 8 % 2),
        .tightness = 0.15 + 0.1 * static_cast<double>(seed % 8)};
    const AllocationProblem problem = RandomProblem(spec, 9000 + seed);
    const BruteForceAnswer judge = SolveByBruteForce(problem);
    const ReducedProblem reduced = Reduce(problem);
    if (!judge.plan || reduced.NumGroups() == 0) continue;
    const Choices optimum = reduced.Contract(*judge.plan);
    for (const Shift shift : {Shift::kLeastEigenvalue,
                              Shift::kScaled,
                              Shift::kLeastTrace,
                              Shift::kSemidefinite}) {
      const ConvexModel model =
          MakeConvexModel(reduced, FullDomain(reduced), shift, {});
      ConvexRelaxation relaxation(model);
      RelaxationNode root = relaxation.Root();
      const bool is_open = relaxation.Tighten(
          root,
          judge.objective + 1e-6 * (1.0 + std::abs(judge.objective)),
          {.rounds = 50, .patience = 5});
      EXPECT_TRUE(is_open) << Describe(spec, 9000 + seed);
      EXPECT_LE(root.bound, judge.objective + 1e-9) << Describe(spec, seed);
      for (std::size_t g = 0; g < model.groups.size(); ++g) {
        const int choice =
            optimum[static_cast<std::size_t>(model.groups[g].reduced_group)];
        EXPECT_TRUE(relaxation.IsOpen(root, static_cast<int>(g), choice))
            << Describe(spec, 9000 + seed);
      }
    }
  }
}

}  // namespace
}  // namespace bitpact
