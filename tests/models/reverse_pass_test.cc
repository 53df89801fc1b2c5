// SPDX-License-Identifier: Apache-2.0
#include "models/reverse_pass.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <string>

#include "core/threads.h"
#include "gtest/gtest.h"
#include "quant/quantizer.h"
#include "tests/models/reference_transformer.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::RandomTokens;
using test::TinyModel;
using test::TinyModelShape;

// Small enough to move every weight, with heads that share keys.
TinyModelShape SmallShape(const std::string& name) {
  TinyModelShape shape;
  shape.name = name;
  shape.hidden = 8;
  shape.intermediate = 12;
  shape.heads = 2;
  shape.kv_heads = 1;
  shape.head_dim = 4;
  shape.vocab = 11;
  return shape;
}

double ReferenceWindowLoss(const Model& model,
                           const std::vector<std::vector<float>>& linears,
                           const TokenWindow& window) {
  const auto vocab = static_cast<std::size_t>(model.config().vocab_size);
  const auto run = std::span(window.tokens).first(window.tokens.size() - 1);
  const std::vector<double> logits = test::ReferenceLogits(model, linears, run);
  double loss = 0.0;
  for (auto t = static_cast<std::size_t>(window.first_predicted);
       t < window.tokens.size();
       ++t) {
    loss += test::ReferenceLoss(
        std::span(logits).subspan((t - 1) * vocab, vocab), window.tokens[t]);
  }
  return loss;
}

// Central difference at two steps, extrapolated (Richardson): the error falls
// with the fourth power of the step, some 1e-8 of the gradient here. `weight`
// is in float32, so steps are what it really moved by.
template <typename Loss>
double Difference(float& weight, const Loss& loss) {
  const float before = weight;
  const auto slope = [&](float step) {
    weight = before + step;
    const double right = loss();
    const double length = static_cast<double>(weight);
    weight = before - step;
    const double left = loss();
    const double ratio =
        (right - left) / (length - static_cast<double>(weight));
    weight = before;
    return ratio;
  };
  const double wide = slope(0x1p-6F);
  return (4.0 * slope(0x1p-7F) - wide) / 3.0;
}

// float32 rounding of some ten steps a block whose longest sum has `terms`
// terms, forwards and backwards, relative to the largest gradient.
double Tolerance(const ModelConfig& config, double largest) {
  const double terms = std::max(config.hidden_size, config.intermediate_size);
  return 2.0 * 10.0 * config.num_layers * std::sqrt(terms) * largest *
         static_cast<double>(std::numeric_limits<float>::epsilon());
}

double Largest(std::span<const float> values) {
  double most = 0.0;
  for (const float value : values) {
    most = std::max(most, std::abs(static_cast<double>(value)));
  }
  return most;
}

struct ReverseCase {
  TinyModelShape shape;
  int tokens = 9;
  int first_predicted = 1;
};

void PrintTo(const ReverseCase& c, std::ostream* out) { *out << c.shape.name; }

class ReversePassShapes : public testing::TestWithParam<ReverseCase> {};

TEST_P(ReversePassShapes, EveryWeightsGradientIsTheCentralDifference) {
  const Model model = TinyModel(GetParam().shape).Load();
  const TokenWindow window{
      RandomTokens(GetParam().tokens, model.config().vocab_size, 3),
      GetParam().first_predicted};
  auto linears = test::DenseLinears(model);
  ReversePass reverse(model);
  const auto gradients =
      reverse.WeightGradients(window, FullPrecisionWeights(model));
  EXPECT_NEAR(reverse.Run(window, FullPrecisionWeights(model), nullptr),
              ReferenceWindowLoss(model, linears, window),
              1e-4);
  ASSERT_EQ(gradients.size(), linears.size());
  for (std::size_t place = 0; place < linears.size(); ++place) {
    ASSERT_EQ(gradients[place].size(), linears[place].size());
    // One position has nothing to choose from: q and k do not matter.
    const bool matters = window.tokens.size() > 2 || place % 7 > 1;
    EXPECT_EQ(Largest(gradients[place]) > 0.0, matters) << place;
    const double tolerance =
        1e-12 + Tolerance(model.config(), Largest(gradients[place]));
    for (std::size_t i = 0; i < linears[place].size(); ++i) {
      const double expected = Difference(linears[place][i], [&] {
        return ReferenceWindowLoss(model, linears, window);
      });
      ASSERT_NEAR(static_cast<double>(gradients[place][i]), expected, tolerance)
          << "weight " << i << " of place " << place;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    ReversePassShapes,
    testing::Values(ReverseCase{SmallShape("SharedKeys")},
                    ReverseCase{[] {
                      TinyModelShape shape = SmallShape("Tied");
                      shape.tied = true;
                      return shape;
                    }()},
                    ReverseCase{[] {
                                  TinyModelShape shape =
                                      SmallShape("PredictsTheTailOnly");
                                  shape.heads = 4;
                                  shape.kv_heads = 2;
                                  shape.head_dim = 2;
                                  return shape;
                                }(),
                                12,
                                6},
                    ReverseCase{[] {
                      TinyModelShape shape = SmallShape("HeadsWiderThanHidden");
                      shape.layers = 3;
                      shape.head_dim = 6;
                      shape.kv_heads = 2;
                      return shape;
                    }()},
                    ReverseCase{SmallShape("OneToken"), 2}),
    [](const auto& one) { return one.param.shape.name; });

// More positions than the attention's tile and than the head's rows at once.
TEST(ReversePass, LongWindowsGoThroughSeveralTiles) {
  TinyModelShape shape = SmallShape("Long");
  shape.context = 256;
  const Model model = TinyModel(shape).Load();
  const TokenWindow window{RandomTokens(150, 11, 7), 1};
  auto linears = test::DenseLinears(model);
  const auto gradients =
      ReversePass(model).WeightGradients(window, FullPrecisionWeights(model));
  for (std::size_t place = 0; place < linears.size(); ++place) {
    const double tolerance =
        Tolerance(model.config(), Largest(gradients[place]));
    for (std::size_t i = place; i < linears[place].size(); i += 29) {
      const double expected = Difference(linears[place][i], [&] {
        return ReferenceWindowLoss(model, linears, window);
      });
      ASSERT_NEAR(static_cast<double>(gradients[place][i]), expected, tolerance)
          << "weight " << i << " of place " << place;
    }
  }
}

// The embedding stands before every norm: its gradient has gone through all of
// them and both residual sums of each block.
TEST(ReversePass, GradientOfTheEmbeddingIsTheCentralDifference) {
  const TinyModelShape shape = SmallShape("Embedding");
  TinyModel files(shape);
  const Model model = files.Load();
  // Different tokens, so that a row of the embedding is one position.
  const TokenWindow window{{1, 4, 2, 9, 7, 3}, 1};
  ReversePass reverse(model);
  reverse.Run(window, FullPrecisionWeights(model), nullptr);
  const auto gradient = reverse.embedded_gradient();
  ASSERT_EQ(gradient.size(), 5U * 8U);
  const double tolerance = Tolerance(model.config(), Largest(gradient));
  std::vector<float> table(model.embedding().begin(), model.embedding().end());
  auto& tensor = files.tensors.at("model.embed_tokens.weight");
  for (std::size_t t = 0; t < 5; t += 2) {
    for (std::size_t i = t / 2; i < 8; i += 3) {
      float& weight = table[static_cast<std::size_t>(window.tokens[t]) * 8 + i];
      const double expected = Difference(weight, [&] {
        tensor.bytes = test::Narrow(TensorType::kF32, table);
        files.Write();
        const Model moved = files.Load();
        return ReferenceWindowLoss(moved, test::DenseLinears(moved), window);
      });
      ASSERT_NEAR(static_cast<double>(gradient[t * 8 + i]), expected, tolerance)
          << "position " << t << ", entry " << i;
    }
  }
}

TEST(ReversePass, PackedWeightsGiveTheGradientsOfDequantizedOnes) {
  TinyModelShape shape;
  shape.intermediate = 300;  // more rows than a strip
  const Model model = TinyModel(shape).Load();
  const TokenWindow window{RandomTokens(20, 37, 5), 1};
  const auto quantizer = *MakeQuantizer("quanto");
  WeightSet packed_weights = FullPrecisionWeights(model);
  WeightSet dense_weights = packed_weights;
  std::vector<PackedMatrix> packed(packed_weights.size());
  std::vector<std::vector<float>> dense(packed.size());
  for (std::size_t i = 0; i < packed.size(); ++i) {
    const LinearWeight weight = dense_weights[i];
    auto made = quantizer->Quantize(
        {weight.dense(), weight.rows(), weight.cols()}, {}, {.bits = 3});
    ASSERT_TRUE(made) << made.error().message;
    packed[i] = std::move(*made);
    dense[i].resize(weight.dense().size());
    packed[i].Dequantize(0, packed[i].rows(), dense[i]);
    packed_weights[i] = LinearWeight(&packed[i]);
    dense_weights[i] = LinearWeight(dense[i], weight.rows(), weight.cols());
  }
  ReversePass reverse(model);
  const auto from_packed = reverse.WeightGradients(window, packed_weights);
  const auto from_dense = reverse.WeightGradients(window, dense_weights);
  for (std::size_t place = 0; place < packed.size(); ++place) {
    const double tolerance =
        Tolerance(model.config(), Largest(from_dense[place]));
    for (std::size_t i = 0; i < from_dense[place].size(); ++i) {
      ASSERT_NEAR(static_cast<double>(from_packed[place][i]),
                  static_cast<double>(from_dense[place][i]),
                  tolerance);
    }
  }
}

TEST(ReversePass, SumsByWindowDoNotDependOnTheNumberOfThreads) {
  const Model model = TinyModel({}).Load();
  TokenSet tokens;
  for (int w = 0; w < 7; ++w) {
    tokens.windows.push_back(
        {RandomTokens(6 + 5 * w, 37, 20 + static_cast<unsigned>(w)), 1});
  }
  const auto measure = [&](int threads) {
    SetThreadCount(threads);
    std::vector<std::vector<double>> sums(
        tokens.windows.size(), std::vector<double>(2 * kLinearsPerBlock));
    const auto losses = BackpropagateWindows(
        model,
        FullPrecisionWeights(model),
        tokens,
        [&](const WindowBackprop& seen) {
          EXPECT_LT(seen.worker, threads);
          double& sum = sums[seen.window][seen.linear->place()];
          for (const float value : seen.linear->dy) {
            sum += static_cast<double>(value) * static_cast<double>(value);
          }
        });
    SetThreadCount(0);
    EXPECT_TRUE(losses);
    sums.push_back(*losses);
    return sums;
  };
  const auto one = measure(1);
  EXPECT_EQ(one, measure(3));
  for (const auto& window : one) {
    for (const double sum : window) EXPECT_GT(sum, 0.0);
  }
}

TEST(ReversePass, ALossThatIsNotFiniteNamesTheWindow) {
  const Model model = TinyModel({}).Load();
  WeightSet weights = FullPrecisionWeights(model);
  std::vector<float> broken(weights[0].dense().begin(),
                            weights[0].dense().end());
  broken[5] = std::numeric_limits<float>::quiet_NaN();
  weights[0] = LinearWeight(broken, weights[0].rows(), weights[0].cols());
  TokenSet tokens;
  tokens.windows = {{{1, 2, 3}, 1}, {{1, 4, 5}, 1}};
  const auto losses = BackpropagateWindows(
      model, weights, tokens, [](const WindowBackprop&) {});
  ASSERT_FALSE(losses);
  EXPECT_EQ(losses.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(losses.error().message,
            "calibration window 0: the loss is nan; gradients need a finite "
            "one");
}

TEST(BlockReverse, ForwardHasTheBitsOfTheTransformer) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  for (const int count : {1, 7, 64}) {
    const std::vector<int> tokens = RandomTokens(count, 37, 2);
    std::vector<float> hidden(static_cast<std::size_t>(count) * 24);
    Transformer transformer(model);
    transformer.Embed(tokens, hidden);
    std::vector<float> same = hidden;
    const auto block = std::span(weights).subspan(kLinearsPerBlock);
    transformer.RunBlock(1, block, hidden);
    BlockReverse(model).Forward(1, block, same);
    EXPECT_EQ(
        0,
        std::memcmp(hidden.data(), same.data(), hidden.size() * sizeof(float)))
        << count;
  }
}

// The loss is the squared distance from a target, as in block reconstruction.
// Differences are taken in float32 along a direction, hence the tolerance.
TEST(BlockReverse, ABlockByItselfDescendsItsOwnLoss) {
  const Model model = TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const auto block = std::span(weights).first(kLinearsPerBlock);
  const std::vector<int> tokens = RandomTokens(10, 37, 8);
  std::vector<float> entering(tokens.size() * 24);
  Transformer(model).Embed(tokens, entering);
  const std::vector<float> target(entering.rbegin(), entering.rend());
  std::vector<float> leaving = entering;
  BlockReverse reverse(model);
  reverse.Forward(0, block, leaving);
  std::vector<float> gradient(leaving.size());
  for (std::size_t i = 0; i < leaving.size(); ++i) {
    gradient[i] = 2.0F * (leaving[i] - target[i]);
  }
  std::vector<float> down;
  std::vector<LinearKind> order;
  reverse.Backward(block, gradient, [&](const LinearBackprop& linear) {
    order.push_back(linear.kind);
    EXPECT_EQ(linear.layer, 0);
    if (linear.kind != LinearKind::kDown) return;
    down.resize(static_cast<std::size_t>(linear.rows * linear.cols));
    WeightGradient(linear, down);
  });
  using enum LinearKind;
  EXPECT_EQ(order,
            (std::vector<LinearKind>{kDown, kUp, kGate, kO, kV, kK, kQ}));
  const auto loss = [&](std::vector<float> hidden,
                        std::span<const LinearWeight> weights_used) {
    Transformer(model).RunBlock(0, weights_used, hidden);
    double sum = 0.0;
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      const double off =
          static_cast<double>(hidden[i]) - static_cast<double>(target[i]);
      sum += off * off;
    }
    return sum;
  };
  double squares = 0.0;
  for (const float value : gradient) {
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const double length = std::sqrt(squares);
  constexpr double kStep = 1e-2;
  std::vector<float> right = entering;
  std::vector<float> left = entering;
  for (std::size_t i = 0; i < entering.size(); ++i) {
    const auto move =
        static_cast<float>(kStep * static_cast<double>(gradient[i]) / length);
    right[i] += move;
    left[i] -= move;
  }
  const double slope = (loss(right, block) - loss(left, block)) / (2.0 * kStep);
  EXPECT_NEAR(slope, length, 1e-3 * length);
  // The loss is quadratic in down: its difference is exact for any step.
  std::vector<float> moved(block[6].dense().begin(), block[6].dense().end());
  std::vector<LinearWeight> other(block.begin(), block.end());
  other[6] = LinearWeight(moved, 24, 40);
  const auto loss_of_down = [&](float value) {
    moved[45] = value;
    return loss(entering, other);
  };
  const float before = moved[45];
  const double down_slope =
      (loss_of_down(before + 0.5F) - loss_of_down(before - 0.5F)) /
      (static_cast<double>(before + 0.5F) - static_cast<double>(before - 0.5F));
  EXPECT_NEAR(static_cast<double>(down[45]), down_slope, 1e-4 * Largest(down));
}

}  // namespace
}  // namespace bitpact
