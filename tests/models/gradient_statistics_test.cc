// SPDX-License-Identifier: Apache-2.0
#include "models/gradient_statistics.h"

#include "core/threads.h"
#include "gtest/gtest.h"
#include "models/reverse_pass.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

// More windows than are held apart at once.
TokenSet ManyWindows() {
  TokenSet tokens;
  for (int w = 0; w < 35; ++w) {
    tokens.windows.push_back(
        {test::RandomTokens(5 + w % 4, 37, 50 + static_cast<unsigned>(w)), 1});
  }
  return tokens;
}

TEST(GradientStatistics, RowsAreMeanSquaresOfGradients) {
  const Model model = test::TinyModel({}).Load();
  const WeightSet weights = FullPrecisionWeights(model);
  const TokenSet tokens = ManyWindows();
  const auto measured = MeasureGradients(model, weights, tokens);
  ASSERT_TRUE(measured) << measured.error().message;
  std::vector<std::vector<double>> fisher(weights.size());
  std::vector<std::vector<double>> squares(weights.size());
  double predicted = 0.0;
  ReversePass reverse(model);
  for (const TokenWindow& window : tokens.windows) {
    predicted += static_cast<double>(window.predicted());
    reverse.Run(window, weights, [&](const LinearBackprop& linear) {
      auto& f = fisher[linear.place()];
      auto& s = squares[linear.place()];
      const auto rows = static_cast<std::size_t>(linear.rows);
      const auto cols = static_cast<std::size_t>(linear.cols);
      f.resize(rows);
      s.resize(rows);
      std::vector<float> gradient(rows * cols);
      WeightGradient(linear, gradient);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < cols; ++c) {
          const auto g = static_cast<double>(gradient[r * cols + c]);
          f[r] += g * g / static_cast<double>(cols);
        }
        for (std::size_t t = r; t < linear.dy.size(); t += rows) {
          const auto d = static_cast<double>(linear.dy[t]);
          s[r] += d * d;
        }
      }
    });
  }
  for (std::size_t place = 0; place < weights.size(); ++place) {
    const auto rows = static_cast<std::size_t>(weights[place].rows());
    ASSERT_EQ(measured->row_fisher[place].size(), rows);
    ASSERT_EQ(measured->row_gradient_squares[place].size(), rows);
    for (std::size_t r = 0; r < rows; ++r) {
      const double f = fisher[place][r] / predicted;
      const double s = squares[place][r] / predicted;
      EXPECT_GT(f, 0.0);
      EXPECT_NEAR(measured->row_fisher[place][r], f, 1e-9 * f);
      EXPECT_NEAR(measured->row_gradient_squares[place][r], s, 1e-9 * s);
    }
  }
}

TEST(GradientStatistics, DoNotDependOnTheNumberOfThreads) {
  const Model model = test::TinyModel({}).Load();
  const TokenSet tokens = ManyWindows();
  SetThreadCount(1);
  const auto one = MeasureGradients(model, FullPrecisionWeights(model), tokens);
  SetThreadCount(3);
  const auto three =
      MeasureGradients(model, FullPrecisionWeights(model), tokens);
  SetThreadCount(0);
  ASSERT_TRUE(one && three);
  EXPECT_EQ(one->row_fisher, three->row_fisher);
  EXPECT_EQ(one->row_gradient_squares, three->row_gradient_squares);
}

}  // namespace
}  // namespace bitpact
