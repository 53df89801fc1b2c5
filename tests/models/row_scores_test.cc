// SPDX-License-Identifier: Apache-2.0
#include "models/row_scores.h"

#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/gradient_statistics.h"
#include "models/perplexity.h"
#include "models/quantize_folder.h"
#include "models/quantized_model.h"
#include "quant/row_matrix.h"
#include "tests/models/saved_model.h"

namespace bitpact {
namespace {

using test::SomeTokens;
using test::TemporaryFolder;
using test::TinyModel;
using testing::HasSubstr;

std::unique_ptr<Quantizer> Ranked(RowRanking ranking,
                                  const std::string& name = "quanto") {
  QuantizerOptions options;
  options.row_ranking = ranking;
  return *MakeQuantizer(name, options);
}

const BitFormat kMix = RowMix({.bits = 2, .group_size = 8}, 3, 2500);

class RowScoresTest : public testing::Test {
 protected:
  RowScoresTest() : model_(tiny_.Load()), tokens_(SomeTokens()) {
    for (int place = 0; place < 14; ++place) wanted_.push_back({place, kMix});
  }
  [[nodiscard]] RowScores Measure(RowRanking ranking) const {
    auto scores =
        RowScores::Measure(model_, wanted_, *Ranked(ranking), &tokens_);
    EXPECT_TRUE(scores) << scores.error().message;
    return std::move(*scores);
  }
  TinyModel tiny_{{}};
  Model model_;
  TokenSet tokens_;
  std::vector<PlacedFormat> wanted_;
};

TEST_F(RowScoresTest, OfBothAreErrorsTimesGradients) {
  const RowScores error = Measure(RowRanking::kError);
  const RowScores fisher = Measure(RowRanking::kFisher);
  const RowScores both = Measure(RowRanking::kGradientError);
  const auto seen =
      MeasureGradients(model_, FullPrecisionWeights(model_), tokens_);
  ASSERT_TRUE(seen);
  for (std::size_t place = 0; place < 14; ++place) {
    const auto at = static_cast<int>(place);
    const auto e = error.Of(at, kMix);
    const auto b = both.Of(at, kMix);
    ASSERT_GT(e.size(), 0U);
    for (std::size_t row = 0; row < e.size(); ++row) {
      EXPECT_GT(e[row], 0.0);
      EXPECT_DOUBLE_EQ(b[row], e[row] * seen->row_gradient_squares[place][row]);
      EXPECT_DOUBLE_EQ(fisher.Of(at, kMix)[row], seen->row_fisher[place][row]);
    }
  }
}

TEST_F(RowScoresTest, DoNotDependOnTheShareOrWhereMatricesAre) {
  const RowScores loaded = Measure(RowRanking::kGradientError);
  const BitFormat more = RowMix(LowFormat(kMix), 4, 5000);
  EXPECT_EQ(loaded.Of(3, more).data(), loaded.Of(3, kMix).data());
  EXPECT_TRUE(loaded.Of(3, LowFormat(kMix)).empty());
  const Model outside = *Model::LoadOutside(tiny_.folder());
  const auto again = RowScores::Measure(
      outside, wanted_, *Ranked(RowRanking::kGradientError), &tokens_);
  ASSERT_TRUE(again) << again.error().message;
  for (int place = 0; place < 14; ++place) {
    const auto a = loaded.Of(place, kMix);
    const auto b = again->Of(place, kMix);
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
}

TEST_F(RowScoresTest, NeedTokensAndAQuantizerThatUsesThem) {
  const auto no_tokens =
      RowScores::Measure(model_, wanted_, *Ranked(RowRanking::kError), nullptr);
  ASSERT_FALSE(no_tokens);
  EXPECT_EQ(no_tokens.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(no_tokens.error().message, HasSubstr("needs calibration tokens"));
  const auto baq =
      RowScores::Measure(model_, wanted_, **MakeQuantizer("baq"), &tokens_);
  ASSERT_FALSE(baq);
  EXPECT_EQ(baq.error().code, ErrorCode::kUnsupported);
  const std::vector<PlacedFormat> plain = {{0, LowFormat(kMix)}};
  EXPECT_TRUE(
      RowScores::Measure(model_, plain, **MakeQuantizer("baq"), nullptr));
}

AllocationPlan RowMixPlan(const Model& model) {
  std::vector<FormatRule> formats;
  const std::vector<Unit> units = MakeUnits(model, Granularity::kMatrix);
  for (std::size_t i = 0; i < units.size(); ++i) {
    const BitFormat base = {.bits = 2, .group_size = 8};
    const int high = i % 3 == 2 ? kFloat16Bits : 3 + static_cast<int>(i % 2);
    // None, some, all.
    formats.push_back({RowMix(base, high, i == 1 ? 0 : i == 2 ? 10000 : 1500)});
  }
  return MakePlan(units, formats, "quanto");
}

// Quantized, written and read: the same loss as in memory.
TEST_F(RowScoresTest, MakeFoldersThatRunAsTheyWereMade) {
  TemporaryFolder folder;
  for (const std::string name : {"quanto", "gptq"}) {
    const auto quantizer = Ranked(RowRanking::kError, name);
    const AllocationPlan plan = RowMixPlan(model_);
    const auto made = QuantizedModel::Make(model_, plan, *quantizer, &tokens_);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->packed_bytes(), plan.size_bytes);
    QuantizeRequest request;
    const Model outside = *Model::LoadOutside(tiny_.folder());
    request.model = &outside;
    request.plan = plan;
    request.quantizer = quantizer.get();
    request.calibration = &tokens_;
    request.output = folder.File(name);
    const auto written = QuantizeFolder(request);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(written->packed_bytes, plan.size_bytes);
    const auto read = QuantizedCheckpoint::Load(folder.File(name));
    ASSERT_TRUE(read) << read.error().message;
    const auto in_memory = EvaluateLoss(model_, made->weights(), tokens_);
    const auto from_disk =
        EvaluateLoss(read->model, read->quantized.weights(), tokens_);
    EXPECT_EQ(in_memory.window_nll, from_disk.window_nll);
  }
}

TEST_F(RowScoresTest, GiveTheSameBytesForAnyNumberOfThreads) {
  const AllocationPlan plan = RowMixPlan(model_);
  std::vector<std::vector<std::byte>> codes;
  for (const int threads : {1, 3}) {
    SetThreadCount(threads);
    const auto made = QuantizedModel::Make(
        model_, plan, *Ranked(RowRanking::kGradientError, "gptq"), &tokens_);
    ASSERT_TRUE(made);
    std::vector<std::byte> all;
    for (const auto& packed : made->packed()) {
      all.insert(all.end(), packed->codes().begin(), packed->codes().end());
    }
    codes.push_back(all);
  }
  SetThreadCount(0);
  EXPECT_EQ(codes[0], codes[1]);
}

}  // namespace
}  // namespace bitpact
