// SPDX-License-Identifier: Apache-2.0
#include "estimators/hipr.h"

#include <cmath>
#include <string>
#include <vector>

#include "estimators/continuous_ratios.h"
#include "gtest/gtest.h"
#include "tests/estimators/toy_games.h"

namespace bitpact {
namespace {

constexpr int kUnits = 4;
constexpr int kOptions = 3;  // besides full precision

std::vector<Unit> TwoBlocks() {
  return {{"layers.0.q", {{"a", 8, 8}}},
          {"layers.0.o", {{"b", 8, 8}}},
          {"layers.1.q", {{"c", 8, 8}}},
          {"layers.1.o", {{"d", 8, 8}}}};
}

// Errors along one direction a unit: the loss is 1/2 (sum of g_u e_u)^2 inside
// each block, with e_u by option; full precision has none.
double Error(int unit, int option) {
  constexpr double kSizes[kOptions + 1] = {0.0, 0.5, 0.8, 1.3};
  return kSizes[option] * (1.0 + 0.3 * unit);
}
double BlockLoss(const FormatAssignment& x) {
  const double first = Error(0, x[0]) - 0.7 * Error(1, x[1]);
  const double second = Error(2, x[2]) + 0.4 * Error(3, x[3]);
  return 0.5 * first * first + 0.5 * second * second;
}
double LossWithBase(const FormatAssignment& x) { return 2.0 + BlockLoss(x); }

// The surrogate at every assignment of the options.
void ExpectExact(const Surrogate& surrogate, double tolerance) {
  for (int code = 0; code < 81; ++code) {
    const std::vector<int> options = {
        code % 3, code / 3 % 3, code / 9 % 3, code / 27};
    FormatAssignment in_game = options;
    for (int& option : in_game) ++option;
    EXPECT_NEAR(surrogate.Predict(options), BlockLoss(in_game), tolerance)
        << code;
  }
}

TEST(Hipr, IsExactForQuadraticBlocksFromTheQuestionsItAnnounces) {
  FunctionGame game(kUnits, kOptions + 1, LossWithBase, {3.0, 5.0});
  const auto design = DesignHipr(TwoBlocks(), kOptions, {});
  ASSERT_TRUE(design.has_value()) << design.error().message;
  EXPECT_EQ(design->evaluations, 2 + 12 + 2 * 9);
  const auto estimate = MeasureHipr(game, *design);
  ASSERT_TRUE(estimate.has_value()) << estimate.error().message;
  EXPECT_EQ(game.evaluations, design->evaluations);
  EXPECT_DOUBLE_EQ(estimate->base_loss, 2.0);
  EXPECT_DOUBLE_EQ(estimate->lowest_loss, LossWithBase({3, 3, 3, 3}));
  ExpectExact(estimate->surrogate, 1e-12);
}

TEST(Hipr, InterpolatesPairsExactlyWhereErrorsHaveOneDirection) {
  FunctionGame game(kUnits, kOptions + 1, LossWithBase);
  const auto design = DesignHipr(TwoBlocks(), kOptions, {.pair_options = {2}});
  ASSERT_TRUE(design.has_value()) << design.error().message;
  EXPECT_EQ(design->evaluations, 2 + 12 + 2);
  const auto estimate = MeasureHipr(game, *design);
  ASSERT_TRUE(estimate.has_value()) << estimate.error().message;
  ExpectExact(estimate->surrogate, 1e-12);
}

TEST(Hipr, MeasuresAcrossBlocksWhenAsked) {
  const auto design = DesignHipr(
      TwoBlocks(), kOptions, {.pairs_across_blocks = true, .pair_options = {}});
  ASSERT_TRUE(design.has_value()) << design.error().message;
  EXPECT_EQ(design->pairs.size(), 6U);
}

TEST(Hipr, RefusesPairOptionsThatAreNot) {
  for (const std::vector<int>& options :
       {std::vector<int>{3}, std::vector<int>{-1}, std::vector<int>{1, 1}}) {
    EXPECT_FALSE(DesignHipr(TwoBlocks(), kOptions, {.pair_options = options}));
  }
}

TEST(ContinuousRatios, RecoversAQuadraticOfTheRatios) {
  const std::vector<double> ratios = {0.5, 0.3, 0.1, 0.0};
  Surrogate surrogate;
  surrogate.linear.resize(2);
  for (const double r : ratios) {
    surrogate.linear[0].push_back(3.0 - 2.0 * r + 1.5 * r * r);
    surrogate.linear[1].push_back(1.0 - r + 0.5 * r * r);
  }
  for (int a = 0; a < 4; ++a) {
    for (int b = 0; b < 4; ++b) {
      const double r = ratios[static_cast<std::size_t>(a)];
      const double t = ratios[static_cast<std::size_t>(b)];
      surrogate.pairs.push_back(
          {0, a, 1, b, 0.2 - 0.3 * r + 0.1 * t + 0.7 * r * t});
    }
  }
  const std::vector<std::int64_t> bytes = {150, 130, 110, 100};
  const auto fit = FitContinuousRatios(surrogate, ratios, {bytes, bytes}, 260);
  ASSERT_TRUE(fit.has_value()) << fit.error().message;
  for (const double r : {0.0, 0.2, 0.45}) {
    for (const double t : {0.05, 0.5}) {
      EXPECT_NEAR(fit->Value({r, t}),
                  3.0 - 2.0 * r + 1.5 * r * r + 1.0 - t + 0.5 * t * t + 0.2 -
                      0.3 * r + 0.1 * t + 0.7 * r * t,
                  1e-12);
    }
  }
  EXPECT_DOUBLE_EQ(fit->limit, 60.0);
  EXPECT_DOUBLE_EQ(fit->weight[0], 100.0);
}

TEST(ContinuousRatios, CostsThatFallNeverRiseInTheFit) {
  // Steep first, then flat: the parabola of least squares turns.
  const std::vector<double> ratios = {0.5, 0.3, 0.2, 0.1, 0.05, 0.0};
  Surrogate surrogate;
  surrogate.linear.resize(1);
  for (const double r : ratios) {
    surrogate.linear[0].push_back(std::exp(-20.0 * r));
  }
  const std::vector<std::int64_t> bytes = {150, 130, 120, 110, 105, 100};
  const auto fit = FitContinuousRatios(surrogate, ratios, {bytes}, 140);
  ASSERT_TRUE(fit.has_value()) << fit.error().message;
  double last = fit->Value({0.0});
  for (int step = 1; step <= 50; ++step) {
    const double value = fit->Value({0.01 * step});
    EXPECT_LE(value, last + 1e-12) << step;
    last = value;
  }
}

TEST(ContinuousRatios, WantsZeroAmongTheCandidates) {
  Surrogate surrogate;
  surrogate.linear = {{0.1, 0.2}};
  EXPECT_FALSE(FitContinuousRatios(surrogate, {0.2, 0.1}, {{3, 2}}, 3));
}

}  // namespace
}  // namespace bitpact
