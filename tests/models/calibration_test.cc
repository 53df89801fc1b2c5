// SPDX-License-Identifier: Apache-2.0
#include "models/calibration.h"

#include <cmath>
#include <limits>

#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/quantized_model.h"
#include "tests/models/saved_model.h"

namespace bitpact {
namespace {

using test::SomeTokens;
using test::TinyModel;
using testing::HasSubstr;

std::span<const LinearWeight> BlockOf(const WeightSet& weights, int layer) {
  return std::span(weights).subspan(
      static_cast<std::size_t>(layer) * kLinearsPerBlock, kLinearsPerBlock);
}

// The Hessian of the inputs that a listener sees in a plain forward pass.
std::vector<double> HessianOf(const Model& model,
                              const WeightSet& weights,
                              int layer,
                              LinearKind kind) {
  const TokenSet tokens = SomeTokens();
  const auto cols =
      static_cast<std::size_t>(model.linear_matrix(layer, kind).cols);
  std::vector<double> sum(cols * cols);
  double count = 0.0;
  Transformer transformer(model);
  for (const TokenWindow& window : tokens.windows) {
    const auto run = std::span(window.tokens).first(window.tokens.size() - 1);
    std::vector<float> hidden(
        run.size() * static_cast<std::size_t>(model.config().hidden_size));
    transformer.Embed(run, hidden);
    for (int i = 0; i <= layer; ++i) {
      transformer.RunBlock(
          i,
          BlockOf(weights, i),
          hidden,
          [&](LinearKind seen, std::span<const float> x) {
            if (i < layer || seen != kind) return true;
            for (std::size_t at = 0; at < x.size(); at += cols) {
              for (std::size_t a = 0; a < cols; ++a) {
                for (std::size_t b = 0; b < cols; ++b) {
                  sum[a * cols + b] +=
                      static_cast<double>(x[at + a]) * x[at + b];
                }
              }
            }
            return true;
          });
    }
    count += static_cast<double>(run.size());
  }
  for (double& entry : sum) entry *= 2.0 / count;
  return sum;
}

TEST(Calibration, SumsTheInputsOfEveryStageOfEveryBlock) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const TokenSet tokens = SomeTokens();
  Calibration calibration(model, tokens);
  for (int layer = 0; layer < model.config().num_layers; ++layer) {
    for (const LinearStage& stage : LinearStages()) {
      const auto hessian =
          calibration.StageHessian(BlockOf(weights, layer), stage);
      ASSERT_TRUE(hessian) << hessian.error().message;
      const auto exact = HessianOf(model, weights, layer, stage.input);
      double norm = 0.0;
      for (const double entry : exact) norm = std::max(norm, std::abs(entry));
      for (std::size_t i = 0; i < exact.size(); ++i) {
        ASSERT_NEAR((*hessian)[i], exact[i], 1e-5 * norm) << layer;
      }
    }
    calibration.Advance(BlockOf(weights, layer));
  }
}

TEST(Calibration, DoesNotDependOnThreads) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const TokenSet tokens = SomeTokens();
  const auto with = [&](int threads) {
    SetThreadCount(threads);
    Calibration calibration(model, tokens);
    calibration.Advance(BlockOf(weights, 0));
    auto hessian =
        calibration.StageHessian(BlockOf(weights, 1), LinearStages()[3]);
    SetThreadCount(0);
    return *hessian;
  };
  EXPECT_EQ(with(1), with(3));
}

TEST(Calibration, NamesTheActivationThatIsNotFinite) {
  const TinyModel tiny({});
  const Model model = tiny.Load();
  WeightSet weights = FullPrecisionWeights(model);
  // A value so large that what reaches o overflows.
  const UnitMatrix v = model.linear_matrix(0, LinearKind::kV);
  const std::vector<float> huge(static_cast<std::size_t>(v.rows * v.cols),
                                std::numeric_limits<float>::max());
  weights[2] = LinearWeight(huge, v.rows, v.cols);
  const TokenSet tokens = SomeTokens();
  Calibration calibration(model, tokens);
  const auto hessian =
      calibration.StageHessian(BlockOf(weights, 0), LinearStages()[1]);
  ASSERT_FALSE(hessian);
  EXPECT_EQ(hessian.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(hessian.error().message,
              testing::AllOf(HasSubstr("model.layers.0.self_attn.o_proj"),
                             HasSubstr("window 0, token 0, column")));
}

}  // namespace
}  // namespace bitpact
