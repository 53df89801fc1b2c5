// SPDX-License-Identifier: Apache-2.0
#include "quant/rtn_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/group_grid.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

Expected<PackedMatrix> Quantize(const std::vector<float>& weights,
                                std::int64_t rows,
                                const BitFormat& format) {
  const auto cols = static_cast<std::int64_t>(weights.size()) / rows;
  return MakeRtnQuantizer()->Quantize({weights, rows, cols}, {}, format);
}

float LargestError(const std::vector<float>& weights,
                   std::int64_t rows,
                   const BitFormat& format) {
  const auto packed = Quantize(weights, rows, format);
  const std::vector<float> decoded = DequantizedReference(*packed);
  float largest = 0.0F;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    largest = std::max(largest, std::abs(decoded[i] - weights[i]));
  }
  return largest;
}

TEST(RtnQuantizer, QuantizesEachGroupByItself) {
  // Two groups of four and one of two; float32 storage is exact here.
  const std::vector<float> weights = {0, 1, 2, 3, 10, 20, 30, 40, -1, 2};
  const BitFormat format = {2, 4, ScaleType::kFloat32, ZeroPointType::kFloat32};
  const auto packed = Quantize(weights, 1, format);
  ASSERT_TRUE(packed);
  EXPECT_EQ(DequantizedReference(*packed), weights);
}

TEST(RtnQuantizer, FollowsFitAndEncodeForEveryGroup) {
  constexpr std::int64_t kRows = 5;
  constexpr std::int64_t kCols = 50;
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  for (const BitFormat& format : FormatsWithGroup(16)) {
    const auto packed = Quantize(weights, kRows, format);
    ASSERT_TRUE(packed);
    const std::vector<float> decoded = DequantizedReference(*packed);
    for (std::int64_t row = 0; row < kRows; ++row) {
      for (std::int64_t first = 0; first < kCols; first += 16) {
        const auto count =
            static_cast<std::size_t>(std::min<std::int64_t>(16, kCols - first));
        const auto at = static_cast<std::size_t>(row * kCols + first);
        const auto group = std::span(weights).subspan(at, count);
        const GroupGrid grid = FitGroupGrid(format, group);
        std::vector<std::uint8_t> codes(count);
        EncodeGroup(grid, format.bits, group, codes);
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_EQ(decoded[at + i], DecodeWeight(grid, codes[i]))
              << FormatName(format) << ", row " << row;
        }
      }
    }
  }
}

TEST(RtnQuantizer, NeverGrowsTheLargestErrorWithMoreBits) {
  const std::vector<float> weights = NormalFloats(8 * 128, "weights");
  for (const auto zero_point : {ZeroPointType::kNone,
                                ZeroPointType::kUint8,
                                ZeroPointType::kFloat16,
                                ZeroPointType::kFloat32}) {
    float before = std::numeric_limits<float>::infinity();
    for (int bits = 2; bits <= 8; ++bits) {
      const float error =
          LargestError(weights, 8, {bits, 32, ScaleType::kFloat16, zero_point});
      EXPECT_LT(error, before) << bits << " bits";
      before = error;
    }
  }
}

TEST(RtnQuantizer, RejectsAScaleBeyondFloat16) {
  const std::vector<float> weights = {0.0F, 1.0F, 0.0F, 4e6F};
  const auto packed = Quantize(weights, 2, {.bits = 4});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(packed.error().message,
              HasSubstr("row 1: the scale of a group exceeds float16 (65504)"));
}

TEST(RtnQuantizer, RejectsAShiftBeyondFloat16) {
  const std::vector<float> weights = {-7e4F, -7e4F + 8.0F};
  const auto packed = Quantize(weights, 1, {.bits = 4});
  ASSERT_FALSE(packed);
  EXPECT_THAT(packed.error().message, HasSubstr("the shift of a group"));
  EXPECT_TRUE(Quantize(
      weights, 1, {4, 0, ScaleType::kFloat32, ZeroPointType::kFloat32}));
}

TEST(RtnQuantizer, StaysExactEnoughWhereScalesAreSubnormal) {
  std::vector<float> weights = NormalFloats(64, "weights");
  float largest = 0.0F;
  for (float& w : weights) {
    w *= 1e-7F;
    largest = std::max(largest, std::abs(w));
  }
  for (const BitFormat& format : FormatsWithGroup(32)) {
    // Half a step of two-bit symmetric codes is half the largest weight; scale
    // and shift add at most a step of float16.
    EXPECT_LE(LargestError(weights, 1, format), largest / 2 + 0x1p-24F)
        << FormatName(format);
  }
}

}  // namespace
}  // namespace bitpact
