// SPDX-License-Identifier: Apache-2.0
#include "estimators/plan_search.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "estimators/window_subset_game.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/estimators/toy_games.h"

namespace bitpact {
namespace {

constexpr int kUnits = 10;

TargetBudget HalfBudget() {
  return {30, std::vector<std::vector<std::int64_t>>(kUnits, {4, 2})};
}

// Knows nothing.
const Surrogate& Blank() {
  static const Surrogate kBlank = [] {
    Surrogate surrogate;
    surrogate.linear.assign(kUnits, {0.0, 1.0});
    return surrogate;
  }();
  return kBlank;
}

double BestAtBudget(const FunctionGame::Function& toy) {
  double best = std::numeric_limits<double>::infinity();
  for (unsigned code = 0; code < 1U << kUnits; ++code) {
    FormatAssignment q;
    for (int u = 0; u < kUnits; ++u) {
      q.push_back(static_cast<int>(code >> u & 1U));
    }
    if (std::accumulate(q.begin(), q.end(), 0) < 5) continue;
    best = std::min(best, toy(q));
  }
  return best;
}

TEST(SearchPlan, SwapsReachTheBestPlanFromAPoorStart) {
  // Single units matter most, so swaps lead to the optimum.
  const TwoAdditiveGame pairs(kUnits, 6);
  const auto toy = [&](const FormatAssignment& q) {
    double loss = 0.05 * pairs(q);
    for (std::size_t u = 0; u < q.size(); ++u) {
      loss += 0.3 * static_cast<double>(u + 1) * q[u];
    }
    return loss;
  };
  FunctionGame fit(kUnits, 2, toy);
  FunctionGame judge(kUnits, 2, toy);
  const FormatAssignment wrong = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
  const auto result = SearchPlan(
      fit, judge, HalfBudget(), {{"wrong", wrong, &Blank()}}, {.patience = 10});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_NEAR(result->best.judge_loss, BestAtBudget(toy), 1e-9);
  EXPECT_GT(result->swaps, 0);
  EXPECT_EQ(result->judge_evaluations,
            static_cast<double>(result->judged.size()));
  EXPECT_LE(result->neighbours, 600);
}

TEST(SearchPlan, TheJudgeTurnsDownWhatOnlyFitsTheFittingText) {
  // Fitting text says unit 0 must be precise, other text that it must not.
  FunctionGame fit(kUnits, 2, [](const FormatAssignment& q) {
    return 5.0 + q[0] + 0.1 * std::accumulate(q.begin(), q.end(), 0);
  });
  FunctionGame judge(kUnits, 2, [](const FormatAssignment& q) {
    return 5.0 - q[0] + 0.1 * std::accumulate(q.begin(), q.end(), 0);
  });
  const FormatAssignment start = {1, 1, 1, 1, 1, 0, 0, 0, 0, 0};
  const auto result =
      SearchPlan(fit, judge, HalfBudget(), {{"start", start, &Blank()}}, {});
  ASSERT_TRUE(result);
  EXPECT_GT(result->swaps, 0);
  EXPECT_EQ(result->best.name, "start");
  EXPECT_EQ(result->best.assignment, start);
}

TEST(SearchPlan, IsNeverWorseThanABaselineOnTheJudgesText) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const TwoAdditiveGame seen(kUnits, seed);
    const TwoAdditiveGame unseen(kUnits, seed + 100);
    FunctionGame fit(kUnits, 2, seen);
    FunctionGame judge(kUnits, 2, unseen);
    std::vector<PlanCandidate> candidates;
    RandomStream random(seed, "test");
    for (int i = 0; i < 4; ++i) {
      candidates.push_back({"c" + std::to_string(i),
                            DrawAtBudget(HalfBudget().option_bytes, 30, random),
                            &Blank(),
                            true});
    }
    const auto result = SearchPlan(fit, judge, HalfBudget(), candidates, {});
    ASSERT_TRUE(result);
    for (const PlanCandidate& candidate : candidates) {
      EXPECT_LE(result->best.judge_loss, unseen(candidate.assignment))
          << "seed " << seed << ", " << candidate.name;
    }
    EXPECT_LE(result->judged.size(),
              candidates.size() + PlanSearchOptions::kMostJudged);
  }
}

TEST(SearchPlan, StartsFromTheCandidateThatIsBestOverAllText) {
  // a: 3 on the fitting text and 1 on the judge's; b: 2 and 2; c: 1 and 9.
  const FormatAssignment a = {1, 1, 1, 1, 1, 0, 0, 0, 0, 0};
  const FormatAssignment b = {0, 1, 1, 1, 1, 1, 0, 0, 0, 0};
  const FormatAssignment c = {0, 0, 1, 1, 1, 1, 1, 0, 0, 0};
  FunctionGame fit(kUnits,
                   2,
                   [&](const FormatAssignment& q) {
                     return q == a ? 3.0 : q == b ? 2.0 : q == c ? 1.0 : 8.0;
                   },
                   {30.0});
  FunctionGame judge(kUnits,
                     2,
                     [&](const FormatAssignment& q) {
                       return q == a ? 1.0 : q == b ? 2.0 : q == c ? 9.0 : 0.0;
                     },
                     {20.0});
  const auto result =
      SearchPlan(fit,
                 judge,
                 HalfBudget(),
                 {{"a", a, &Blank()}, {"b", b, &Blank()}, {"c", c, &Blank()}},
                 {.max_evaluations = 0});
  ASSERT_TRUE(result);
  // 30 * 3 + 20 * 1 = 110, 100, 210.
  EXPECT_EQ(result->start, "b");
  EXPECT_EQ(result->best.name, "b");
}

TEST(SearchPlan, EveryPlanKeepsTheBudgetWithUnevenUnitsAndThreeFormats) {
  const std::vector<std::vector<std::int64_t>> bytes = {
      {40, 30, 20}, {8, 6, 4}, {44, 33, 22}, {20, 15, 10}, {13, 9, 5}};
  const TargetBudget target{90, bytes};
  FunctionGame game(5, 3, [](const FormatAssignment& q) {
    double loss = 0.0;
    for (std::size_t u = 0; u < q.size(); ++u) {
      loss += static_cast<double>(u + 1) * q[u] * q[u];
    }
    return loss;
  });
  Surrogate surrogate;
  surrogate.linear.assign(5, {0.0, 1.0, 2.0});
  const auto result = SearchPlan(
      game, game, target, {{"low", FormatAssignment(5, 2), &surrogate}}, {});
  ASSERT_TRUE(result);
  EXPECT_GT(result->judged.size(), 1U);
  for (const JudgedPlan& plan : result->judged) {
    std::int64_t used = 0;
    for (std::size_t u = 0; u < 5; ++u) {
      used += bytes[u][static_cast<std::size_t>(plan.assignment[u])];
    }
    EXPECT_LE(used, 90) << plan.name;
  }
}

TEST(SearchPlan, RefusesNoCandidateAndOneOverTheBudget) {
  FunctionGame game(kUnits, 2, [](const FormatAssignment&) { return 1.0; });
  const auto none = SearchPlan(game, game, HalfBudget(), {}, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kInvalidArgument);
  const auto large =
      SearchPlan(game,
                 game,
                 HalfBudget(),
                 {{"high", FormatAssignment(kUnits, 0), &Blank()}},
                 {});
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().message, testing::HasSubstr("'high'"));
}

TEST(WindowSubsetGame, IsTheGameOnThoseWindows) {
  FunctionGame game(
      3,
      2,
      [](const FormatAssignment& q) { return 1.0 + q[0] + 2.0 * q[1]; },
      {4.0, 6.0, 10.0});
  WindowSubsetGame subset(game, {2, 0});
  EXPECT_THAT(subset.window_tokens(), testing::ElementsAre(10.0, 4.0));
  const std::vector<FormatAssignment> asked = {{1, 0, 0}, {0, 1, 0}};
  const auto values = subset.Evaluate(asked);
  ASSERT_TRUE(values);
  EXPECT_THAT((*values)[1].window_loss, testing::ElementsAre(30.0, 12.0));
  EXPECT_DOUBLE_EQ((*values)[0].loss, 2.0);
  const std::vector<WindowQuestion> questions = {{1, {1, 1, 0}}};
  EXPECT_THAT(*subset.EvaluateWindows(questions),
              testing::ElementsAre(4.0 * 4.0));
}

}  // namespace
}  // namespace bitpact
