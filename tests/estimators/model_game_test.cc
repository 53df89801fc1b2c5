// SPDX-License-Identifier: Apache-2.0
#include "estimators/model_game.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>

#include "core/budget.h"
#include "core/random.h"
#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::RandomTokens;
using test::TinyModel;

class ModelGameTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int w = 0; w < 5; ++w) {
      TokenWindow window{
          RandomTokens(9 + 4 * w, 37, 100 + static_cast<unsigned>(w)),
          1 + w % 2};
      tokens_.predicted += window.predicted();
      tokens_.windows.push_back(std::move(window));
    }
  }
  void TearDown() override { SetThreadCount(0); }

  std::unique_ptr<ModelGame> Play(const std::vector<Unit>& units,
                                  const ModelGameOptions& options = {}) const {
    auto game = ModelGame::Create(
        model_, units, formats_, *quantizer_, tokens_, options);
    EXPECT_TRUE(game) << game.error().message;
    return std::move(*game);
  }
  static std::vector<FormatAssignment> Random(int count, std::size_t units) {
    RandomStream random(5, "test/assignments");
    std::vector<FormatAssignment> drawn;
    for (int i = 0; i < count; ++i) {
      FormatAssignment assignment(units);
      for (int& option : assignment) {
        option = static_cast<int>(random.UniformInt(3));
      }
      drawn.push_back(std::move(assignment));
    }
    return drawn;
  }

  TinyModel files_{[] {
    test::TinyModelShape shape;
    shape.layers = 3;
    return shape;
  }()};
  Model model_ = files_.Load();
  TokenSet tokens_;
  std::vector<FormatRule> formats_ = {{{.bits = 8, .group_size = 16}, false},
                                      {{.bits = 4, .group_size = 16}, false},
                                      {{.bits = 2, .group_size = 16}, false}};
  std::unique_ptr<Quantizer> quantizer_ = *MakeQuantizer("quanto");
};

TEST_F(ModelGameTest, ValueIsTheLossOfTheQuantizedModelBitForBit) {
  for (const Granularity granularity :
       {Granularity::kBlock, Granularity::kFused, Granularity::kMatrix}) {
    const std::vector<Unit> units = MakeUnits(model_, granularity);
    const auto game = Play(units);
    const auto assignments = Random(4, units.size());
    const auto values = game->Evaluate(assignments);
    ASSERT_TRUE(values);
    for (std::size_t i = 0; i < assignments.size(); ++i) {
      std::vector<FormatRule> rules;
      for (const int option : assignments[i]) {
        rules.push_back(formats_[static_cast<std::size_t>(option)]);
      }
      const auto quantized = QuantizedModel::Make(
          model_, MakePlan(units, rules, "quanto"), *quantizer_);
      ASSERT_TRUE(quantized);
      const LossReport loss =
          EvaluateLoss(model_, quantized->weights(), tokens_);
      EXPECT_EQ((*values)[i].window_loss, loss.window_nll);
      EXPECT_NEAR((*values)[i].loss, loss.nll.mean, 1e-12);
    }
  }
}

TEST_F(ModelGameTest, SharingPrefixesOrderAndThreadsDoNotChangeABit) {
  const std::vector<Unit> units = MakeUnits(model_, Granularity::kMatrix);
  auto assignments = Random(20, units.size());
  assignments.push_back(assignments[3]);
  const auto game = Play(units);
  SetThreadCount(1);
  const auto together = game->Evaluate(assignments);
  std::reverse(assignments.begin(), assignments.end());
  SetThreadCount(3);
  const auto reversed = game->Evaluate(assignments);
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    const auto alone = game->Evaluate(std::span(&assignments[i], 1));
    const std::size_t mirror = assignments.size() - 1 - i;
    EXPECT_EQ((*together)[mirror].window_loss, (*alone)[0].window_loss);
    EXPECT_EQ((*reversed)[i].window_loss, (*alone)[0].window_loss);
  }
}

TEST_F(ModelGameTest, InBfloat16SharesExactlyTooAndLiesNearFloat32) {
  if (!IsAvailable(ProductPrecision::kBfloat16)) {
    GTEST_SKIP() << "this processor has no AVX512_BF16";
  }
  const std::vector<Unit> units = MakeUnits(model_, Granularity::kMatrix);
  const auto assignments = Random(12, units.size());
  const auto game = Play(units, {.products = ProductPrecision::kBfloat16});
  const auto together = game->Evaluate(assignments);
  const auto exact = Play(units)->Evaluate(assignments);
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    const auto alone = game->Evaluate(std::span(&assignments[i], 1));
    EXPECT_EQ((*together)[i].window_loss, (*alone)[0].window_loss);
    EXPECT_NE((*together)[i].loss, (*exact)[i].loss);
    EXPECT_NEAR((*together)[i].loss, (*exact)[i].loss, 0.02);
  }
}

TEST_F(ModelGameTest, RunsOnlyStagesBehindTheFirstDifference) {
  const auto game = Play(MakeUnits(model_, Granularity::kBlock));
  // In lexicographic order: 3 blocks, then 1, then 2, then 0 for the
  // repetition.
  const std::vector<FormatAssignment> assignments = {
      {0, 1, 0}, {0, 0, 0}, {0, 0, 1}, {0, 1, 0}};
  ASSERT_TRUE(game->Evaluate(assignments));
  EXPECT_EQ(game->stages_run(), (3 + 1 + 2 + 0) * kStagesPerBlock * 5);
  EXPECT_EQ(game->stages_asked(), 4 * 3 * kStagesPerBlock * 5);
  // The next call goes on where this one ended.
  ASSERT_TRUE(game->Evaluate(std::vector<FormatAssignment>{{0, 1, 1}}));
  EXPECT_EQ(game->stages_run(), (6 + 1) * kStagesPerBlock * 5);
}

TEST_F(ModelGameTest, AChangedDownProjectionRunsOneStageOfItsBlock) {
  const auto game = Play(MakeUnits(model_, Granularity::kMatrix));
  FormatAssignment low(21, 0);
  low.back() = 2;  // down_proj of the last block
  ASSERT_TRUE(
      game->Evaluate(std::vector<FormatAssignment>{FormatAssignment(21), low}));
  EXPECT_EQ(game->stages_run(), (3 * kStagesPerBlock + 1) * 5);
}

TEST_F(ModelGameTest, MemoryDoesNotChangeABit) {
  const std::vector<Unit> units = MakeUnits(model_, Granularity::kMatrix);
  const auto assignments = Random(12, units.size());
  SetThreadCount(2);
  for (const LossKind loss : {LossKind::kNll, LossKind::kKl}) {
    const auto play = [&](std::int64_t bytes) {
      return ModelGame::Create(
          model_, units, formats_, *quantizer_, tokens_, {loss, bytes});
    };
    const auto wide = play(std::int64_t{1} << 30);
    ASSERT_TRUE(wide);
    EXPECT_TRUE((*wide)->memory_plan().all_windows);
    const auto values = (*wide)->Evaluate(assignments);
    ASSERT_TRUE(values);
    std::set<std::string> plans;
    for (std::int64_t bytes = (*wide)->memory_plan().bytes; true;) {
      const auto game = play(bytes);
      if (!game) {
        EXPECT_THAT(game.error().message, testing::HasSubstr("--game-memory"));
        EXPECT_THAT(game.error().message,
                    testing::HasSubstr(FormatCount(bytes + 1)));
        break;
      }
      const GameMemoryPlan plan = (*game)->memory_plan();
      EXPECT_LE(plan.bytes, bytes);
      plans.insert(MemoryPlanText(plan));
      const auto again = (*game)->Evaluate(assignments);
      ASSERT_TRUE(again);
      for (std::size_t i = 0; i < assignments.size(); ++i) {
        EXPECT_EQ((*again)[i].window_loss, (*values)[i].window_loss)
            << MemoryPlanText(plan);
      }
      bytes = plan.bytes - 1;
    }
    // All windows; one lane's stages, every 1, 2 and 3 blocks; fewer lanes.
    EXPECT_GE(plans.size(), 5U);
  }
}

TEST_F(ModelGameTest, KlIsThatOfTheQuantizedModelBitForBit) {
  const std::vector<Unit> units = MakeUnits(model_, Granularity::kFused);
  const auto game = ModelGame::Create(
      model_, units, formats_, *quantizer_, tokens_, {.loss = LossKind::kKl});
  ASSERT_TRUE(game);
  EXPECT_EQ((*game)->loss_kind(), LossKind::kKl);
  const auto assignments = Random(3, units.size());
  const auto values = (*game)->Evaluate(assignments);
  ASSERT_TRUE(values);
  const WeightSet full = FullPrecisionWeights(model_);
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    std::vector<FormatRule> rules;
    for (const int option : assignments[i]) {
      rules.push_back(formats_[static_cast<std::size_t>(option)]);
    }
    const auto quantized = QuantizedModel::Make(
        model_, MakePlan(units, rules, "quanto"), *quantizer_);
    ASSERT_TRUE(quantized);
    const LossReport loss =
        EvaluateLoss(model_, quantized->weights(), tokens_, &full);
    EXPECT_EQ((*values)[i].window_loss, loss.window_kl);
    EXPECT_NEAR((*values)[i].loss, loss.kl.mean, 1e-12);
    EXPECT_NEAR((*values)[i].standard_error, loss.kl.standard_error, 1e-12);
    EXPECT_GT((*values)[i].loss, 0.0);
  }
}

TEST_F(ModelGameTest, AWindowAloneHasTheBitsOfTheWholeAndCostsOnlyItself) {
  const auto game = Play(MakeUnits(model_, Granularity::kBlock));
  const std::vector<WindowQuestion> asked = {
      {4, {0, 1, 0}}, {1, {0, 0, 1}}, {4, {0, 1, 2}}, {4, {0, 1, 0}}};
  const auto sums = game->EvaluateWindows(asked);
  ASSERT_TRUE(sums);
  // Window 4: 3 blocks, 1, 0; window 1: 3.
  EXPECT_EQ(game->stages_run(), (4 + 3) * kStagesPerBlock);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto whole = game->Evaluate(std::span(&asked[i].assignment, 1));
    EXPECT_EQ(
        (*sums)[i],
        whole->front().window_loss[static_cast<std::size_t>(asked[i].window)]);
  }
}

TEST_F(ModelGameTest, MatricesThatNoUnitNamesStayInFullPrecision) {
  std::vector<Unit> units = MakeUnits(model_, Granularity::kMatrix);
  units.resize(1);
  const auto game = Play(units);
  const auto value = game->Evaluate(std::vector<FormatAssignment>{{0}});
  WeightSet weights = FullPrecisionWeights(model_);
  const auto packed = quantizer_->Quantize({model_.linear(0, LinearKind::kQ),
                                            units[0].matrices[0].rows,
                                            units[0].matrices[0].cols},
                                           {},
                                           formats_[0].base);
  ASSERT_TRUE(value && packed);
  weights[0] = LinearWeight(&*packed);
  EXPECT_EQ((*value)[0].window_loss,
            EvaluateLoss(model_, weights, tokens_).window_nll);
}

TEST_F(ModelGameTest, RefusesUnitsThatDoNotFitTheModel) {
  std::vector<Unit> units = MakeUnits(model_, Granularity::kMatrix);
  const auto message = [&](const std::vector<Unit>& bad) {
    const auto game =
        ModelGame::Create(model_, bad, formats_, *quantizer_, tokens_);
    return game ? std::string() : game.error().message;
  };
  std::vector<Unit> twice = units;
  twice.push_back({"again", {units[2].matrices[0]}});
  EXPECT_THAT(message(twice), testing::HasSubstr("'again'"));
  std::vector<Unit> wide = {
      {"wide", {units[0].matrices[0], units[8].matrices[0]}}};
  EXPECT_THAT(message(wide), testing::HasSubstr("'wide' spans two blocks"));
  std::vector<Unit> foreign = {{"x", {{"no.such.weight", 4, 4}}}};
  EXPECT_THAT(message(foreign), testing::HasSubstr("no.such.weight"));
}

}  // namespace
}  // namespace bitpact
