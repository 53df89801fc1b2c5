// SPDX-License-Identifier: Apache-2.0
// The shipped model against another implementation: golden values of
// datasets/evaluate_reference.py (PyTorch), which shares no code with models/.

#include <optional>
#include <set>
#include <vector>

#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/model.h"
#include "models/perplexity.h"
#include "models/token_set.h"
#include "models/tokenizer.h"
#include "models/transformer.h"

namespace bitpact {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(BITPACT_SOURCE_DIR) / "datasets" / "tinyworld";

class Tinyworld : public testing::Test {
 protected:
  void SetUp() override {
    const auto golden =
        ParseJsonFile(std::filesystem::path(BITPACT_SOURCE_DIR) / "tests" /
                      "models" / "tinyworld_golden.json");
    ASSERT_TRUE(golden) << golden.error().message;
    golden_ = *golden;
    auto model = Model::Load(kFolder);
    ASSERT_TRUE(model) << model.error().message;
    model_.emplace(std::move(*model));
    auto tokenizer = Tokenizer::Load(kFolder);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    auto tokens = ReadTokenSet(kFolder / "evaluation.txt",
                               *tokenizer,
                               model_->config().context,
                               {.max_predicted = 20000});
    ASSERT_TRUE(tokens) << tokens.error().message;
    tokens_ = std::move(*tokens);
  }

  Json golden_;
  std::optional<Model> model_;
  TokenSet tokens_;
};

TEST_F(Tinyworld, TokensAreTheReferences) {
  EXPECT_EQ(tokens_.windows.front().tokens,
            golden_["tokens"].get<std::vector<int>>());
  EXPECT_EQ(tokens_.predicted, golden_["predicted_tokens"]);
}

TEST_F(Tinyworld, LossOfEachTokenOfTheFirstDocumentIsTheReferences) {
  const std::vector<int>& tokens = tokens_.windows.front().tokens;
  const auto expected =
      golden_["negative_log_likelihoods"].get<std::vector<double>>();
  ASSERT_EQ(expected.size(), tokens.size() - 1);
  Transformer transformer(*model_);
  std::vector<float> hidden(
      expected.size() * static_cast<std::size_t>(model_->config().hidden_size));
  transformer.RunBlocks(std::span(tokens).first(expected.size()),
                        FullPrecisionWeights(*model_),
                        hidden);
  std::vector<double> nll(expected.size());
  transformer.NegativeLogLikelihood(hidden, tokens, nll);
  for (std::size_t t = 0; t < nll.size(); ++t) {
    // float32 through 8 blocks, in two orders of summation.
    EXPECT_NEAR(nll[t], expected[t], 1e-4) << "token " << t + 1;
  }
}

TEST_F(Tinyworld, MeanLossIsTheReferences) {
  const LossReport loss =
      EvaluateLoss(*model_, FullPrecisionWeights(*model_), tokens_);
  EXPECT_NEAR(loss.nll.mean, golden_["mean_nll"].get<double>(), 1e-5);
}

TEST_F(Tinyworld, CalibrationAndEvaluationTextShareNoDocument) {
  const auto tokenizer = Tokenizer::Load(kFolder);
  const auto read = [&](const char* file) {
    const auto tokens =
        ReadTokenSet(kFolder / file, *tokenizer, model_->config().context, {});
    std::set<std::vector<int>> windows;
    for (const TokenWindow& window : tokens->windows) {
      windows.insert(window.tokens);
    }
    return windows;
  };
  const auto calibration = read("calibration.txt");
  const auto evaluation = read("evaluation.txt");
  EXPECT_GT(calibration.size(), 500U);
  EXPECT_GT(evaluation.size(), 500U);
  for (const auto& window : evaluation) {
    EXPECT_FALSE(calibration.contains(window));
  }
}

}  // namespace
}  // namespace bitpact
