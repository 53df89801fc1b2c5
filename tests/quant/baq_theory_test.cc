// SPDX-License-Identifier: Apache-2.0
#include "quant/baq_theory.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

std::vector<double> LogNormal(std::int64_t count, double spread) {
  std::vector<double> values;
  for (const float normal : NormalFloats(count, "sensitivities")) {
    values.push_back(std::exp2(spread * double{normal}));
  }
  return values;
}

double Loss(const std::vector<double>& c, const std::vector<double>& rates) {
  double sum = 0.0;
  for (std::size_t j = 0; j < c.size(); ++j) {
    sum += c[j] * std::exp2(-2.0 * rates[j]);
  }
  return sum;
}

TEST(ColumnSensitivities, AreTheFormula) {
  const std::vector<double> ranges = {3.0, 4.0};
  const std::vector<double> pivots = {6.0, 0.0, 1.2};
  const std::vector<double> c = ColumnSensitivities(ranges, pivots);
  ASSERT_EQ(c.size(), 3U);
  EXPECT_NEAR(c[0], 12.5, 1e-12);
  EXPECT_EQ(c[1], 0.0);
  EXPECT_NEAR(c[2], 2.5, 1e-12);
}

TEST(ClosedFormRates, MeetTheMeanAndLoseEqually) {
  const std::vector<double> c = LogNormal(200, 2.0);
  const std::vector<double> rates = ClosedFormRates(c, 2.25);
  EXPECT_NEAR(
      std::accumulate(rates.begin(), rates.end(), 0.0) / 200.0, 2.25, 1e-12);
  const double first = c[0] * std::exp2(-2.0 * rates[0]);
  for (std::size_t j = 0; j < c.size(); ++j) {
    EXPECT_NEAR(c[j] * std::exp2(-2.0 * rates[j]), first, 1e-12 * first);
  }
}

// The conditions of Karush, Kuhn and Tucker: all derivatives by a rate are the
// multiplier; taken by differences, without the formula.
TEST(ClosedFormRates, AreStationary) {
  const std::vector<double> c = LogNormal(20, 1.5);
  const std::vector<double> rates = ClosedFormRates(c, 3.0);
  const auto slope = [&](std::size_t j) {
    constexpr double kStep = 1e-5;
    std::vector<double> up = rates;
    std::vector<double> down = rates;
    up[j] += kStep;
    down[j] -= kStep;
    return (Loss(c, up) - Loss(c, down)) / (2.0 * kStep);
  };
  const double multiplier = slope(0);
  EXPECT_LT(multiplier, 0.0);
  for (std::size_t j = 1; j < c.size(); ++j) {
    EXPECT_NEAR(slope(j), multiplier, 1e-6 * -multiplier);
  }
}

// The problem is convex, so moving bits between any two columns must not help.
TEST(ClosedFormRates, AreNotImprovedByMovingBits) {
  const std::vector<double> c = LogNormal(12, 3.0);
  std::vector<double> rates = ClosedFormRates(c, 2.0);
  const double least = Loss(c, rates);
  for (std::size_t from = 0; from < c.size(); ++from) {
    for (std::size_t to = 0; to < c.size(); ++to) {
      if (from == to) continue;
      rates[from] -= 0.01;
      rates[to] += 0.01;
      EXPECT_GT(Loss(c, rates), least) << from << " to " << to;
      rates[from] += 0.01;
      rates[to] -= 0.01;
    }
  }
}

TEST(PredictedGain, IsTheLossOverThatOfEqualBits) {
  const std::vector<double> c = LogNormal(64, 1.0);
  const std::vector<double> equal(c.size(), 2.0);
  EXPECT_NEAR(PredictedGain(c),
              Loss(c, ClosedFormRates(c, 2.0)) / Loss(c, equal),
              1e-12);
}

TEST(PredictedGain, IsOneForEqualColumns) {
  EXPECT_EQ(PredictedGain(std::vector<double>{3.0, 3.0, 3.0}), 1.0);
  EXPECT_EQ(PredictedGain(std::vector<double>{0.0, 0.0}), 1.0);
}

TEST(PredictedGain, DoesNotDependOnUnits) {
  std::vector<double> c = LogNormal(64, 4.0);
  c[5] = 0.0;
  const double gain = PredictedGain(c);
  for (double& value : c) value *= 1e-20;
  EXPECT_NEAR(PredictedGain(c), gain, 1e-12);
}

TEST(PaperLevels, FollowTheReleasedFormula) {
  const std::vector<double> losses = {1.0, 4.0, 0.25, 1000.0};
  const double log_mean = std::log(1000.0) / 4.0;
  const std::vector<int> levels = PaperLevels(losses, 2.0, 1.95, 256);
  for (std::size_t j = 0; j < losses.size(); ++j) {
    const double target = std::pow(
        losses[j] / std::exp(log_mean) * std::exp2(1.95 * 2.0), 1.0 / 1.95);
    EXPECT_EQ(levels[j], std::lround(std::max(1.0, target))) << j;
  }
}

TEST(PaperLevels, LieBetweenOneAndTheMost) {
  const std::vector<double> losses = {0.0, 1e30, 1.0};
  const std::vector<int> levels = PaperLevels(losses, 2.0, 2.0, 16);
  EXPECT_EQ(levels[0], 1);
  EXPECT_EQ(levels[1], 16);
}

TEST(ReportedRate, IsTheMeanLogarithm) {
  EXPECT_DOUBLE_EQ(ReportedRate(std::vector<int>{1, 4, 16}), 2.0);
}

}  // namespace
}  // namespace bitpact
