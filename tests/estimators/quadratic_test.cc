// SPDX-License-Identifier: Apache-2.0
#include "estimators/quadratic.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "estimators/isolated.h"
#include "estimators/pairs.h"
#include "estimators/quadratic_fit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/estimators/toy_games.h"

namespace bitpact {
namespace {

// Pair interactions between options of three formats.
double ThreeFormats(const FormatAssignment& q) {
  double value = 2.0;
  for (std::size_t i = 0; i < q.size(); ++i) {
    value += 0.1 * static_cast<double>(i + 1) * q[i] * q[i];
    for (std::size_t j = 0; j < i; ++j) {
      value += 0.05 *
               std::cos(3.0 * static_cast<double>(i) + static_cast<double>(j)) *
               q[i] * q[j] * q[j];
    }
  }
  return value;
}

void ExpectPredicts(const Surrogate& surrogate,
                    const FunctionGame::Function& loss,
                    int units,
                    int options,
                    double tolerance) {
  const double base =
      loss(FormatAssignment(static_cast<std::size_t>(units), 0));
  RandomStream random(3, "test/unseen");
  for (int i = 0; i < 50; ++i) {
    FormatAssignment q;
    for (int u = 0; u < units; ++u) {
      q.push_back(static_cast<int>(random.UniformInt(options)));
    }
    EXPECT_NEAR(surrogate.Predict(q), loss(q) - base, tolerance)
        << "assignment " << i;
  }
}

TEST(Quadratic, RecoversATwoAdditiveGame) {
  const TwoAdditiveGame toy(9, 21);
  FunctionGame game(9, 2, toy);
  EstimateOptions options;
  options.coalitions = 120;
  const auto estimate = MakeQuadraticEstimator()->Run({&game}, options);
  ASSERT_TRUE(estimate) << estimate.error().message;
  // The least lambda of the grid is 1e-8 of the largest eigenvalue.
  ExpectPredicts(estimate->surrogate, toy, 9, 2, 1e-5);
  EXPECT_EQ(game.evaluations, 122);
}

TEST(Quadratic, RecoversPairsOfThreeFormatsNearATargetToo) {
  FunctionGame game(6, 3, ThreeFormats);
  EstimateOptions options;
  options.coalitions = 250;
  options.target =
      TargetBudget{20, std::vector<std::vector<std::int64_t>>(6, {5, 3, 2})};
  const auto estimate = MakeQuadraticEstimator()->Run({&game}, options);
  ASSERT_TRUE(estimate) << estimate.error().message;
  ExpectPredicts(estimate->surrogate, ThreeFormats, 6, 3, 1e-5);
}

TEST(Quadratic, FindsTheSignsFromFewerRowsThanUnknowns) {
  // One strong synergy and one strong redundancy; 1 + 14 + 91 unknowns.
  const auto loss = [](const FormatAssignment& q) {
    return 0.1 * std::accumulate(q.begin(), q.end(), 0) + 1.0 * q[1] * q[4] -
           1.0 * q[7] * q[9];
  };
  FunctionGame game(14, 2, loss);
  EstimateOptions options;
  options.coalitions = 70;
  const auto estimate = MakeQuadraticEstimator()->Run({&game}, options);
  ASSERT_TRUE(estimate);
  const auto pair = [&](int u, int w) {
    for (const SurrogatePair& term : estimate->surrogate.pairs) {
      if (term.unit_a == u && term.unit_b == w) return term.value;
    }
    return 0.0;
  };
  EXPECT_GT(pair(1, 4), 0.15);
  EXPECT_LT(pair(7, 9), -0.15);
}

TEST(FitQuadratic, AnAdditiveGameWithNoiseGetsNoPairTermsWorthMentioning) {
  RandomStream random(4, "test/noise");
  const CoalitionDesign design = DrawDesign(10, 2, 150, nullptr, 5);
  std::vector<double> losses;
  for (const FormatAssignment& row : design.rows) {
    losses.push_back(std::accumulate(row.begin(), row.end(), 0) +
                     0.1 * random.Normal());
  }
  const auto fit = FitQuadratic(design.rows, losses, design.weights, 2, 0.0);
  ASSERT_TRUE(fit);
  for (const SurrogatePair& pair : fit->surrogate.pairs) {
    EXPECT_LT(std::abs(pair.value), 0.1);
  }
  EXPECT_LE(fit->error, fit->additive_error);
  EXPECT_NEAR(fit->error, 0.1, 0.03);
}

TEST(FitQuadratic, LeaveOneOutErrorIsThatOfFitsWithoutTheRow) {
  const auto loss = [](const FormatAssignment& q) {
    double sum = 0.3;
    for (std::size_t i = 0; i < q.size(); ++i) {
      sum += 0.1 * static_cast<double>(i + 1) * q[i];
    }
    return sum * sum;
  };
  const CoalitionDesign design = DrawDesign(4, 2, 14, nullptr, 1);
  const std::size_t count = design.rows.size();
  ASSERT_EQ(count, 16U);
  std::vector<double> losses;
  for (const FormatAssignment& row : design.rows) losses.push_back(loss(row));
  const std::vector<double> equal(count, 1.0);
  const auto fit = FitQuadratic(design.rows, losses, equal, 2, 0.0);
  ASSERT_TRUE(fit);
  // The additive error, whose fit has no lambda to choose, against fits on the
  // other rows by hand: the full design is orthogonal, so the additive fit has
  // h = 5/16 for every row.
  double squares = 0.0;
  double mean = 0.0;
  for (const double value : losses) mean += value / 16.0;
  for (std::size_t r = 0; r < count; ++r) {
    double fitted = mean;
    for (std::size_t u = 0; u < 4; ++u) {
      double effect = 0.0;
      for (std::size_t s = 0; s < count; ++s) {
        effect += (design.rows[s][u] == 1 ? 1.0 : -1.0) * losses[s] / 16.0;
      }
      fitted += (design.rows[r][u] == 1 ? 1.0 : -1.0) * effect;
    }
    squares += std::pow((losses[r] - fitted) / (1.0 - 5.0 / 16.0), 2);
  }
  EXPECT_NEAR(fit->additive_error, std::sqrt(squares / 16.0), 1e-10);
}

TEST(FitQuadratic, RefusesTooFewRows) {
  const CoalitionDesign design = DrawDesign(9, 2, 7, nullptr, 1);
  const auto fit = FitQuadratic(design.rows,
                                std::vector<double>(design.rows.size(), 1.0),
                                design.weights,
                                2,
                                0.0);
  ASSERT_FALSE(fit);
  EXPECT_THAT(fit.error().message, testing::HasSubstr("coalitions = 9"));
}

TEST(DrawDesign, RowsAreDistinctAndComeWithTheirComplements) {
  const CoalitionDesign design = DrawDesign(12, 3, 200, nullptr, 8);
  EXPECT_EQ(design.rows.size(), 202U);
  const std::set<FormatAssignment> rows(design.rows.begin(), design.rows.end());
  EXPECT_EQ(rows.size(), design.rows.size());
  int paired = 0;
  for (const FormatAssignment& row : design.rows) {
    FormatAssignment complement;
    for (const int option : row) complement.push_back(2 - option);
    paired += rows.contains(complement) ? 1 : 0;
  }
  EXPECT_GE(paired, 200);
  // A longer design begins as the shorter one.
  const CoalitionDesign shorter = DrawDesign(12, 3, 50, nullptr, 8);
  EXPECT_TRUE(std::equal(
      shorter.rows.begin(), shorter.rows.end(), design.rows.begin()));
}

TEST(DrawDesign, AGameWithFewCoalitionsIsTakenWhole) {
  EXPECT_EQ(DrawDesign(4, 2, 1000, nullptr, 8).rows.size(), 16U);
}

TEST(DrawDesign, HalfTheRowsLieAtTheTargetAndWeighMost) {
  const TargetBudget target{50,
                            std::vector<std::vector<std::int64_t>>(20, {4, 2})};
  const CoalitionDesign design = DrawDesign(20, 2, 200, &target, 8);
  int near = 0;
  for (const FormatAssignment& row : design.rows) {
    const auto bytes = 80 - 2 * std::accumulate(row.begin(), row.end(), 0);
    near += std::abs(bytes - 50) <= 4 ? 1 : 0;
    if (bytes == 50) {
      EXPECT_NEAR(TargetWeight(row, &target), 1.02, 1e-12);
    }
  }
  EXPECT_GE(near, 100);
}

TEST(Pairs, IsExactInTwoAdditiveGames) {
  const TwoAdditiveGame toy(7, 13);
  FunctionGame game(7, 2, toy);
  const auto estimate = MakePairsEstimator()->Run({&game}, {});
  ASSERT_TRUE(estimate);
  EXPECT_EQ(game.evaluations, 2 + 7 + 21);
  ExpectPredicts(estimate->surrogate, toy, 7, 2, 1e-12);
}

TEST(Pairs, IsExactForPairsOfThreeFormats) {
  FunctionGame game(4, 3, ThreeFormats);
  const auto estimate = MakePairsEstimator()->Run({&game}, {});
  ASSERT_TRUE(estimate);
  EXPECT_EQ(game.evaluations, 2 + 8 + 6 * 4);
  ExpectPredicts(estimate->surrogate, ThreeFormats, 4, 3, 1e-12);
}

TEST(Pairs, WithinBlocksAsksOnlyThereAndNeedsTheNames) {
  const TwoAdditiveGame toy(4, 13);
  FunctionGame game(4, 2, toy);
  EstimateOptions options;
  options.pairs_in_block = true;
  const auto refused = MakePairsEstimator()->Run({&game}, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  const std::vector<Unit> units = {{"layers.0.q_proj", {}},
                                   {"layers.0.k_proj", {}},
                                   {"layers.1.q_proj", {}},
                                   {"layers.10.q_proj", {}}};
  ModelEvidence evidence;
  evidence.units = &units;
  const auto estimate = MakePairsEstimator()->Run({&game, &evidence}, options);
  ASSERT_TRUE(estimate);
  ASSERT_EQ(estimate->surrogate.pairs.size(), 1U);
  EXPECT_NEAR(estimate->surrogate.pairs[0].value, toy.pair[0][1], 1e-12);
}

TEST(Isolated, TheTwoEndsAndTheirMean) {
  const TwoAdditiveGame toy(6, 8);
  FunctionGame game(6, 2, toy);
  const auto low = MakeIsolatedLowEstimator()->Run({&game}, {});
  const auto both = MakeIsolatedBothEstimator()->Run({&game}, {});
  ASSERT_TRUE(low && both);
  for (std::size_t i = 0; i < 6; ++i) {
    const double pairs =
        std::accumulate(toy.pair[i].begin(), toy.pair[i].end(), 0.0);
    EXPECT_NEAR(low->surrogate.linear[i][1], toy.linear[i] + pairs, 1e-12);
    // The Shapley value of a game of pair interactions.
    EXPECT_NEAR(
        both->surrogate.linear[i][1], toy.linear[i] + 0.5 * pairs, 1e-12);
  }
}

}  // namespace
}  // namespace bitpact
