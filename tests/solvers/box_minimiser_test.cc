// SPDX-License-Identifier: Apache-2.0
#include "solvers/box_minimiser.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>

#include "core/random.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

// Costs that fall with every variable, with noise that couples them; convex or
// not.
BoxProgramme RandomProgramme(std::size_t n, double noise, std::uint64_t seed) {
  RandomStream stream(seed, "tests/box_programme");
  BoxProgramme p;
  p.quadratic.assign(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    const double damage = std::exp(stream.Normal());
    p.upper.push_back(0.3 + 0.4 * stream.Uniform());
    p.linear.push_back(-4.0 * damage);
    p.quadratic[i * n + i] = 2.0 * damage / p.upper.back();
    p.weight.push_back(1000.0 + static_cast<double>(stream.UniformInt(5000)));
    for (std::size_t j = 0; j < i; ++j) {
      p.quadratic[i * n + j] = p.quadratic[j * n + i] = noise * stream.Normal();
    }
  }
  double most = 0.0;
  for (std::size_t i = 0; i < n; ++i) most += p.weight[i] * p.upper[i];
  p.limit = 0.4 * most;
  return p;
}

double Use(const BoxProgramme& p, const std::vector<double>& x) {
  return std::inner_product(x.begin(), x.end(), p.weight.begin(), 0.0);
}

TEST(BoxProgramme, SolvesTwoVariablesByHand) {
  // min (x-1)^2 + (y-1)^2 with x + y <= 1: (1/2, 1/2), value 1/2.
  const BoxProgramme p{.constant = 2.0,
                       .linear = {-2.0, -2.0},
                       .quadratic = {2.0, 0.0, 0.0, 2.0},
                       .upper = {1.0, 1.0},
                       .weight = {1.0, 1.0},
                       .limit = 1.0};
  const auto solved = SolveBoxProgramme(p);
  ASSERT_TRUE(solved.has_value()) << solved.error().message;
  EXPECT_NEAR(solved->x[0], 0.5, 1e-6);
  EXPECT_NEAR(solved->objective, 0.5, 1e-7);
  EXPECT_NEAR(solved->bound, 0.5, 1e-7);
  EXPECT_EQ(solved->shift, 0.0);
}

TEST(BoxProgramme, BoundsEveryFeasiblePointConvexOrNot) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const double noise = seed % 2 == 0 ? 0.02 : 8.0;
    const BoxProgramme p = RandomProgramme(8, noise, seed);
    const auto solved = SolveBoxProgramme(p);
    ASSERT_TRUE(solved.has_value()) << solved.error().message;
    EXPECT_LE(Use(p, solved->x), p.limit * (1.0 + 1e-12));
    if (solved->shift == 0.0) {
      EXPECT_NEAR(solved->bound, solved->objective, 1e-6);
    }
    RandomStream stream(seed, "tests/box_points");
    for (int i = 0; i < 2000; ++i) {
      std::vector<double> x;
      for (const double upper : p.upper) x.push_back(upper * stream.Uniform());
      const double over = Use(p, x) / p.limit;
      if (over > 1.0) {
        for (double& value : x) value /= over;
      }
      EXPECT_GE(p.Value(x), solved->bound - 1e-9);
      if (solved->shift == 0.0) {
        EXPECT_GE(p.Value(x), solved->objective - 1e-6);
      }
    }
  }
}

TEST(BoxProgramme, RoundingSpendsTheBudgetToWithinOneRow) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const BoxProgramme p = RandomProgramme(12, 0.05, seed);
    const auto solved = SolveBoxProgramme(p);
    ASSERT_TRUE(solved.has_value()) << solved.error().message;
    // A few rows a variable, and a map of bits that the first one brings.
    BoxLevels levels;
    std::int64_t largest_row = 0;
    RandomStream stream(seed, "tests/box_rows");
    for (std::size_t i = 0; i < p.size(); ++i) {
      const std::int64_t rows = 20 + stream.UniformInt(100);
      const std::int64_t row =
          std::llround(p.weight[i] * p.upper[i] / static_cast<double>(rows));
      levels.sizes.emplace_back(1, 0);
      for (std::int64_t k = 1; k <= rows; ++k) {
        levels.sizes.back().push_back(k * row + rows / 8);
      }
      largest_row = std::max(largest_row, row + rows / 8);
    }
    levels.limit = std::llround(p.limit);
    const std::vector<int> at = RoundToLevels(p, solved->x, levels);
    ASSERT_EQ(at.size(), p.size());
    std::int64_t used = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      used += levels.sizes[i][static_cast<std::size_t>(at[i])];
    }
    EXPECT_LE(used, levels.limit);
    EXPECT_GT(used, levels.limit - largest_row);
  }
}

TEST(BoxProgramme, RoundingSpendsNothingOnWhatDoesNotHelp) {
  const BoxProgramme p{.linear = {1.0, -1.0},
                       .quadratic = {0.0, 0.0, 0.0, 0.0},
                       .upper = {1.0, 1.0},
                       .weight = {10.0, 10.0},
                       .limit = 20.0};
  const auto solved = SolveBoxProgramme(p);
  ASSERT_TRUE(solved.has_value());
  const BoxLevels levels{{{0, 5, 10}, {0, 5, 10}}, 20};
  EXPECT_EQ(RoundToLevels(p, solved->x, levels), std::vector<int>({0, 2}));
}

TEST(BoxProgramme, SaysWhatIsBrokenAndThatABudgetIsOutOfReach) {
  BoxProgramme p = RandomProgramme(3, 0.0, 1);
  p.limit = -1.0;
  const auto out_of_reach = SolveBoxProgramme(p);
  ASSERT_TRUE(out_of_reach.has_value());
  EXPECT_TRUE(out_of_reach->x.empty());
  p.upper[1] = 0.0;
  EXPECT_FALSE(SolveBoxProgramme(p));
  p.upper[1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(SolveBoxProgramme(p));
}

}  // namespace
}  // namespace bitpact
