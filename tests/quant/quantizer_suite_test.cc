// SPDX-License-Identifier: Apache-2.0
//
// Facts that hold for every quantizer of formats with one width and every such
// format. A quantizer that is new needs no line here. That of mixed columns,
// baq, has these facts in baq_quantizer_test.

#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kRows = 6;
constexpr std::int64_t kCols = 96;
constexpr std::int64_t kGroup = 32;

// H = 2/tokens * sum x x^T of correlated inputs: positive definite.
std::vector<float> Hessian() {
  constexpr std::int64_t kTokens = 4 * kCols;
  std::vector<float> x = NormalFloats(kTokens * kCols, "inputs");
  for (std::int64_t t = 0; t < kTokens; ++t) {
    for (std::int64_t c = 1; c < kCols; ++c) {
      x[t * kCols + c] += 0.5F * x[t * kCols + c - 1];
    }
  }
  std::vector<float> hessian(kCols * kCols);
  for (std::int64_t i = 0; i < kCols; ++i) {
    for (std::int64_t j = 0; j < kCols; ++j) {
      double sum = 0.0;
      for (std::int64_t t = 0; t < kTokens; ++t) {
        sum += static_cast<double>(x[t * kCols + i]) *
               static_cast<double>(x[t * kCols + j]);
      }
      hessian[i * kCols + j] = static_cast<float>(2.0 * sum / kTokens);
    }
  }
  return hessian;
}

class QuantizerSuite
    : public testing::TestWithParam<std::tuple<std::string, BitFormat>> {
 protected:
  void SetUp() override {
    quantizer_ = *MakeQuantizer(std::get<0>(GetParam()));
  }

  [[nodiscard]] const BitFormat& format() const {
    return std::get<1>(GetParam());
  }
  [[nodiscard]] Expected<PackedMatrix> Try(
      const std::vector<float>& weights) const {
    static const std::vector<float> hessian = Hessian();
    return quantizer_->Quantize(
        {weights, kRows, kCols}, {.hessian = hessian}, format());
  }
  [[nodiscard]] PackedMatrix Quantize(const std::vector<float>& weights) const {
    Expected<PackedMatrix> packed = Try(weights);
    EXPECT_TRUE(packed) << packed.error().message;
    return *packed;
  }
  [[nodiscard]] std::vector<float> RoundTrip(
      const std::vector<float>& weights) const {
    return DequantizedReference(Quantize(weights));
  }

  // The widest range of integers whose grid has scale 1 and whole shifts.
  [[nodiscard]] float least() const {
    return format().symmetric() ? -greatest() : -1.0F;
  }
  [[nodiscard]] float greatest() const {
    return static_cast<float>(format().symmetric()
                                  ? (1 << (format().bits - 1)) - 1
                                  : (1 << format().bits) - 2);
  }

  std::unique_ptr<Quantizer> quantizer_;
};

TEST_P(QuantizerSuite, IsNamedAsInTheTable) {
  EXPECT_EQ(quantizer_->name(), std::get<0>(GetParam()));
}

TEST_P(QuantizerSuite, TakesTheBytesOfTheFormula) {
  const PackedMatrix packed = Quantize(NormalFloats(kRows * kCols, "weights"));
  EXPECT_EQ(packed.size_bytes(), StoredBytes(format(), kRows, kCols));
  EXPECT_EQ(packed.format(), format());
}

TEST_P(QuantizerSuite, KeepsZerosExactly) {
  const std::vector<float> zeros(kRows * kCols, 0.0F);
  EXPECT_EQ(RoundTrip(zeros), zeros);
}

// The scale that spreads a constant over the codes is rounded to float16.
TEST_P(QuantizerSuite, KeepsAConstant) {
  for (const float constant : {0.75F, -0.375F}) {
    const std::vector<float> weights(kRows * kCols, constant);
    for (const float decoded : RoundTrip(weights)) {
      ASSERT_NEAR(decoded, constant, std::abs(constant) * 0x1p-11F);
    }
  }
}

TEST_P(QuantizerSuite, KeepsARampOfItsOwnStepsExactly) {
  std::vector<float> weights(kRows * kCols);
  const int steps = static_cast<int>(greatest() - least()) + 1;
  for (std::int64_t i = 0; i < kRows * kCols; ++i) {
    const std::int64_t place = i % kGroup;
    weights[i] = place == 0   ? least()
                 : place == 1 ? greatest()
                              : least() + static_cast<float>((i * 7) % steps);
  }
  EXPECT_EQ(RoundTrip(weights), weights);
}

TEST_P(QuantizerSuite, KeepsTwoLevelsExactly) {
  std::vector<float> weights(kRows * kCols);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = i % 3 == 0 ? least() : greatest();
  }
  EXPECT_EQ(RoundTrip(weights), weights);
}

TEST_P(QuantizerSuite, KeepsOneOutlierAmongZerosExactly) {
  std::vector<float> weights(kRows * kCols, 0.0F);
  const auto reach =
      static_cast<float>(format().symmetric() ? (1 << (format().bits - 1)) - 1
                                              : (1 << format().bits) - 1);
  weights[kCols + 40] = 0.25F * reach;
  EXPECT_EQ(RoundTrip(weights), weights);
}

// No method may be worse than a few steps anywhere: the widest step is the
// range of the whole matrix over the number of codes.
TEST_P(QuantizerSuite, StaysNearTheWeights) {
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  const auto [low, high] = std::ranges::minmax(weights);
  const float step = 2.0F * std::max(-low, high) /
                     static_cast<float>((1 << format().bits) - 2);
  const std::vector<float> decoded = RoundTrip(weights);
  double squares = 0.0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double error = static_cast<double>(decoded[i]) - weights[i];
    squares += error * error;
  }
  EXPECT_LT(std::sqrt(squares / (kRows * kCols)), step);
}

TEST_P(QuantizerSuite, GivesTheSameArraysOnAnyThread) {
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  const PackedMatrix alone = Quantize(weights);
  std::vector<PackedMatrix> others(6);
  SetThreadCount(3);
  ParallelFor(6, [&](std::int64_t job, int) {
    others[static_cast<std::size_t>(job)] = Quantize(weights);
  });
  SetThreadCount(0);
  for (const PackedMatrix& other : others) {
    EXPECT_TRUE(std::ranges::equal(other.codes(), alone.codes()));
    EXPECT_TRUE(std::ranges::equal(other.scales(), alone.scales()));
    EXPECT_TRUE(std::ranges::equal(other.zero_points(), alone.zero_points()));
  }
}

TEST_P(QuantizerSuite, NamesTheWeightThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    std::vector<float> weights(kRows * kCols, 1.0F);
    weights[2 * kCols + 95] = bad;
    const auto packed = Try(weights);
    ASSERT_FALSE(packed);
    EXPECT_EQ(packed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(packed.error().message, HasSubstr("row 2, column 95"));
  }
}

std::vector<BitFormat> SuiteFormats() {
  std::vector<BitFormat> formats;
  for (const int bits : {2, 3, 4, 5, 6, 8}) {
    for (const auto zero_point : {ZeroPointType::kNone,
                                  ZeroPointType::kUint8,
                                  ZeroPointType::kFloat16}) {
      formats.push_back({bits, kGroup, ScaleType::kFloat16, zero_point});
    }
  }
  formats.push_back({4, 0, ScaleType::kFloat16, ZeroPointType::kFloat16});
  formats.push_back({3, 64, ScaleType::kFloat32, ZeroPointType::kFloat32});
  return formats;
}

std::vector<std::string> OneWidthQuantizers() {
  std::vector<std::string> names = QuantizerNames();
  std::erase(names, "baq");
  return names;
}

INSTANTIATE_TEST_SUITE_P(
    All,
    QuantizerSuite,
    testing::Combine(testing::ValuesIn(OneWidthQuantizers()),
                     testing::ValuesIn(SuiteFormats())),
    [](const auto& param_info) {
      std::string name = std::get<0>(param_info.param) + "_" +
                         FormatName(std::get<1>(param_info.param));
      std::ranges::replace(name, '-', '_');
      return name;
    });

TEST(MakeQuantizer, ListsTheKnownNames) {
  const auto quantizer = MakeQuantizer("nonsense");
  ASSERT_FALSE(quantizer);
  EXPECT_EQ(quantizer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(quantizer.error().message, HasSubstr("'nonsense'"));
  for (const std::string& name : QuantizerNames()) {
    EXPECT_THAT(quantizer.error().message, HasSubstr(name));
  }
}

TEST(MakeQuantizer, RejectsABrokenFormat) {
  const std::vector<float> weights(4, 1.0F);
  for (const std::string& name : QuantizerNames()) {
    const auto packed =
        (*MakeQuantizer(name))->Quantize({weights, 2, 2}, {}, {.bits = 9});
    ASSERT_FALSE(packed);
    EXPECT_THAT(packed.error().message, HasSubstr("bits = 9"));
  }
}

}  // namespace
}  // namespace bitpact
