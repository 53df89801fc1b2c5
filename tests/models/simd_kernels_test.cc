// SPDX-License-Identifier: Apache-2.0
#include "models/simd_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "core/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/elementwise.h"

namespace bitpact {
namespace {

constexpr double kEpsilon =
    static_cast<double>(std::numeric_limits<float>::epsilon());

std::vector<float> RandomValues(std::size_t count,
                                double deviation,
                                std::uint64_t seed) {
  RandomStream stream(seed, "test/values");
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(deviation * stream.Normal()));
  }
  return values;
}

double Wide(float value) { return static_cast<double>(value); }

// Every level the processor has, at sizes around the vectors' lengths.
class SimdLevels : public testing::TestWithParam<KernelLevel> {
 protected:
  const SimdKernels& kernels_ = SimdKernelsOf(GetParam());
  const std::vector<std::size_t> sizes_ = {1, 3, 4, 8, 15, 16, 17, 64, 513};
};

TEST_P(SimdLevels, RmsNorm) {
  for (const std::size_t width : sizes_) {
    const std::vector<float> x = RandomValues(3 * width, 2.0, width);
    const std::vector<float> gain = RandomValues(width, 1.0, width + 1);
    std::vector<float> out(x.size());
    const auto size = static_cast<std::int64_t>(width);
    kernels_.rms_norm(x.data(), gain.data(), out.data(), 3, size, 1e-5F);
    for (std::size_t row = 0; row < 3; ++row) {
      double squares = 0.0;
      for (std::size_t i = 0; i < width; ++i) {
        squares += Wide(x[row * width + i]) * Wide(x[row * width + i]);
      }
      const double factor =
          1.0 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
      for (std::size_t i = 0; i < width; ++i) {
        const double expected = x[row * width + i] * factor * Wide(gain[i]);
        // One lane sums at most width / 4 squares; five roundings follow.
        ASSERT_NEAR(Wide(out[row * width + i]),
                    expected,
                    kEpsilon * (5.0 + static_cast<double>(width) / 4.0) *
                        (std::abs(expected) + 1e-30))
            << width;
      }
    }
  }
}

TEST_P(SimdLevels, SwiGlu) {
  for (const std::size_t size : sizes_) {
    std::vector<float> gate = RandomValues(size, 20.0, size);
    const std::vector<float> up = RandomValues(size, 1.0, size + 1);
    gate[0] = -200.0F;
    gate[size - 1] = 200.0F;
    const std::vector<float> before = gate;
    kernels_.swi_glu(gate.data(), up.data(), static_cast<std::int64_t>(size));
    for (std::size_t i = 0; i < size; ++i) {
      const double x = Wide(before[i]);
      const double expected = x / (1.0 + std::exp(-x)) * Wide(up[i]);
      // exp is good to 3e-7 relative; below -87 it is taken as 88, so that the
      // result differs by less than 200 / exp(88).
      ASSERT_NEAR(Wide(gate[i]), expected, 6e-7 * std::abs(expected) + 1e-35)
          << "x = " << x;
    }
  }
}

TEST_P(SimdLevels, Add) {
  for (const std::size_t size : sizes_) {
    const std::vector<float> from = RandomValues(size, 1.0, size);
    std::vector<float> to = RandomValues(size, 1.0, size + 1);
    const std::vector<float> before = to;
    kernels_.add(from.data(), to.data(), static_cast<std::int64_t>(size));
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(to[i], before[i] + from[i]);
    }
  }
}

TEST_P(SimdLevels, MaxAndSumExp) {
  for (const std::size_t size : sizes_) {
    std::vector<float> values = RandomValues(size, 30.0, size);
    const float most = *std::max_element(values.begin(), values.end());
    const auto count = static_cast<std::int64_t>(size);
    EXPECT_EQ(kernels_.max(values.data(), count), most);
    double expected = 0.0;
    for (const float value : values) expected += std::exp(Wide(value - most));
    EXPECT_NEAR(
        kernels_.sum_exp(values.data(), count, most), expected, 1e-6 * expected)
        << size;
  }
}

TEST_P(SimdLevels, ExponentialIsCloseOverItsWholeRange) {
  for (float x = -86.9F; x <= 0.0F; x += 0.0137F) {
    const double expected = std::exp(Wide(x));
    ASSERT_NEAR(kernels_.sum_exp(&x, 1, 0.0F), expected, 3e-7 * expected)
        << "x = " << x;
  }
  for (const float x :
       {-88.0F, -1e30F, -std::numeric_limits<float>::infinity()})
    EXPECT_EQ(kernels_.sum_exp(&x, 1, 0.0F), 0.0);
}

TEST_P(SimdLevels, Kl) {
  for (const std::size_t size : sizes_) {
    const std::vector<float> a = RandomValues(size, 3.0, size);
    std::vector<float> b = RandomValues(size, 1.0, size + 1);
    for (std::size_t i = 0; i < size; ++i) b[i] += a[i];
    const double sum_a = LogSumExp(a);
    const double sum_b = LogSumExp(b);
    double expected = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
      const double log_p = Wide(a[i]) - sum_a;
      expected += std::exp(log_p) * (log_p - Wide(b[i]) + sum_b);
    }
    EXPECT_NEAR(kernels_.kl(a.data(),
                            b.data(),
                            static_cast<std::int64_t>(size),
                            static_cast<float>(sum_a),
                            static_cast<float>(sum_b)),
                expected,
                2e-6)
        << size;
  }
}

// Scores that differ by hundreds, a first position that sees one key, a block
// that begins in the middle.
TEST_P(SimdLevels, Attend) {
  const auto lanes = static_cast<std::size_t>(kernels_.lanes);
  for (const std::size_t width : {2U, 6U, 8U, 20U}) {
    for (const std::size_t blocks : {0U, 1U, 3U}) {
      const std::size_t first = blocks * lanes;
      const std::size_t keys_seen = first + lanes - 1;
      const auto queries = RandomValues(width * lanes, 10.0, width);
      const auto keys = RandomValues(keys_seen * width, 10.0, width + 1);
      const auto values = RandomValues(keys_seen * width, 1.0, width + 2);
      std::vector<float> scores(keys_seen * lanes);
      std::vector<float> out(width * lanes);
      kernels_.attend({.queries = queries.data(),
                       .keys = keys.data(),
                       .values = values.data(),
                       .scores = scores.data(),
                       .out = out.data(),
                       .width = static_cast<std::int64_t>(width)},
                      static_cast<std::int64_t>(first),
                      static_cast<std::int64_t>(keys_seen));
      for (std::size_t lane = 0; lane + 1 < lanes; ++lane) {
        std::vector<double> weights;
        for (std::size_t j = 0; j <= first + lane; ++j) {
          double score = 0.0;
          for (std::size_t d = 0; d < width; ++d) {
            score +=
                Wide(queries[d * lanes + lane]) * Wide(keys[j * width + d]);
          }
          weights.push_back(score);
        }
        const double most = *std::max_element(weights.begin(), weights.end());
        double sum = 0.0;
        for (double& weight : weights) sum += weight = std::exp(weight - most);
        for (std::size_t d = 0; d < width; ++d) {
          double expected = 0.0;
          for (std::size_t j = 0; j < weights.size(); ++j) {
            expected += weights[j] / sum * Wide(values[j * width + d]);
          }
          // A score is a sum of `width` products of about 100, so its error of
          // width * 100 * eps becomes the weights' relative error.
          ASSERT_NEAR(Wide(out[d * lanes + lane]),
                      expected,
                      kEpsilon * static_cast<double>(width) * 1000.0)
              << "width " << width << " first " << first << " lane " << lane;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Available,
                         SimdLevels,
                         testing::ValuesIn(AvailableKernelLevels()),
                         [](const auto& level) {
                           switch (level.param) {
                             case KernelLevel::kAvx512:
                               return "Avx512";
                             case KernelLevel::kAvx2:
                               return "Avx2";
                             default:
                               return "Portable";
                           }
                         });

TEST(LogSumExp, SurvivesLargeLogits) {
  const std::vector<float> logits = {1000.0F, 1000.0F, -1000.0F};
  EXPECT_NEAR(LogSumExp(logits), 1000.0 + std::log(2.0), 1e-6);
}

TEST(KlDivergence, IsZeroForEqualRows) {
  for (const std::size_t size : {1U, 17U, 600U}) {
    const std::vector<float> row = RandomValues(size, 5.0, size);
    EXPECT_EQ(KlDivergence(row, row), 0.0);
  }
}

TEST(KlDivergence, IsNeverNegativeForTinyDifferences) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::vector<float> a = RandomValues(100, 5.0, seed);
    std::vector<float> b = RandomValues(100, 1e-4, seed + 1000);
    for (std::size_t i = 0; i < a.size(); ++i) b[i] += a[i];
    EXPECT_GE(KlDivergence(a, b), 0.0) << "seed " << seed;
  }
}

// Adding the same number to all logits changes no distribution.
TEST(KlDivergence, IgnoresAShift) {
  const std::vector<float> a = RandomValues(100, 5.0, 1);
  std::vector<float> b = a;
  for (float& value : b) value += 8.0F;
  EXPECT_NEAR(KlDivergence(a, b), 0.0, 1e-6);
}

}  // namespace
}  // namespace bitpact
