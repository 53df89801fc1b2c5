// SPDX-License-Identifier: Apache-2.0
#include "estimators/model_game.h"

#include <algorithm>

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

  std::unique_ptr<ModelGame> Play(const std::vector<Unit>& units) const {
    auto game =
        ModelGame::Create(model_, units, formats_, *quantizer_, tokens_);
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

TEST_F(ModelGameTest, RunsOnlyBlocksBehindTheFirstDifference) {
  const auto game = Play(MakeUnits(model_, Granularity::kBlock));
  // In lexicographic order: 3 blocks, then 1, then 2, then 0 for the
  // repetition.
  const std::vector<FormatAssignment> assignments = {
      {0, 1, 0}, {0, 0, 0}, {0, 0, 1}, {0, 1, 0}};
  ASSERT_TRUE(game->Evaluate(assignments));
  EXPECT_EQ(game->blocks_run(), (3 + 1 + 2 + 0) * 5);
  EXPECT_EQ(game->blocks_asked(), 4 * 3 * 5);
}

TEST_F(ModelGameTest, AWindowAloneHasTheBitsOfTheWholeAndCostsOnlyItself) {
  const auto game = Play(MakeUnits(model_, Granularity::kBlock));
  const std::vector<WindowQuestion> asked = {
      {4, {0, 1, 0}}, {1, {0, 0, 1}}, {4, {0, 1, 2}}, {4, {0, 1, 0}}};
  const auto sums = game->EvaluateWindows(asked);
  ASSERT_TRUE(sums);
  // Window 4: 3 blocks, 1, 0; window 1: 3.
  EXPECT_EQ(game->blocks_run(), 4 + 3);
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
