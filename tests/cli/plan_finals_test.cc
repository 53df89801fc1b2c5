// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_finals.h"

#include <algorithm>
#include <vector>

#include "cli/pipeline.h"
#include "core/progress.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "tests/cli/program.h"

namespace bitpact::test {
namespace {

class PlanFinalsTest : public ::testing::Test {
 protected:
  PlanFinalsTest() {
    Progress::SetEnabled(false);
    fixture_.model.WriteConfig();
    options_.max_predicted = 150;
  }

  PlanSearchResult Judged(const std::vector<FormatAssignment>& plans) const {
    PlanSearchResult result;
    result.fit_share = 0.5;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const double loss = 1.0 + static_cast<double>(i);
      result.judged.push_back(
          {"metric " + std::to_string(i), plans[i], loss, loss});
    }
    result.best = result.judged.front();
    return result;
  }
  // One unit at the smallest width, the others at the largest.
  std::vector<FormatAssignment> OneLow() const {
    std::vector<FormatAssignment> plans(units_.size(),
                                        FormatAssignment(units_.size(), 0));
    for (std::size_t u = 0; u < units_.size(); ++u) plans[u][u] = 1;
    return plans;
  }
  double LossOf(const FormatAssignment& assignment,
                const Quantizer& quantizer,
                const TokenSet& text) const {
    std::vector<FormatRule> rules;
    for (const int option : assignment) {
      rules.push_back(formats_[static_cast<std::size_t>(option)]);
    }
    const auto quantized =
        QuantizedModel::Make(loaded_->model,
                             MakePlan(units_, rules, quantizer.name()),
                             quantizer,
                             &*calibration_);
    EXPECT_TRUE(quantized);
    return EvaluateLoss(loaded_->model, quantized->weights(), text).nll.mean;
  }
  static std::vector<int> FirstWindows(const TokenSet& set,
                                       std::int64_t tokens) {
    std::vector<int> windows;
    for (int w = 0; tokens > 0; ++w) {
      windows.push_back(w);
      tokens -= set.windows[static_cast<std::size_t>(w)].predicted();
    }
    return windows;
  }
  PlanFinals Finals(const Quantizer& quantizer, const TokenSet* text) const {
    return {.model = &loaded_->model,
            .units = &units_,
            .formats = &formats_,
            .quantizer = &quantizer,
            .calibration = &*calibration_,
            .text = text};
  }

  ProgramFixture fixture_;
  TokenSetOptions options_;
  Expected<LoadedModel> loaded_ = LoadFolder(fixture_.model.folder());
  Expected<TokenSet> calibration_ =
      ReadTokenSet(fixture_.text(), loaded_->tokenizer, 64, [] {
        TokenSetOptions options;
        options.max_predicted = 150;
        return options;
      }());
  std::vector<Unit> units_ = MakeUnits(loaded_->model, Granularity::kBlock);
  std::vector<FormatRule> formats_ = {{{.bits = 4, .group_size = 0}, false},
                                      {{.bits = 2, .group_size = 0}, false}};
};

TEST_F(PlanFinalsTest, FurtherTextStartsWhereTheCalibrationEnds) {
  const auto further = ReadFurther(
      fixture_.text(), *loaded_, options_, *calibration_, std::nullopt);
  ASSERT_TRUE(further);
  ASSERT_TRUE(*further);
  EXPECT_GE((*further)->predicted, calibration_->predicted);
  TokenSetOptions all = options_;
  all.max_predicted = calibration_->predicted + (*further)->predicted;
  const auto whole = ReadTokenSet(fixture_.text(), loaded_->tokenizer, 64, all);
  ASSERT_TRUE(whole);
  ASSERT_EQ(whole->windows.size(),
            calibration_->windows.size() + (*further)->windows.size());
  for (std::size_t w = 0; w < (*further)->windows.size(); ++w) {
    EXPECT_EQ((*further)->windows[w].tokens,
              whole->windows[calibration_->windows.size() + w].tokens);
  }
}

TEST_F(PlanFinalsTest, ThereIsNoFurtherTextWhereTooLittleFollows) {
  const auto none =
      ReadFurther(fixture_.text(), *loaded_, options_, *calibration_, 0);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  TokenSetOptions all;
  const auto whole = ReadTokenSet(fixture_.text(), loaded_->tokenizer, 64, all);
  ASSERT_TRUE(whole);
  const auto behind_all =
      ReadFurther(fixture_.text(), *loaded_, all, *whole, std::nullopt);
  ASSERT_TRUE(behind_all) << behind_all.error().message;
  EXPECT_FALSE(*behind_all);
}

TEST_F(PlanFinalsTest, FinalistsAreTheBestThenEveryMetricsFirstThenTheRest) {
  PlanSearchResult result = Judged({{0}, {1}, {2}, {3}, {4}, {5}});
  result.judged[1].name = "metric 0 pool 2";
  result.judged[2].name = "swap 1";
  result.judged[3].assignment = {0};  // what the first has
  EXPECT_THAT(ChooseFinalists(result, 4), testing::ElementsAre(0, 1, 4, 5));
  EXPECT_THAT(ChooseFinalists(result, 9),
              testing::UnorderedElementsAre(0, 1, 2, 4, 5));
  EXPECT_THAT(ChooseFinalists(result, 0), testing::IsEmpty());
}

TEST_F(PlanFinalsTest, TakesTheLeastLossOnTheFurtherText) {
  const auto further = ReadFurther(
      fixture_.text(), *loaded_, options_, *calibration_, std::nullopt);
  ASSERT_TRUE(*further);
  for (const char* name : {"quanto", "gptq"}) {
    const auto quantizer = MakeQuantizer(name, {});
    PlanSearchResult result = Judged(OneLow());
    ASSERT_TRUE(PlayFinals(Finals(**quantizer, &**further), result));
    ASSERT_EQ(result.finals.size(), units_.size()) << name;
    // The best of the first round is run on the rest too, and nothing else: a
    // quarter of two plans.
    const auto& longest =
        *std::ranges::max_element(result.finals, {}, &FinalPlan::tokens);
    EXPECT_EQ(longest.tokens, (*further)->predicted) << name;
    EXPECT_NEAR(longest.loss,
                LossOf(longest.assignment, **quantizer, **further),
                1e-12);
    EXPECT_EQ(result.best.assignment, longest.assignment);
    for (const FinalPlan& plan : result.finals) {
      if (&plan == &longest) continue;
      EXPECT_LT(plan.tokens, longest.tokens);
      EXPECT_GT(
          plan.loss,
          LossOf(longest.assignment,
                 **quantizer,
                 TakeWindows(**further, FirstWindows(**further, plan.tokens))))
          << name;
    }
  }
}

TEST_F(PlanFinalsTest, WithoutFurtherTextOnlyPlansInSequenceArePlayed) {
  PlanSearchResult alone = Judged(OneLow());
  const auto quanto = MakeQuantizer("quanto", {});
  ASSERT_TRUE(PlayFinals(Finals(**quanto, nullptr), alone));
  EXPECT_TRUE(alone.finals.empty());
  PlanSearchResult sequence = Judged(OneLow());
  const auto gptq = MakeQuantizer("gptq", {});
  ASSERT_TRUE(PlayFinals(Finals(**gptq, nullptr), sequence));
  EXPECT_EQ(sequence.finals.size(), units_.size());
  for (const FinalPlan& plan : sequence.finals) {
    EXPECT_EQ(plan.tokens, calibration_->predicted);
    EXPECT_GE(plan.loss,
              LossOf(sequence.best.assignment, **gptq, *calibration_));
  }
}

}  // namespace
}  // namespace bitpact::test
