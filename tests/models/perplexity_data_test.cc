// SPDX-License-Identifier: Apache-2.0
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/model.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "models/token_set.h"
#include "models/tokenizer.h"
#include "models/transformer.h"
#include "tests/models/shared_data.h"

namespace bitpact {
namespace {

std::filesystem::path Text() {
  return test::SharedData() / "text" / "tinystories-valid.txt";
}

std::filesystem::path Folder(const std::string& model) {
  return test::SharedData() / "models" / model;
}

struct Fact {
  std::string model;
  std::int64_t predicted = 0;
  double perplexity = 0.0;
};

void PrintTo(const Fact& fact, std::ostream* out) { *out << fact.model; }

class KnownPerplexity : public testing::TestWithParam<Fact> {};

// Figures that were measured with another implementation, three decimals.
TEST_P(KnownPerplexity, IsReproduced) {
  const auto folder = Folder(GetParam().model);
  BITPACT_SKIP_WITHOUT(folder);
  BITPACT_SKIP_WITHOUT(Text());
  const Expected<Model> model = Model::Load(folder);
  ASSERT_TRUE(model) << model.error().message;
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Expected<TokenSet> tokens = ReadTokenSet(
      Text(), *tokenizer, model->config().context, {.max_predicted = 20000});
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(tokens->predicted, GetParam().predicted) << tokens->description;
  const LossReport report =
      EvaluateLoss(*model, FullPrecisionWeights(*model), *tokens);
  EXPECT_NEAR(report.perplexity.mean, GetParam().perplexity, 6e-4);
}

INSTANTIATE_TEST_SUITE_P(SharedModels,
                         KnownPerplexity,
                         testing::Values(Fact{"stories260K", 20240, 3.506},
                                         Fact{"babyllama", 20224, 1.756}),
                         [](const auto& fact) { return fact.param.model; });

struct RoundedFact {
  std::string model;
  double full = 0.0;
  std::vector<std::pair<int, double>> by_bits;
};

void PrintTo(const RoundedFact& fact, std::ostream* out) { *out << fact.model; }

class KnownRounding : public testing::TestWithParam<RoundedFact> {};

// Round to nearest, symmetric, group 32, on the documents up to the one that
// passes 6,000 predicted tokens. The figures do not say how scales are stored,
// nor which of two equally near codes is taken, and fewer bits amplify that;
// they have three digits.
TEST_P(KnownRounding, IsReproduced) {
  const auto folder = Folder(GetParam().model);
  BITPACT_SKIP_WITHOUT(folder);
  BITPACT_SKIP_WITHOUT(Text());
  const Expected<Model> model = Model::Load(folder);
  ASSERT_TRUE(model) << model.error().message;
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Expected<TokenSet> tokens = ReadTokenSet(
      Text(), *tokenizer, model->config().context, {.max_predicted = 6000});
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_NEAR(EvaluateLoss(*model, FullPrecisionWeights(*model), *tokens)
                  .perplexity.mean,
              GetParam().full,
              6e-4);
  const auto quantizer = MakeQuantizer("quanto");
  ASSERT_TRUE(quantizer) << quantizer.error().message;
  for (const auto& [bits, perplexity] : GetParam().by_bits) {
    const BitFormat format{.bits = bits,
                           .group_size = 32,
                           .scale_type = ScaleType::kFloat32,
                           .zero_point_type = ZeroPointType::kNone};
    const auto quantized = QuantizedModel::Make(
        *model,
        MakeUniformPlan(
            MakeUnits(*model, Granularity::kMatrix), {format, false}, "quanto"),
        **quantizer);
    ASSERT_TRUE(quantized) << quantized.error().message;
    const LossReport report =
        EvaluateLoss(*model, quantized->weights(), *tokens);
    EXPECT_NEAR(
        report.perplexity.mean / perplexity, 1.0, bits == 2 ? 2e-2 : 5e-3)
        << bits << " bit: " << report.perplexity.mean;
  }
}

INSTANTIATE_TEST_SUITE_P(
    SharedModels,
    KnownRounding,
    testing::Values(
        RoundedFact{"stories260K",
                    3.543,
                    {{8, 3.547}, {4, 4.02}, {3, 11.3}, {2, 4601.0}}},
        RoundedFact{"babyllama",
                    1.754,
                    {{8, 1.754}, {4, 1.823}, {3, 2.364}, {2, 60.0}}}),
    [](const auto& fact) { return fact.param.model; });

TEST(SharedModels, HeadOnlyCheckpointLoads) {
  const auto folder = Folder("TinyStories-656K");
  BITPACT_SKIP_WITHOUT(folder);
  const Expected<Model> model = Model::Load(folder);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->embedding().size(), 2048U * 128U);
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(folder);
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace bitpact
