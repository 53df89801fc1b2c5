// SPDX-License-Identifier: Apache-2.0
#include "models/transformer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/quantizer.h"
#include "tests/models/reference_transformer.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace test {

void PrintTo(const TinyModelShape& shape, std::ostream* out) {
  *out << shape.name;
}

}  // namespace test

namespace {

using test::RandomTokens;
using test::TinyModel;
using test::TinyModelShape;

std::vector<float> Logits(const Model& model,
                          const WeightSet& weights,
                          const std::vector<int>& tokens) {
  std::vector<float> logits(
      tokens.size() * static_cast<std::size_t>(model.config().vocab_size));
  Transformer(model).Run(tokens, weights, logits);
  return logits;
}

// Every step (product, norm, softmax, activation) adds relative noise of about
// eps * sqrt(terms) with terms the longest sum, and a block has some ten steps
// whose noise adds up. A factor of 8 covers what the random weights amplify.
double Tolerance(const ModelConfig& config, const std::vector<double>& logits) {
  double most = 1.0;
  for (const double value : logits) most = std::max(most, std::abs(value));
  const double terms = std::max(config.hidden_size, config.intermediate_size);
  return 8.0 * 10.0 * config.num_layers * std::sqrt(terms) * most *
         static_cast<double>(std::numeric_limits<float>::epsilon());
}

void ExpectNear(const std::vector<float>& actual,
                const std::vector<double>& expected,
                double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(actual[i]), expected[i], tolerance)
        << "at " << i;
  }
}

class TransformerShapes : public testing::TestWithParam<TinyModelShape> {};

TEST_P(TransformerShapes, LogitsEqualPlainLoopsInDouble) {
  const Model model = TinyModel(GetParam()).Load();
  const auto linears = test::DenseLinears(model);
  // Lengths around the steps of padding and vectors, up to the context.
  for (const int count : {1, 2, 7, 8, 9, 15, 16, 17, 33, 64}) {
    const std::vector<int> tokens =
        RandomTokens(count, model.config().vocab_size, 3);
    const std::vector<double> expected =
        test::ReferenceLogits(model, linears, tokens);
    SCOPED_TRACE(count);
    ExpectNear(Logits(model, FullPrecisionWeights(model), tokens),
               expected,
               Tolerance(model.config(), expected));
  }
}

TEST_P(TransformerShapes, PackedWeightsGiveTheLogitsOfDequantizedOnes) {
  const Model model = TinyModel(GetParam()).Load();
  const auto quantizer = MakeQuantizer("quanto");
  ASSERT_TRUE(quantizer) << quantizer.error().message;
  WeightSet weights = FullPrecisionWeights(model);
  std::vector<PackedMatrix> packed(weights.size());
  std::vector<std::vector<float>> linears = test::DenseLinears(model);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const BitFormat format{.bits = 2 + static_cast<int>(i % 7),
                           .group_size = 8};
    auto made =
        (*quantizer)
            ->Quantize(
                {weights[i].dense(), weights[i].rows(), weights[i].cols()},
                {},
                format);
    ASSERT_TRUE(made) << made.error().message;
    packed[i] = std::move(*made);
    packed[i].DequantizeReference(0, packed[i].rows(), linears[i]);
    weights[i] = LinearWeight(&packed[i]);
  }
  for (const int count : {1, 5, 40}) {
    const std::vector<int> tokens =
        RandomTokens(count, model.config().vocab_size, 4);
    const std::vector<double> expected =
        test::ReferenceLogits(model, linears, tokens);
    SCOPED_TRACE(count);
    ExpectNear(Logits(model, weights, tokens),
               expected,
               Tolerance(model.config(), expected));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    TransformerShapes,
    testing::Values(
        TinyModelShape{.name = "Plain", .heads = 4, .kv_heads = 4},
        TinyModelShape{.name = "GroupsOfTwo", .tied = true},
        TinyModelShape{
            .name = "GroupsOfFour", .heads = 8, .kv_heads = 2, .head_dim = 8},
        TinyModelShape{.name = "OddSizes",
                       .hidden = 21,
                       .intermediate = 35,
                       .heads = 3,
                       .kv_heads = 1,
                       .head_dim = 10,
                       .vocab = 53},
        TinyModelShape{.name = "OneOfEach",
                       .hidden = 5,
                       .intermediate = 3,
                       .layers = 1,
                       .heads = 1,
                       .kv_heads = 1,
                       .head_dim = 2,
                       .vocab = 3},
        TinyModelShape{.name = "HeadOnly", .tied = true, .head_only = true},
        TinyModelShape{.name = "Float16", .type = TensorType::kF16},
        TinyModelShape{
            .name = "BFloat16", .tied = true, .type = TensorType::kBF16}),
    [](const auto& shape) { return shape.param.name; });

TEST(Transformer, BlockByBlockEqualsRun) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const std::vector<int> tokens = RandomTokens(23, 37, 5);
  Transformer transformer(model);
  std::vector<float> hidden(tokens.size() * 24);
  std::vector<float> logits(tokens.size() * 37);
  transformer.Embed(tokens, hidden);
  for (int layer = 0; layer < 2; ++layer) {
    transformer.RunBlock(layer,
                         std::span(weights).subspan(
                             static_cast<std::size_t>(layer) * kLinearsPerBlock,
                             kLinearsPerBlock),
                         hidden);
  }
  transformer.Logits(hidden, logits);
  EXPECT_EQ(logits, Logits(model, weights, tokens));
}

TEST(Transformer, StageByStageEqualsBlockByBlock) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const auto block = std::span(weights).first(kLinearsPerBlock);
  const ModelConfig& config = model.config();
  const std::vector<int> tokens = RandomTokens(23, 37, 5);
  const auto rows = [&](int width) {
    return std::vector<float>(tokens.size() * static_cast<std::size_t>(width));
  };
  Transformer transformer(model);
  std::vector<float> hidden = rows(config.hidden_size);
  std::vector<float> attended = rows(config.num_heads * config.head_dim);
  std::vector<float> middle = hidden;
  std::vector<float> gated = rows(config.intermediate_size);
  std::vector<float> out = hidden;
  transformer.Embed(tokens, hidden);
  transformer.RunAttention(0, block, hidden, attended);
  transformer.RunOutput(block, attended, hidden, middle);
  transformer.RunGate(0, block, middle, gated);
  transformer.RunDown(block, gated, middle, out);
  transformer.RunBlock(0, block, hidden);
  EXPECT_EQ(out, hidden);
}

TEST(Transformer, EarlierRunsLeaveNoTrace) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const std::vector<int> tokens = RandomTokens(9, 37, 6);
  const std::vector<float> fresh = Logits(model, weights, tokens);
  Transformer transformer(model);
  std::vector<float> longer(std::size_t{60} * 37);
  transformer.Run(RandomTokens(60, 37, 7), weights, longer);
  std::vector<float> again(tokens.size() * 37);
  transformer.Run(tokens, weights, again);
  EXPECT_EQ(again, fresh);
}

// What makes reuse of a common beginning exact.
TEST(Transformer, RowsDoNotDependOnLaterTokens) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const std::vector<int> tokens = RandomTokens(50, 37, 8);
  const std::vector<float> whole = Logits(model, weights, tokens);
  for (const std::size_t count : {8U, 31U, 32U, 33U, 49U}) {
    const std::vector<float> part =
        Logits(model, weights, {tokens.begin(), tokens.begin() + count});
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()))
        << count << " tokens";
  }
}

TEST(Transformer, NegativeLogLikelihoodIsMinusLogSoftmax) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const std::vector<int> tokens = RandomTokens(40, 37, 9);
  Transformer transformer(model);
  std::vector<float> hidden(tokens.size() * 24);
  transformer.RunBlocks(tokens, weights, hidden);
  std::vector<double> nll(tokens.size() - 1);
  transformer.NegativeLogLikelihood(hidden, tokens, nll);
  const std::vector<float> logits = Logits(model, weights, tokens);
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    const std::vector<double> row(
        logits.begin() + static_cast<int>(t) * 37,
        logits.begin() + static_cast<int>(t + 1) * 37);
    // The sum of 37 exponentials in float has a relative error below 1e-6.
    EXPECT_NEAR(nll[t], test::ReferenceLoss(row, tokens[t + 1]), 2e-6);
  }
}

TEST(Transformer, LastTokenNeedNotRun) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const std::vector<int> tokens = RandomTokens(20, 37, 10);
  Transformer transformer(model);
  std::vector<float> hidden(tokens.size() * 24);
  transformer.RunBlocks(tokens, weights, hidden);
  std::vector<double> nll(tokens.size() - 1);
  transformer.NegativeLogLikelihood(hidden, tokens, nll);
  std::vector<float> shorter((tokens.size() - 1) * 24);
  transformer.RunBlocks(std::span(tokens).first(19), weights, shorter);
  std::vector<double> same(tokens.size() - 1);
  transformer.NegativeLogLikelihood(shorter, tokens, same);
  EXPECT_EQ(nll, same);
}

}  // namespace
}  // namespace bitpact
