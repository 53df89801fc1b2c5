// SPDX-License-Identifier: Apache-2.0
#include "models/perplexity.h"

#include <cmath>

#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/models/reference_transformer.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::RandomTokens;
using test::TinyModel;

TokenSet RandomSet(int windows, int vocab) {
  TokenSet set;
  for (int w = 0; w < windows; ++w) {
    TokenWindow window;
    window.tokens = RandomTokens(
        3 + w * 7 % 50, vocab, static_cast<std::uint64_t>(w) + 100);
    window.first_predicted = w % 3 == 0 ? 2 : 1;
    set.predicted += window.predicted();
    set.windows.push_back(window);
  }
  return set;
}

// The same model with some linear weights changed.
WeightSet Disturbed(const Model& model, std::vector<float>& storage) {
  WeightSet weights = FullPrecisionWeights(model);
  const auto dense = weights[3].dense();
  storage.assign(dense.begin(), dense.end());
  for (std::size_t i = 0; i < storage.size(); i += 3) storage[i] *= 1.5F;
  weights[3] = LinearWeight(storage, weights[3].rows(), weights[3].cols());
  return weights;
}

TEST(EstimateRatio, EqualsAHandCalculation) {
  // mean = 21 / 6; residuals 4 - 3.5, 5 - 7, 12 - 10.5: squares 0.25, 4, 2.25;
  // se = sqrt(3 / 2 * 6.5) / 6.
  const RatioEstimate estimate = EstimateRatio(
      std::vector<double>{4.0, 5.0, 12.0}, std::vector<double>{1.0, 2.0, 3.0});
  EXPECT_DOUBLE_EQ(estimate.mean, 3.5);
  EXPECT_DOUBLE_EQ(estimate.standard_error, std::sqrt(9.75) / 6.0);
}

TEST(EstimateRatio, EqualWeightsGiveTheUsualStandardError) {
  // Four draws of mean 2.5 and variance 5/3: se = sqrt(5/3 / 4).
  const RatioEstimate estimate = EstimateRatio(
      std::vector<double>{1.0, 2.0, 3.0, 4.0}, std::vector<double>(4, 1.0));
  EXPECT_DOUBLE_EQ(estimate.mean, 2.5);
  EXPECT_DOUBLE_EQ(estimate.standard_error, std::sqrt(5.0 / 12.0));
}

TEST(EstimateRatio, OneDrawHasNoStandardError) {
  const RatioEstimate estimate =
      EstimateRatio(std::vector<double>{6.0}, std::vector<double>{4.0});
  EXPECT_DOUBLE_EQ(estimate.mean, 1.5);
  EXPECT_EQ(estimate.standard_error, 0.0);
}

TEST(EvaluateLoss, EqualsThePlainReference) {
  const Model model = TinyModel({}).Load();
  const TokenSet set = RandomSet(6, 37);
  const LossReport report =
      EvaluateLoss(model, FullPrecisionWeights(model), set);
  const auto linears = test::DenseLinears(model);
  double all = 0.0;
  for (std::size_t w = 0; w < set.windows.size(); ++w) {
    const TokenWindow& window = set.windows[w];
    const auto logits = test::ReferenceLogits(model, linears, window.tokens);
    double sum = 0.0;
    for (std::size_t t = static_cast<std::size_t>(window.first_predicted);
         t < window.tokens.size();
         ++t) {
      sum += test::ReferenceLoss(std::span(logits).subspan((t - 1) * 37, 37),
                                 window.tokens[t]);
    }
    // Some 50 tokens with logits' errors of about 1e-5 each.
    EXPECT_NEAR(report.window_nll[w], sum, 5e-4);
    all += sum;
  }
  EXPECT_EQ(report.windows, 6);
  EXPECT_EQ(report.predicted_tokens, set.predicted);
  const double mean = all / static_cast<double>(set.predicted);
  EXPECT_NEAR(report.nll.mean, mean, 1e-5);
  EXPECT_NEAR(report.perplexity.mean, std::exp(mean), 1e-3);
  EXPECT_EQ(report.perplexity.standard_error,
            report.perplexity.mean * report.nll.standard_error);
  EXPECT_EQ(report.kl.mean, 0.0);
}

TEST(EvaluateLoss, HasTheSameBitsForAnyNumberOfThreads) {
  const Model model = TinyModel({}).Load();
  const TokenSet set = RandomSet(17, 37);
  std::vector<float> storage;
  const WeightSet weights = Disturbed(model, storage);
  const WeightSet reference = FullPrecisionWeights(model);
  SetThreadCount(1);
  const LossReport one = EvaluateLoss(model, weights, set, &reference);
  for (const int threads : {2, 3}) {
    SetThreadCount(threads);
    const LossReport many = EvaluateLoss(model, weights, set, &reference);
    EXPECT_EQ(many.window_nll, one.window_nll);
    EXPECT_EQ(many.window_kl, one.window_kl);
    EXPECT_EQ(many.nll.mean, one.nll.mean);
    EXPECT_EQ(many.kl.standard_error, one.kl.standard_error);
  }
  SetThreadCount(0);
}

TEST(EvaluateLoss, KlIsZeroToItselfAndPositiveToAnother) {
  const Model model = TinyModel({}).Load();
  const TokenSet set = RandomSet(5, 37);
  const WeightSet reference = FullPrecisionWeights(model);
  const LossReport same = EvaluateLoss(model, reference, set, &reference);
  EXPECT_EQ(same.kl.mean, 0.0);
  EXPECT_EQ(same.kl.standard_error, 0.0);
  std::vector<float> storage;
  const LossReport other =
      EvaluateLoss(model, Disturbed(model, storage), set, &reference);
  for (const double kl : other.window_kl) EXPECT_GT(kl, 0.0);
  EXPECT_GT(other.kl.mean, 0.0);
}

TEST(EvaluateLoss, ReferenceDoesNotChangeTheLoss) {
  const Model model = TinyModel({}).Load();
  const TokenSet set = RandomSet(5, 37);
  std::vector<float> storage;
  const WeightSet weights = Disturbed(model, storage);
  const WeightSet reference = FullPrecisionWeights(model);
  EXPECT_EQ(EvaluateLoss(model, weights, set).window_nll,
            EvaluateLoss(model, weights, set, &reference).window_nll);
}

}  // namespace
}  // namespace bitpact
