// SPDX-License-Identifier: Apache-2.0
#include "models/block_reconstruction.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/learned_quantizer.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::RandomTokens;
using test::TinyModel;
using testing::ElementsAre;
using testing::HasSubstr;

TokenSet Windows(int count, int length) {
  TokenSet set;
  for (int w = 0; w < count; ++w) {
    TokenWindow window;
    window.tokens = RandomTokens(length, 37, static_cast<std::uint64_t>(w) + 1);
    set.predicted += window.predicted();
    set.windows.push_back(std::move(window));
  }
  return set;
}

AllocationPlan Mix(const Model& model) {
  return MakeUniformPlan(MakeUnits(model, Granularity::kMatrix),
                         {RowMix({.bits = 2, .group_size = 0}, 3, 3000)},
                         "hybrid");
}

ReconstructionOptions Short() {
  ReconstructionOptions options;
  options.iterations = 120;
  options.checks = 6;
  options.learning.rounding.learning_rate = 0.02;
  options.learning.clipping.learning_rate = 0.05;
  return options;
}

class BlockReconstructionTest : public testing::Test {
 protected:
  [[nodiscard]] Expected<LearnedMatrices> Learn(
      const ReconstructionOptions& options,
      const PackedStore& store = MemoryStore()) const {
    return LearnMatrices(model_,
                         *JobsOfPlan(model_, Mix(model_)),
                         RowRanking::kError,
                         tokens_,
                         options,
                         store);
  }
  static std::vector<std::vector<float>> Weights(
      const LearnedMatrices& learned) {
    std::vector<std::vector<float>> all;
    for (const SharedMatrix& packed : learned.matrices.packed) {
      all.emplace_back(
          static_cast<std::size_t>(packed->rows() * packed->cols()));
      packed->Dequantize(0, packed->rows(), all.back());
    }
    return all;
  }
  TinyModel tiny_{{}};
  Model model_ = tiny_.Load();
  TokenSet tokens_ = Windows(24, 33);
};

TEST(HeldOutWindows, AreSpreadAndLeaveOneToLearnFrom) {
  EXPECT_THAT(*HeldOutWindows(2, 0.125), ElementsAre(1));
  EXPECT_THAT(*HeldOutWindows(16, 0.125), ElementsAre(4, 12));
  EXPECT_EQ(HeldOutWindows(10, 0.99)->size(), 9U);
  EXPECT_THAT(HeldOutWindows(1, 0.5).error().message,
              HasSubstr("has 1 window;"));
}

TEST(ReconstructionOptions, AreCheckedByName) {
  EXPECT_TRUE(Validate(ReconstructionOptions{}));
  ReconstructionOptions options;
  options.iterations = 0;
  EXPECT_EQ(Validate(options).error().message,
            "iterations = 0 violates iterations >= 1");
  options = {};
  options.held_out = 1.0;
  EXPECT_THAT(Validate(options).error().message,
              HasSubstr("violates 0 < held_out < 1"));
}

TEST_F(BlockReconstructionTest, IsBelowRoundingToNearestOnWindowsItNeverSaw) {
  const auto learned = Learn(Short());
  ASSERT_TRUE(learned) << learned.error().message;
  ASSERT_EQ(learned->outcomes.size(), 2U);
  for (const ReconstructionOutcome& outcome : learned->outcomes) {
    EXPECT_LT(outcome.loss, 0.9 * outcome.start_loss) << outcome.layer;
    EXPECT_GT(outcome.best_iteration, 0);
  }
}

// The loss that was reported is that of the packed matrices.
TEST_F(BlockReconstructionTest, ReportsTheLossOfWhatItStores) {
  const auto learned = Learn(Short());
  ASSERT_TRUE(learned);
  const auto judges =
      *HeldOutWindows(static_cast<int>(tokens_.windows.size()), 0.125);
  const WeightSet exact = FullPrecisionWeights(model_);
  std::vector<LinearWeight> packed;
  for (int place = 0; place < kLinearsPerBlock; ++place) {
    packed.emplace_back(learned->matrices.packed[place].get());
  }
  Transformer transformer(model_);
  double sum = 0.0;
  double count = 0.0;
  for (const int w : judges) {
    const auto& window = tokens_.windows[w].tokens;
    const auto run = std::span(window).first(window.size() - 1);
    std::vector<float> wanted(run.size() * 24);
    transformer.Embed(run, wanted);
    std::vector<float> got = wanted;
    transformer.RunBlock(0, std::span(exact).first(7), wanted);
    transformer.RunBlock(0, packed, got);
    for (std::size_t i = 0; i < got.size(); ++i) {
      sum += std::pow(double{got[i]} - double{wanted[i]}, 2.0);
    }
    count += static_cast<double>(got.size());
  }
  EXPECT_NEAR(learned->outcomes[0].loss, sum / count, 1e-4 * sum / count);
}

TEST_F(BlockReconstructionTest, GivesTheSameBitsForAnyNumberOfThreads) {
  ReconstructionOptions options = Short();
  options.iterations = 12;
  SetThreadCount(1);
  const auto one = Learn(options);
  SetThreadCount(3);
  const auto three = Learn(options);
  SetThreadCount(0);
  ASSERT_TRUE(one && three);
  EXPECT_EQ(Weights(*one), Weights(*three));
  options.seed = 2;
  EXPECT_NE(Weights(*Learn(options)), Weights(*one));
}

TEST_F(BlockReconstructionTest, GoesOnAtTheBlockWhereItStopped) {
  ReconstructionOptions options = Short();
  options.iterations = 12;
  const auto whole = Learn(options);
  ASSERT_TRUE(whole);
  // The first block is there, and a matrix of the second.
  std::atomic<int> put = 0;
  PackedStore store = MemoryStore();
  store.find = [&](const LinearJob& job) -> Expected<SharedMatrix> {
    return job.place <= 7 ? whole->matrices.packed[job.place] : nullptr;
  };
  const auto keep = store.put;
  store.put = [&](const LinearJob& job, PackedMatrix packed) {
    ++put;
    return keep(job, std::move(packed));
  };
  const auto rest = Learn(options, store);
  ASSERT_TRUE(rest) << rest.error().message;
  EXPECT_EQ(put, 7);
  ASSERT_EQ(rest->outcomes.size(), 1U);
  EXPECT_EQ(rest->outcomes[0].layer, 1);
  EXPECT_EQ(Weights(*rest), Weights(*whole));
}

TEST_F(BlockReconstructionTest, KeepsTheStartAndSaysSoWhenNothingFalls) {
  ReconstructionOptions options = Short();
  options.iterations = 40;
  options.checks = 4;
  options.learning.clipping.learning_rate = 1e3;
  options.learning.rounding.learning_rate = 1e3;
  const auto learned = Learn(options);
  ASSERT_TRUE(learned) << learned.error().message;
  EXPECT_FALSE(learned->outcomes[0].fell());
  EXPECT_EQ(learned->outcomes[0].iterations, 30);
  EXPECT_THAT(learned->matrices.notes.at(0),
              HasSubstr("did not fall in 30 iterations; it stays rounded to "
                        "nearest"));
  const auto rounded = QuantizedModel::Make(
      model_,
      Mix(model_),
      **MakeQuantizer("quanto", {.row_ranking = RowRanking::kError}),
      &tokens_);
  ASSERT_TRUE(rounded);
  std::vector<float> wanted(24 * 24);
  rounded->packed()[0]->Dequantize(0, 24, wanted);
  EXPECT_EQ(Weights(*learned)[0], wanted);
}

TEST_F(BlockReconstructionTest, RefusesACalibrationTextOfOneWindow) {
  tokens_ = Windows(1, 33);
  const auto learned = Learn(Short());
  ASSERT_FALSE(learned);
  EXPECT_EQ(learned.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(learned.error().message, HasSubstr("one to judge by"));
}

TEST_F(BlockReconstructionTest, RefusesMixedColumns) {
  const auto jobs =
      *JobsOfPlan(model_,
                  MakeUniformPlan(MakeUnits(model_, Granularity::kMatrix),
                                  {MixedColumns(30000)},
                                  "hybrid"));
  const auto learned = LearnMatrices(
      model_, jobs, RowRanking::kError, tokens_, Short(), MemoryStore());
  ASSERT_FALSE(learned);
  EXPECT_EQ(learned.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(learned.error().message, HasSubstr("q_proj"));
}

}  // namespace
}  // namespace bitpact
