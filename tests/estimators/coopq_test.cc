// SPDX-License-Identifier: Apache-2.0
#include "estimators/coopq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "Eigen/Eigenvalues"
#include "estimators/counting_game.h"
#include "estimators/isolated.h"
#include "estimators/shapley.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/estimators/toy_games.h"

namespace bitpact {
namespace {

constexpr double kTight = 1e-11;

// A game with interactions of every order and steep growth.
double Curved(const FormatAssignment& q) {
  double sum = 0.2;
  for (std::size_t i = 0; i < q.size(); ++i) {
    sum += (0.1 + 0.07 * static_cast<double>(i)) * q[i];
  }
  return std::pow(sum, 1.7) + 0.3 * std::sin(5 * sum);
}

MarginalSamples Sample(FunctionGame& game, int permutations) {
  Expected<MarginalSamples> samples = SampleMarginals(game, {permutations, 11});
  EXPECT_TRUE(samples) << samples.error().message;
  return *samples;
}

TEST(Spqe, RowsSumToTheTotalLossIncrease) {
  for (const int options : {2, 3, 4}) {
    FunctionGame game(6, options, Curved);
    const MarginalSamples samples = Sample(game, 10);
    const int players = samples.num_players();
    EXPECT_EQ(players, 6 * (options - 1));
    for (int m = 0; m < 10; ++m) {
      const auto row = samples.increases.begin() + m * players;
      EXPECT_NEAR(std::accumulate(row, row + players, 0.0),
                  samples.lowest_loss - samples.base_loss,
                  kTight);
    }
    EXPECT_NEAR(std::accumulate(samples.mean.begin(), samples.mean.end(), 0.0),
                samples.lowest_loss - samples.base_loss,
                kTight);
  }
}

TEST(Spqe, MarginalsAreLossIncreasesNotDecreases) {
  // The more precise format is worth more at unit 3: demoting it costs most.
  FunctionGame game(4, 2, [](const FormatAssignment& q) {
    return 1.0 + 0.1 * q[0] + 0.1 * q[1] + 0.1 * q[2] + 2.0 * q[3];
  });
  EXPECT_THAT(Sample(game, 2).mean,
              testing::ElementsAre(testing::DoubleNear(0.1, kTight),
                                   testing::DoubleNear(0.1, kTight),
                                   testing::DoubleNear(0.1, kTight),
                                   testing::DoubleNear(2.0, kTight)));
}

TEST(Spqe, OneAntitheticPairIsExactInTwoAdditiveGames) {
  const TwoAdditiveGame toy(9, 3);
  FunctionGame game(9, 2, toy);
  const MarginalSamples samples = Sample(game, 2);
  for (std::size_t i = 0; i < 9; ++i) {
    const double shapley =
        toy.linear[i] +
        0.5 * std::accumulate(toy.pair[i].begin(), toy.pair[i].end(), 0.0);
    EXPECT_NEAR(samples.mean[i], shapley, kTight) << "player " << i;
  }
}

TEST(Spqe, PairsRunTheReverseOrder) {
  // In a game that only remembers the first lowered unit, unit i pays in order
  // (i first) and nothing else; over a pair, the first and the last unit pay.
  FunctionGame game(5, 2, [](const FormatAssignment& q) {
    return std::accumulate(q.begin(), q.end(), 0) > 0 ? 1.0 : 0.0;
  });
  const MarginalSamples samples = Sample(game, 2);
  int payers = 0;
  for (const double mean : samples.mean) payers += mean == 0.5 ? 1 : 0;
  EXPECT_EQ(payers, 2);
}

// By every order of the players: the definition.
std::vector<double> BruteForceShapley(FunctionGame& game) {
  std::vector<int> order;
  for (int u = 0; u < game.num_units(); ++u) {
    for (int s = 1; s < game.num_options(); ++s) order.push_back(u);
  }
  std::vector<double> sum(order.size(), 0.0);
  double count = 0.0;
  do {
    FormatAssignment x(static_cast<std::size_t>(game.num_units()), 0);
    double before = (*game.Evaluate(std::span(&x, 1)))[0].loss;
    for (const int unit : order) {
      const auto u = static_cast<std::size_t>(unit);
      const auto player =
          static_cast<std::size_t>(unit * (game.num_options() - 1) + x[u]++);
      const double after = (*game.Evaluate(std::span(&x, 1)))[0].loss;
      sum[player] += after - before;
      before = after;
    }
    count += 1.0;
  } while (std::next_permutation(order.begin(), order.end()));
  for (double& value : sum) value /= count;
  return sum;
}

TEST(Spqe, EnumerationIsTheMeanOverEveryOrder) {
  for (const auto& [units, options] : {std::pair{6, 2}, {3, 3}, {2, 4}}) {
    FunctionGame game(units, options, Curved);
    const std::vector<double> expected = BruteForceShapley(game);
    SpqeOptions exact;
    exact.exact_players = 12;
    game.evaluations = 0;
    const auto samples = SampleMarginals(game, exact);
    ASSERT_TRUE(samples);
    EXPECT_EQ(game.evaluations, std::lround(std::pow(options, units)));
    EXPECT_THAT(samples->mean,
                testing::Pointwise(testing::DoubleNear(kTight), expected));
    EXPECT_EQ(samples->RelativeError(), 0.0);
    // Rows still sum to the total, so C's do to 0.
    const CoopqModel model = FitCoopq(*samples, 0.0);
    for (int i = 0; i < model.players; ++i) {
      double row = 0.0;
      for (int j = 0; j < model.players; ++j) {
        row +=
            model.covariance[static_cast<std::size_t>(i * model.players + j)];
      }
      EXPECT_NEAR(row, 0.0, kTight);
    }
  }
}

// Window w sees a two-additive game of its own.
class WindowGames : public FunctionGame {
 public:
  explicit WindowGames(int windows)
      : FunctionGame(
            8,
            2,
            [](const FormatAssignment&) { return 0.0; },
            std::vector<double>(static_cast<std::size_t>(windows), 10.0)) {
    for (int w = 0; w < windows; ++w) {
      games_.emplace_back(8, 100U + static_cast<std::uint64_t>(w));
    }
  }
  [[nodiscard]] Expected<std::vector<Evaluation>> Evaluate(
      std::span<const FormatAssignment> assignments) override {
    std::vector<Evaluation> results;
    for (const FormatAssignment& assignment : assignments) {
      Evaluation evaluation;
      for (const TwoAdditiveGame& game : games_) {
        evaluation.window_loss.push_back(10.0 * (1.0 + game(assignment)));
      }
      evaluation.loss = MeanLoss(evaluation.window_loss, window_tokens());
      results.push_back(std::move(evaluation));
      ++evaluations;
    }
    return results;
  }

 private:
  std::vector<TwoAdditiveGame> games_;
};

TEST(Spqe, APairForEachWindowIsExactInTwoAdditiveGames) {
  WindowGames game(6);
  SpqeOptions own;
  own.permutations = 2;
  own.orders = OrderDesign::kPerWindow;
  CountingGame counting(game);
  const auto samples = SampleMarginals(counting, own);
  const auto shared = SampleMarginals(game, {.permutations = 2});
  ASSERT_TRUE(samples && shared);
  EXPECT_THAT(samples->mean,
              testing::Pointwise(testing::DoubleNear(kTight), shared->mean));
  EXPECT_THAT(
      samples->data_error,
      testing::Pointwise(testing::DoubleNear(kTight), shared->data_error));
  EXPECT_NEAR(samples->base_loss, 1.0, kTight);
  EXPECT_NEAR(samples->lowest_loss, shared->lowest_loss, kTight);
  // Two orders of 7 inner coalitions and both ends, each on a sixth.
  EXPECT_NEAR(counting.evaluations(), 2 * 7 + 2, kTight);
}

TEST(Spqe, StopsOnceTheErrorAskedForIsReached) {
  FunctionGame game(8, 2, Curved);
  SpqeOptions options{.permutations = 1000};
  options.stop_error = 0.02;
  const auto samples = SampleMarginals(game, options);
  ASSERT_TRUE(samples);
  EXPECT_LT(samples->permutations, 1000);
  EXPECT_LE(samples->RelativeError(), 0.02);
  EXPECT_THAT(samples->detail, testing::HasSubstr("error asked for"));
  // The orders are those of a run that asked for so many.
  EXPECT_EQ(Sample(game, 8).increases.size(), 8U * 8U);
  const auto prefix = SampleMarginals(
      game, {.permutations = samples->permutations, .seed = options.seed});
  EXPECT_EQ(prefix->mean, samples->mean);
}

TEST(Spqe, StopsOnceThePlanAtTheBudgetStaysTheSame) {
  FunctionGame game(8, 2, [](const FormatAssignment& q) {
    double loss = 0.0;
    for (std::size_t i = 0; i < q.size(); ++i) {
      loss += static_cast<double>(i + 1) * q[i];
    }
    return loss;
  });
  const TargetBudget target{24,
                            std::vector<std::vector<std::int64_t>>(8, {4, 2})};
  SpqeOptions options{.permutations = 1000};
  options.stop_plan = 3;
  options.target = &target;
  const auto samples = SampleMarginals(game, options);
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->permutations, 4 * 2 * SpqeOptions::kPairsInRound);
  EXPECT_THAT(samples->detail, testing::HasSubstr("plan at the budget"));
}

TEST(Spqe, RefusesOddAndEmptyDesigns) {
  FunctionGame game(3, 2, Curved);
  for (const int permutations : {0, 1, 3, -2}) {
    const auto samples = SampleMarginals(game, {permutations, 1});
    ASSERT_FALSE(samples);
    EXPECT_EQ(samples.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(samples.error().message, testing::HasSubstr("permutations"));
  }
}

TEST(Spqe, DataErrorIsZeroWhenAllWindowsAgreeAndPositiveOtherwise) {
  FunctionGame alike(4, 2, Curved, {10.0, 30.0, 20.0});
  for (const double error : Sample(alike, 4).data_error) {
    EXPECT_NEAR(error, 0.0, kTight);
  }
}

class CoopqIdentities : public testing::TestWithParam<std::tuple<int, double>> {
};

TEST_P(CoopqIdentities, HoldForAnyGame) {
  const auto [options, alpha] = GetParam();
  FunctionGame game(7, options, Curved);
  const MarginalSamples samples = Sample(game, 30);
  const CoopqModel model = FitCoopq(samples, alpha);
  const int p = model.players;
  const auto c = [&](int i, int j) {
    return model.covariance[static_cast<std::size_t>(i * p + j)];
  };
  double trace = 0.0;
  for (int i = 0; i < p; ++i) {
    double row = 0.0;
    for (int j = 0; j < p; ++j) row += c(i, j);
    EXPECT_NEAR(row, 0.0, kTight);
    EXPECT_NEAR(
        model.linear[static_cast<std::size_t>(i)],
        samples.mean[static_cast<std::size_t>(i)] + (1.0 - alpha) * c(i, i),
        kTight);
    trace += c(i, i);
  }
  const Surrogate surrogate = CoopqSurrogate(samples, model);
  const FormatAssignment all_low(7, options - 1);
  EXPECT_NEAR(surrogate.Predict(all_low),
              samples.lowest_loss - samples.base_loss + trace,
              kTight);
  EXPECT_EQ(surrogate.Predict(FormatAssignment(7, 0)), 0.0);
}

INSTANTIATE_TEST_SUITE_P(OptionsAndAlpha,
                         CoopqIdentities,
                         testing::Combine(testing::Values(2, 3, 4),
                                          testing::Values(0.0, 0.5, 1.0)));

TEST(Coopq, SurrogateIsTheMatrixFormOfThePaper) {
  FunctionGame game(6, 2, Curved);
  const MarginalSamples samples = Sample(game, 12);
  const CoopqModel model = FitCoopq(samples, 0.5);
  const Surrogate surrogate = CoopqSurrogate(samples, model);
  for (unsigned bits = 0; bits < 64; ++bits) {
    FormatAssignment q(6);
    for (std::size_t i = 0; i < 6; ++i) q[i] = static_cast<int>(bits >> i & 1U);
    double value = 0.0;
    for (std::size_t i = 0; i < 6; ++i) {
      value += model.linear[i] * q[i];
      for (std::size_t j = 0; j < 6; ++j) {
        value += q[i] * model.interactions[i * 6 + j] * q[j];
      }
    }
    EXPECT_NEAR(surrogate.Predict(q), value, kTight) << "coalition " << bits;
  }
}

TEST(Coopq, TheSignAsPrintedKeepsTheWrongUnitsPrecise) {
  FunctionGame game(4, 2, [](const FormatAssignment& q) {
    return 0.1 * q[0] + 0.1 * q[1] + 0.1 * q[2] + 2.0 * q[3];
  });
  EstimateOptions options{.permutations = 4, .exact_players = 0};
  const auto mended = MakeCoopqEstimator()->Run({&game}, options);
  options.sign_as_printed = true;
  const auto printed = MakeCoopqEstimator()->Run({&game}, options);
  ASSERT_TRUE(mended && printed);
  for (std::size_t u = 0; u < 4; ++u) {
    EXPECT_NEAR(printed->surrogate.linear[u][1],
                -mended->surrogate.linear[u][1],
                kTight);
  }
  EXPECT_LT(printed->surrogate.linear[3][1], printed->surrogate.linear[0][1]);
}

TEST(Coopq, RefusesOrdersForEachWindow) {
  WindowGames game(3);
  EstimateOptions options{.permutations = 4, .orders = OrderDesign::kPerWindow};
  const auto estimate = MakeCoopqEstimator()->Run({&game}, options);
  ASSERT_FALSE(estimate);
  EXPECT_EQ(estimate.error().code, ErrorCode::kUnsupported);
}

TEST(Coopq, InteractionsArePositiveSemidefinite) {
  FunctionGame game(8, 2, Curved);
  const CoopqModel model = FitCoopq(Sample(game, 10), 0.5);
  const Eigen::MatrixXd k = Eigen::Map<const Eigen::MatrixXd>(
      model.interactions.data(), model.players, model.players);
  const Eigen::VectorXd values =
      Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(k).eigenvalues();
  EXPECT_GT(values.minCoeff(), -kTight * values.maxCoeff());
}

// Derived in closed form for v = sum a_i q_i + sum_{i<j} b_ij q_i q_j over
// uniformly random orders: with B_i = sum_k b_ik,
//   C_ii = 1/4 sum_k b_ik^2 + 1/12 (B_i^2 - sum_k b_ik^2)
//   C_ij = -b_ij^2/4 + 1/12 sum_{k != i,j} b_ik b_jk
//          - b_ij/12 sum_{k != i,j} (b_ik + b_jk)
TEST(Coopq, CovarianceMatchesItsClosedFormInTwoAdditiveGames) {
  constexpr int kPlayers = 6;
  const TwoAdditiveGame toy(kPlayers, 5);
  FunctionGame game(kPlayers, 2, toy);
  const CoopqModel model = FitCoopq(Sample(game, 40'000), 0.0);
  double scale = 0.0;
  for (int i = 0; i < kPlayers; ++i) {
    scale = std::max(
        scale, model.covariance[static_cast<std::size_t>(i * kPlayers + i)]);
  }
  for (std::size_t i = 0; i < kPlayers; ++i) {
    for (std::size_t j = 0; j < kPlayers; ++j) {
      double expected = 0.0;
      if (i == j) {
        double sum = 0.0;
        double squares = 0.0;
        for (const double b : toy.pair[i]) {
          sum += b;
          squares += b * b;
        }
        expected = squares / 4.0 + (sum * sum - squares) / 12.0;
      } else {
        expected = -toy.pair[i][j] * toy.pair[i][j] / 4.0;
        for (std::size_t k = 0; k < kPlayers; ++k) {
          if (k == i || k == j) continue;
          expected += toy.pair[i][k] * toy.pair[j][k] / 12.0 -
                      toy.pair[i][j] * (toy.pair[i][k] + toy.pair[j][k]) / 12.0;
        }
      }
      // 20,000 independent pairs: a relative error of a few times 1/sqrt.
      EXPECT_NEAR(model.covariance[i * kPlayers + j], expected, 0.03 * scale)
          << i << ", " << j;
    }
  }
}

TEST(Shapley, OptionsCostTheSumOfTheirSteps) {
  FunctionGame game(3, 4, [](const FormatAssignment& q) {
    return 1.0 * q[0] + 0.5 * q[1] * q[1] + 0.25 * q[2];
  });
  const Surrogate surrogate = ShapleySurrogate(Sample(game, 4));
  EXPECT_THAT(surrogate.linear[1],
              testing::ElementsAre(testing::DoubleNear(0.0, kTight),
                                   testing::DoubleNear(0.5, kTight),
                                   testing::DoubleNear(2.0, kTight),
                                   testing::DoubleNear(4.5, kTight)));
}

TEST(Isolated, MeasuresOneUnitAtATimeAgainstAllHigh) {
  const TwoAdditiveGame toy(5, 8);
  FunctionGame game(5, 2, toy);
  CountingGame counting(game);
  const auto estimate = MakeIsolatedEstimator()->Run({&counting}, {});
  ASSERT_TRUE(estimate);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(estimate->surrogate.linear[i][1], toy.linear[i], kTight);
  }
  EXPECT_EQ(counting.evaluations(), 7.0);
  EXPECT_TRUE(estimate->surrogate.pairs.empty());
}

TEST(Estimators, EveryNameInTheTableMakesItsEstimator) {
  for (const std::string& name : EstimatorNames()) {
    const auto estimator = MakeEstimator(name);
    ASSERT_TRUE(estimator) << name;
    EXPECT_EQ((*estimator)->name(), name);
  }
  const auto unknown = MakeEstimator("oracle");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, testing::HasSubstr("coopq"));
}

TEST(Estimators, SameSeedSameSurrogate) {
  for (const std::string& name : EstimatorNames()) {
    FunctionGame game(5, 3, Curved);
    const auto estimator = MakeEstimator(name);
    const auto first =
        (*estimator)->Run({&game}, {.permutations = 6, .seed = 9});
    if (!first) {  // looks inside the model, and there is none here
      EXPECT_EQ(first.error().code, ErrorCode::kUnsupported) << name;
      continue;
    }
    const auto second =
        (*estimator)->Run({&game}, {.permutations = 6, .seed = 9});
    ASSERT_TRUE(second) << name;
    EXPECT_EQ(first->surrogate.linear, second->surrogate.linear) << name;
  }
}

TEST(MeasureFit, IsPerfectForAnAdditiveGameAndItsOwnCosts) {
  FunctionGame game(6, 3, [](const FormatAssignment& q) {
    double loss = 2.0;
    for (std::size_t i = 0; i < q.size(); ++i) {
      loss += static_cast<double>(i + 1) * q[i];
    }
    return loss;
  });
  const auto estimate = MakeIsolatedEstimator()->Run({&game}, {});
  const auto fit = MeasureFit(game, estimate->surrogate, 12, 4);
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->assignments, 12);
  EXPECT_NEAR(fit->rank_correlation, 1.0, kTight);
  EXPECT_NEAR(fit->rms_error, 0.0, 1e-9);
  EXPECT_GT(fit->measured_deviation, 0.1);
}

TEST(MeasureFitAtBudget, DrawsFillTheBudgetAndKeepIt) {
  const std::vector<std::vector<std::int64_t>> bytes = {
      {40, 30, 20}, {80, 60, 40}, {44, 33, 22}, {20, 15, 10}};
  for (std::int64_t limit = 92; limit <= 184; limit += 23) {
    for (std::uint64_t i = 0; i < 5; ++i) {
      RandomStream random(7, "test", i);
      const FormatAssignment drawn = DrawAtBudget(bytes, limit, random);
      std::int64_t used = 0;
      std::int64_t cheapest_step = 1000;
      for (std::size_t u = 0; u < bytes.size(); ++u) {
        const auto option = static_cast<std::size_t>(drawn[u]);
        used += bytes[u][option];
        if (option > 0) {
          cheapest_step =
              std::min(cheapest_step, bytes[u][option - 1] - bytes[u][option]);
        }
      }
      EXPECT_LE(used, limit);
      EXPECT_GT(used + cheapest_step, limit) << "room was left";
    }
  }
}

TEST(MeasureFitAtBudget, SeesABiasThatTheWholeRangeHides) {
  const std::vector<std::vector<std::int64_t>> bytes(6, {4, 2});
  FunctionGame game(6, 2, [](const FormatAssignment& q) {
    return std::accumulate(q.begin(), q.end(), 0) >= 4 ? 5.0 : 1.0;
  });
  Surrogate surrogate;
  surrogate.linear.assign(6, {0.0, 0.5});
  const auto fit = MeasureFitAtBudget(game, surrogate, bytes, 16, 5, 1);
  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->assignments, 5);
  EXPECT_NEAR(fit->bias, 2.0 - 4.0, kTight);
  EXPECT_EQ(fit->measured_deviation, 0.0);
  EXPECT_FALSE(MeasureFitAtBudget(game, surrogate, bytes, 11, 5, 1));
}

TEST(CompareWithMeasured, CountsTheBiasAsAnError) {
  const std::vector<double> measured = {1.0, 2.0, 3.0};
  const FitQuality same = CompareWithMeasured(measured, measured);
  EXPECT_EQ(same.r_squared(), 1.0);
  const FitQuality shifted =
      CompareWithMeasured(std::vector<double>{2.0, 3.0, 4.0}, measured);
  EXPECT_NEAR(shifted.bias, 1.0, kTight);
  EXPECT_NEAR(shifted.r_squared(), 1.0 - 1.0 / (2.0 / 3.0), kTight);
  EXPECT_EQ(shifted.rank_correlation, 1.0);
}

TEST(RunEstimator, CountsDistinctQuestionsInPassesOverAllTokens) {
  FunctionGame game(5, 2, Curved, {30.0, 10.0});
  CountingGame counting(game);
  const std::vector<FormatAssignment> whole = {{0, 0, 0, 0, 0},
                                               {1, 0, 0, 0, 0}};
  ASSERT_TRUE(counting.Evaluate(whole));
  ASSERT_TRUE(counting.Evaluate(whole));
  const std::vector<WindowQuestion> single = {
      {1, {1, 0, 0, 0, 0}}, {1, {0, 1, 0, 0, 0}}, {1, {0, 1, 0, 0, 0}}};
  ASSERT_TRUE(counting.EvaluateWindows(single));
  EXPECT_EQ(counting.evaluations(), 2.0 + 10.0 / 40.0);
  const auto estimate = RunEstimator(**MakeEstimator("isolated"), {&game}, {});
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->cost.evaluations, 7.0);
}

TEST(RankCorrelation, UsesMeanRanksForTies) {
  const std::vector<double> a = {1, 2, 2, 4};
  EXPECT_NEAR(RankCorrelation(a, a), 1.0, kTight);
  EXPECT_NEAR(
      RankCorrelation(a, std::vector<double>{4, 2, 2, 1}), -1.0, kTight);
  // Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: 4.5 / sqrt(4.5 * 5).
  EXPECT_NEAR(RankCorrelation(a, std::vector<double>{1, 2, 3, 4}),
              4.5 / std::sqrt(4.5 * 5.0),
              kTight);
  EXPECT_EQ(RankCorrelation(a, std::vector<double>(4, 1.0)), 0.0);
}

}  // namespace
}  // namespace bitpact
