// SPDX-License-Identifier: Apache-2.0
#include <ostream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/model.h"
#include "models/perplexity.h"
#include "models/token_set.h"
#include "models/tokenizer.h"
#include "models/transformer.h"
#include "tests/models/shared_data.h"

namespace bitpact {
namespace {

struct Fact {
  std::string model;
  std::int64_t predicted = 0;
  double perplexity = 0.0;
};

void PrintTo(const Fact& fact, std::ostream* out) { *out << fact.model; }

class KnownPerplexity : public testing::TestWithParam<Fact> {};

// Figures that were measured with another implementation, three decimals.
TEST_P(KnownPerplexity, IsReproduced) {
  const auto folder = test::SharedData() / "models" / GetParam().model;
  const auto text = test::SharedData() / "text" / "tinystories-valid.txt";
  BITPACT_SKIP_WITHOUT(folder);
  BITPACT_SKIP_WITHOUT(text);
  const Expected<Model> model = Model::Load(folder);
  ASSERT_TRUE(model) << model.error().message;
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(folder);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const Expected<TokenSet> tokens = ReadTokenSet(
      text, *tokenizer, model->config().context, {.max_predicted = 20000});
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

}  // namespace
}  // namespace bitpact
