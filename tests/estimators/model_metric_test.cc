// SPDX-License-Identifier: Apache-2.0
// Metrics that look inside the model against their formulas, written out.

#include "estimators/model_metric.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "estimators/block_profile.h"
#include "estimators/hawq.h"
#include "gtest/gtest.h"
#include "models/perplexity.h"
#include "models/reverse_pass.h"
#include "tests/estimators/tiny_evidence.h"

namespace bitpact {
namespace {

using test::TinyEvidence;

class ModelMetric : public testing::Test {
 protected:
  Surrogate Run(const std::string& name) const {
    const auto made = MakeEstimator(name);
    EXPECT_TRUE(made) << made.error().message;
    const auto estimate = (*made)->Run(tiny_.Input(), {});
    EXPECT_TRUE(estimate) << estimate.error().message;
    return estimate->surrogate;
  }
  // With matrices as units, unit u is place u.
  [[nodiscard]] std::vector<float> Error(std::size_t unit,
                                         std::size_t option) const {
    const UnitMatrix& matrix = tiny_.units()[unit].matrices[0];
    const auto exact =
        tiny_.model().linear(static_cast<int>(unit) / kLinearsPerBlock,
                             static_cast<LinearKind>(unit % kLinearsPerBlock));
    const auto packed = tiny_.evidence().quantizer->Quantize(
        {exact, matrix.rows, matrix.cols},
        {},
        FormatFor(tiny_.formats()[option], matrix.cols));
    EXPECT_TRUE(packed);
    std::vector<float> error(exact.size());
    packed->DequantizeReference(0, matrix.rows, error);
    for (std::size_t i = 0; i < error.size(); ++i) error[i] -= exact[i];
    return error;
  }
  // cost(unit, option), the cost of option 0 taken off, for every unit.
  template <typename Cost>
  void ExpectCosts(const Surrogate& surrogate,
                   const Cost& cost,
                   double relative) const {
    for (std::size_t u = 0; u < tiny_.units().size(); ++u) {
      const double reference = cost(u, 0);
      for (std::size_t o = 1; o < 3; ++o) {
        const double expected = cost(u, o) - reference;
        EXPECT_NEAR(surrogate.linear[u][o],
                    expected,
                    relative * (std::abs(expected) + std::abs(reference)))
            << "unit " << u << ", option " << o;
      }
    }
  }
  // [window][place]
  [[nodiscard]] std::vector<std::vector<std::vector<float>>> Gradients() const {
    std::vector<std::vector<std::vector<float>>> gradients;
    ReversePass reverse(tiny_.model());
    for (const TokenWindow& window : tiny_.tokens().windows) {
      gradients.push_back(
          reverse.WeightGradients(window, FullPrecisionWeights(tiny_.model())));
    }
    return gradients;
  }

  TinyEvidence tiny_;
  double predicted_ = static_cast<double>(tiny_.tokens().predicted);
};

TEST_F(ModelMetric, LlmMqIsTheSizeOfTheFirstOrderChange) {
  const auto gradients = Gradients();
  ExpectCosts(
      Run("llm-mq"),
      [&](std::size_t unit, std::size_t option) {
        const std::vector<float> error = Error(unit, option);
        double sum = 0.0;
        for (const auto& window : gradients) {
          for (std::size_t i = 0; i < error.size(); ++i) {
            sum += static_cast<double>(window[unit][i]) *
                   static_cast<double>(error[i]);
          }
        }
        return std::abs(sum) / predicted_;
      },
      1e-9);
}

// The same number from losses alone: the slope along the error.
TEST_F(ModelMetric, LlmMqIsTheSlopeOfTheLossAlongTheError) {
  const Surrogate surrogate = Run("llm-mq");
  for (const std::size_t unit : {0U, 5U, 13U}) {
    const auto loss = [&](std::size_t option, float share) {
      const LinearWeight exact = FullPrecisionWeights(tiny_.model())[unit];
      std::vector<float> moved = Error(unit, option);
      for (std::size_t i = 0; i < moved.size(); ++i) {
        moved[i] = exact.dense()[i] + share * moved[i];
      }
      WeightSet weights = FullPrecisionWeights(tiny_.model());
      weights[unit] = LinearWeight(moved, exact.rows(), exact.cols());
      return EvaluateLoss(tiny_.model(), weights, tiny_.tokens()).nll.mean;
    };
    const auto slope = [&](std::size_t option) {
      return std::abs(loss(option, 0.05F) - loss(option, -0.05F)) / 0.1;
    };
    EXPECT_NEAR(
        surrogate.linear[unit][2], slope(2) - slope(0), 0.02 * slope(2) + 1e-5)
        << unit;
  }
}

TEST_F(ModelMetric, FisherIsHalfTheSquaredGradientTimesTheSquaredError) {
  const auto gradients = Gradients();
  ExpectCosts(
      Run("fisher"),
      [&](std::size_t unit, std::size_t option) {
        const std::vector<float> error = Error(unit, option);
        double sum = 0.0;
        for (const auto& window : gradients) {
          for (std::size_t i = 0; i < error.size(); ++i) {
            sum += std::pow(static_cast<double>(window[unit][i]) *
                                static_cast<double>(error[i]),
                            2);
          }
        }
        return 0.5 * sum / predicted_;
      },
      1e-9);
}

TEST_F(ModelMetric, StandardErrorsAreThoseOfARatioOverWindows) {
  const auto gradients = Gradients();
  const Surrogate surrogate = Run("fisher");
  std::vector<double> sums;
  std::vector<double> tokens;
  for (std::size_t w = 0; w < gradients.size(); ++w) {
    double sum = 0.0;
    for (const std::size_t option : {2U, 0U}) {
      const std::vector<float> error = Error(3, option);
      for (std::size_t i = 0; i < error.size(); ++i) {
        sum += (option == 2 ? 0.5 : -0.5) *
               std::pow(static_cast<double>(gradients[w][3][i]) *
                            static_cast<double>(error[i]),
                        2);
      }
    }
    sums.push_back(sum);
    tokens.push_back(
        static_cast<double>(tiny_.tokens().windows[w].predicted()));
  }
  const double expected = EstimateRatio(sums, tokens).standard_error;
  EXPECT_NEAR(surrogate.linear_standard_error[3][2], expected, 1e-9 * expected);
}

// Inputs and output gradients of one place, over all windows.
struct Seen {
  std::vector<double> row_squares;
  std::vector<std::vector<float>> inputs;
};

TEST_F(ModelMetric, ErrorEnergiesAreThoseOfTheOutputs) {
  std::vector<Seen> seen(tiny_.units().size());
  ReversePass reverse(tiny_.model());
  for (const TokenWindow& window : tiny_.tokens().windows) {
    reverse.Run(window,
                FullPrecisionWeights(tiny_.model()),
                [&](const LinearBackprop& linear) {
                  Seen& place = seen[linear.place()];
                  const auto rows = static_cast<std::size_t>(linear.rows);
                  const auto cols = static_cast<std::size_t>(linear.cols);
                  place.row_squares.resize(rows);
                  for (std::size_t i = 0; i < linear.dy.size(); ++i) {
                    place.row_squares[i % rows] +=
                        std::pow(static_cast<double>(linear.dy[i]), 2);
                  }
                  for (std::size_t t = 0; t < linear.x.size(); t += cols) {
                    const auto x = linear.x.subspan(t, cols);
                    place.inputs.emplace_back(x.begin(), x.end());
                  }
                });
  }
  // Mean over tokens of the squared error of an output.
  const auto energy =
      [&](const std::vector<float>& error, std::size_t unit, std::size_t row) {
        double sum = 0.0;
        for (const std::vector<float>& x : seen[unit].inputs) {
          double off = 0.0;
          for (std::size_t i = 0; i < x.size(); ++i) {
            off += static_cast<double>(error[row * x.size() + i]) *
                   static_cast<double>(x[i]);
          }
          sum += off * off;
        }
        return sum / static_cast<double>(seen[unit].inputs.size());
      };
  const auto weighed = [&](std::size_t unit, std::size_t option, bool loss) {
    const std::vector<float> error = Error(unit, option);
    double sum = 0.0;
    for (std::size_t r = 0; r < seen[unit].row_squares.size(); ++r) {
      sum += energy(error, unit, r) *
             (loss ? 0.5 * seen[unit].row_squares[r] / predicted_ : 1.0);
    }
    return sum;
  };
  ExpectCosts(
      Run("hessian-error"),
      [&](std::size_t u, std::size_t o) { return weighed(u, o, false); },
      1e-4);
  ExpectCosts(
      Run("gradient-error"),
      [&](std::size_t u, std::size_t o) { return weighed(u, o, true); },
      1e-4);
}

TEST_F(ModelMetric, WeightMseIsTheSquaredErrorOfTheWeights) {
  ExpectCosts(
      Run("weight-mse"),
      [&](std::size_t unit, std::size_t option) {
        const std::vector<float> error = Error(unit, option);
        return std::inner_product(
            error.begin(), error.end(), error.begin(), 0.0);
      },
      1e-5);
}

// The trace of the Gauss-Newton matrix is the expectation, over tokens drawn
// from the model's own distribution, of the squared gradient of their nll:
// here it is summed over the whole vocabulary, a reverse pass for each token
// and word. Hutchinson's estimates scatter around it.
TEST_F(ModelMetric, HawqTracesScatterAroundTheExactOnes) {
  TokenSet tokens;
  tokens.windows = {{{1, 5, 9, 20, 3}, 2}};
  const WeightSet weights = FullPrecisionWeights(tiny_.model());
  std::vector<double> exact(weights.size());
  ReversePass reverse(tiny_.model());
  for (std::size_t token = 2; token < 5; ++token) {
    for (std::size_t word = 0; word < 37; ++word) {
      double probability = 0.0;
      reverse.Run(
          tokens.windows[0],
          weights,
          [&](const LinearBackprop& linear) {
            std::vector<float> gradient(
                static_cast<std::size_t>(linear.rows * linear.cols));
            WeightGradient(linear, gradient);
            for (const float g : gradient) {
              exact[linear.place()] +=
                  probability * std::pow(static_cast<double>(g), 2);
            }
          },
          [&](std::size_t at, std::span<float> logits) {
            double sum = 0.0;
            for (float& logit : logits) sum += std::exp(logit);
            for (float& logit : logits) {
              logit = static_cast<float>(std::exp(logit) / sum);
            }
            if (at != token) {
              std::ranges::fill(logits, 0.0F);
              return 0.0;
            }
            probability = static_cast<double>(logits[word]);
            logits[word] -= 1.0F;
            return 0.0;
          });
    }
  }
  constexpr int kProbes = 200;
  std::vector<double> mean(weights.size());
  std::vector<double> square(weights.size());
  for (int seed = 0; seed < kProbes; ++seed) {
    const auto traces = GaussNewtonTraces(
        tiny_.model(), tokens, static_cast<std::uint64_t>(seed));
    ASSERT_TRUE(traces);
    for (std::size_t place = 0; place < weights.size(); ++place) {
      mean[place] += (*traces)[place][0] / kProbes;
      square[place] += std::pow((*traces)[place][0], 2) / kProbes;
    }
  }
  for (std::size_t place = 0; place < weights.size(); ++place) {
    const double error =
        std::sqrt((square[place] - mean[place] * mean[place]) / kProbes);
    EXPECT_NEAR(mean[place], exact[place], 4.5 * error) << place;
    EXPECT_LT(error, 0.2 * exact[place]) << place;
  }
}

TEST_F(ModelMetric, HawqIsTheMeanTraceTimesTheSquaredError) {
  const auto traces =
      GaussNewtonTraces(tiny_.model(), tiny_.tokens(), EstimateOptions{}.seed);
  ASSERT_TRUE(traces);
  ExpectCosts(
      Run("hawq"),
      [&](std::size_t unit, std::size_t option) {
        const std::vector<float> error = Error(unit, option);
        const auto& windows = (*traces)[unit];
        return 0.5 * std::accumulate(windows.begin(), windows.end(), 0.0) /
               predicted_ / static_cast<double>(error.size()) *
               std::inner_product(
                   error.begin(), error.end(), error.begin(), 0.0);
      },
      1e-5);
}

TEST_F(ModelMetric, ImportancesOrderUnitsPerByte) {
  const std::vector<double> importance(tiny_.units().size(), 2.0);
  const UnitCosts costs = CostsFromImportance(tiny_.evidence(), importance);
  double total = 0.0;
  for (std::size_t u = 0; u < costs.size(); ++u) {
    const Unit& unit = tiny_.units()[u];
    const auto most =
        static_cast<double>(StoredBytes(tiny_.formats()[0], unit));
    total += most;
    for (std::size_t o = 1; o < 3; ++o) {
      const double saved =
          most - static_cast<double>(StoredBytes(tiny_.formats()[o], unit));
      EXPECT_NEAR(
          costs[u][o] / saved,
          costs[0][1] / static_cast<double>(
                            StoredBytes(tiny_.formats()[0], tiny_.units()[0]) -
                            StoredBytes(tiny_.formats()[1], tiny_.units()[0])),
          1e-12);
      EXPECT_GT(saved, 0.0);
    }
  }
  EXPECT_GT(total, 0.0);
}

// Cosine of two token vectors.
double Cosine(std::span<const float> a, std::span<const float> b) {
  double product = 0.0;
  double left = 0.0;
  double right = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    product += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    left += std::pow(static_cast<double>(a[i]), 2);
    right += std::pow(static_cast<double>(b[i]), 2);
  }
  return product / std::sqrt(left * right);
}

TEST_F(ModelMetric, LimAndActivationAreThoseOfTheHiddenStates) {
  std::vector<double> modification(2);
  std::vector<double> square(2);
  double positions = 0.0;
  Transformer transformer(tiny_.model());
  const WeightSet weights = FullPrecisionWeights(tiny_.model());
  for (const TokenWindow& window : tiny_.tokens().windows) {
    const auto run = std::span(window.tokens).first(window.tokens.size() - 1);
    std::vector<float> hidden(run.size() * 24);
    transformer.Embed(run, hidden);
    for (std::size_t layer = 0; layer < 2; ++layer) {
      const std::vector<float> before = hidden;
      transformer.RunBlock(static_cast<int>(layer),
                           std::span(weights).subspan(7 * layer, 7),
                           hidden);
      for (std::size_t t = 0; t < hidden.size(); t += 24) {
        modification[layer] += 1.0 - Cosine(std::span(before).subspan(t, 24),
                                            std::span(hidden).subspan(t, 24));
      }
      for (const float h : hidden) {
        square[layer] += std::pow(static_cast<double>(h), 2);
      }
    }
    positions += static_cast<double>(run.size());
  }
  const double most = std::max(square[0], square[1]);
  std::vector<double> lim;
  std::vector<double> norm;
  for (std::size_t u = 0; u < tiny_.units().size(); ++u) {
    lim.push_back(modification[u / 7] / positions);
    norm.push_back(std::sqrt(square[u / 7] / most));
  }
  const UnitCosts lim_costs = CostsFromImportance(tiny_.evidence(), lim);
  const UnitCosts norm_costs = CostsFromImportance(tiny_.evidence(), norm);
  ExpectCosts(
      Run("lim"),
      [&](std::size_t u, std::size_t o) { return lim_costs[u][o]; },
      1e-9);
  ExpectCosts(
      Run("activation"),
      [&](std::size_t u, std::size_t o) { return norm_costs[u][o]; },
      1e-9);
}

TEST_F(ModelMetric, ZscoreIsTheShareOfABlocksWeightsAboveOneDeviation) {
  std::vector<double> importance;
  for (std::size_t u = 0; u < tiny_.units().size(); ++u) {
    std::vector<double> weights;
    for (std::size_t kind = 0; kind < 7; ++kind) {
      const auto dense = tiny_.model().linear(static_cast<int>(u / 7),
                                              static_cast<LinearKind>(kind));
      weights.insert(weights.end(), dense.begin(), dense.end());
    }
    const auto count = static_cast<double>(weights.size());
    const double mean =
        std::accumulate(weights.begin(), weights.end(), 0.0) / count;
    double variance = 0.0;
    for (const double w : weights) variance += (w - mean) * (w - mean) / count;
    importance.push_back(
        static_cast<double>(std::ranges::count_if(
            weights,
            [&](double w) { return (w - mean) / std::sqrt(variance) > 1.0; })) /
        count);
    EXPECT_NEAR(importance.back(), 0.159, 0.02);  // they are Gaussian
  }
  const UnitCosts costs = CostsFromImportance(tiny_.evidence(), importance);
  ExpectCosts(
      Run("zscore"),
      [&](std::size_t u, std::size_t o) { return costs[u][o]; },
      1e-9);
}

}  // namespace
}  // namespace bitpact
