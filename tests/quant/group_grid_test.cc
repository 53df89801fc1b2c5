// SPDX-License-Identifier: Apache-2.0
#include "quant/group_grid.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

constexpr BitFormat kFloat32 = {.bits = 4,
                                .group_size = 0,
                                .scale_type = ScaleType::kFloat32,
                                .zero_point_type = ZeroPointType::kFloat32};

BitFormat With(ZeroPointType type, int bits = 4) {
  return {bits, 0, ScaleType::kFloat32, type};
}

TEST(FitGroupGrid, PutsAFloatShiftAtTheLeastWeight) {
  const std::vector<float> weights = {1.0F, 2.0F, 4.0F};
  const GroupGrid grid = FitGroupGrid(kFloat32, weights);
  EXPECT_EQ(grid.scale, 3.0F / 15.0F);
  EXPECT_EQ(grid.shift, -1.0F);
  EXPECT_EQ(grid.zero_point, 0.0F);
}

TEST(FitGroupGrid, StretchesAnIntegerZeroPointsRangeToZero) {
  const std::vector<float> weights = {1.5F, 3.0F};
  const GroupGrid grid = FitGroupGrid(With(ZeroPointType::kUint8), weights);
  EXPECT_EQ(grid.scale, 3.0F / 15.0F);
  EXPECT_EQ(grid.zero_point, 0.0F);
  const std::vector<float> negative = {-3.0F, -1.5F};
  EXPECT_EQ(FitGroupGrid(With(ZeroPointType::kUint8), negative).zero_point,
            15.0F);
}

TEST(FitGroupGrid, TakesTheLargestMagnitudeWhenSymmetric) {
  const std::vector<float> weights = {-3.5F, 2.0F};
  const GroupGrid grid = FitGroupGrid(With(ZeroPointType::kNone), weights);
  EXPECT_EQ(grid.scale, 0.5F);
  EXPECT_EQ(grid.zero_point, 8.0F);
}

TEST(FitGroupGrid, RoundsScaleAndShiftToTheirStoredType) {
  const std::vector<float> weights = {-0.1F, 0.2F};
  const GroupGrid grid = FitGroupGrid({.bits = 4}, weights);
  EXPECT_EQ(grid.scale, RoundToStored(ScaleType::kFloat16, 0.3F / 15.0F));
  EXPECT_EQ(grid.shift, RoundToStored(ScaleType::kFloat16, 0.1F));
}

TEST(FitGroupGrid, RoundsASubnormalScaleUp) {
  // 2^-24 is float16's least step; 1.25 of it would round down to 1.
  const std::vector<float> weights = {0.0F, 15.0F * 1.25F * 0x1p-24F};
  EXPECT_EQ(FitGroupGrid({.bits = 4}, weights).scale, 0x1p-23F);
  const std::vector<float> tiny = {0.0F, 1e-12F};
  EXPECT_EQ(FitGroupGrid({.bits = 4}, tiny).scale, 0x1p-24F);
  const std::vector<float> least = {0.0F,
                                    std::numeric_limits<float>::denorm_min()};
  EXPECT_GT(FitGroupGrid(kFloat32, least).scale, 0.0F);
}

TEST(FitGroupGrid, LeavesAnInfiniteValueWhereTheTypeIsTooSmall) {
  const std::vector<float> wide = {0.0F, 3e6F};
  EXPECT_FALSE(IsStorable(FitGroupGrid({.bits = 4}, wide)));
  EXPECT_TRUE(IsStorable(FitGroupGrid(kFloat32, wide)));
  const std::vector<float> far = {70000.0F, 70001.0F};
  EXPECT_FALSE(IsStorable(FitGroupGrid({.bits = 4}, far)));
  const std::vector<float> whole = {-3e38F, 3e38F};
  EXPECT_FALSE(IsStorable(FitGroupGrid(kFloat32, whole)));
}

TEST(NotStorable, NamesRowValueAndType) {
  const std::vector<float> wide = {0.0F, 3e6F};
  const BitFormat format = {.bits = 4, .group_size = 64};
  const Error error = NotStorable(7, format, FitGroupGrid(format, wide));
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_EQ(error.message,
            "row 7: the scale of a group exceeds float16 (65504) in format "
            "int4-g64-asym");
}

TEST(EncodeGroup, GivesEqualWeightsOneCodeThatDecodesToThem) {
  const std::vector<float> weights(5, 0.3F);
  std::vector<std::uint8_t> codes(5, 9);
  const GroupGrid grid = FitGroupGrid(kFloat32, weights);
  EncodeGroup(grid, 4, weights, codes);
  for (const std::uint8_t code : codes) {
    EXPECT_EQ(DecodeWeight(grid, code), 0.3F);
  }
}

TEST(EncodeGroup, GivesZerosZeroInEveryFormat) {
  const std::vector<float> zeros(5, 0.0F);
  for (const BitFormat& format : FormatsWithGroup(0)) {
    std::vector<std::uint8_t> codes(5, 3);
    const GroupGrid grid = FitGroupGrid(format, zeros);
    EXPECT_EQ(grid.scale, 0.0F);
    EncodeGroup(grid, format.bits, zeros, codes);
    for (const std::uint8_t code : codes) {
      EXPECT_EQ(DecodeWeight(grid, code), 0.0F) << FormatName(format);
    }
  }
}

TEST(EncodeGroup, SendsWeightsOutsideTheRangeToItsEnds) {
  const GroupGrid grid = {0.5F, 0.0F, 1.0F};
  const std::vector<float> weights = {-1e30F, -1.01F, 7.0F, 1e30F};
  std::vector<std::uint8_t> codes(4);
  EncodeGroup(grid, 4, weights, codes);
  EXPECT_EQ(codes, (std::vector<std::uint8_t>{0, 0, 15, 15}));
}

TEST(EncodeGroup, StaysWithinHalfAStepPlusRounding) {
  for (const BitFormat& format : FormatsWithGroup(0)) {
    for (const float offset : {0.0F, 0.5F, -3.0F}) {
      std::vector<float> weights = NormalFloats(64, "weights");
      for (float& w : weights) w += offset;
      const GroupGrid grid = FitGroupGrid(format, weights);
      std::vector<std::uint8_t> codes(weights.size());
      EncodeGroup(grid, format.bits, weights, codes);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const float decoded = DecodeWeight(grid, codes[i]);
        // Scale and shift are stored with a relative error of 2^-11 at most
        // (float16), which moves the ends of the range; an integer zero-point
        // moves them by up to half a step more.

        const float half_step =
            grid.scale *
            (format.zero_point_type == ZeroPointType::kUint8 ? 1.0F : 0.5F);
        const auto top = static_cast<float>(1 << format.bits);
        const float slack =
            0x1p-11F * (grid.scale * top + std::abs(grid.shift)) * 1.01F;
        ASSERT_NEAR(decoded, weights[i], half_step + slack)
            << FormatName(format) << ", weight " << i;
      }
    }
  }
}

TEST(FitGroupGrid, SpreadsASymmetricRangeOverAllCodes) {
  const std::vector<float> weights = {-1.5F, 0.5F};
  const BitFormat format{2, 0, ScaleType::kFloat32, ZeroPointType::kNone};
  const GroupGrid grid =
      FitGroupGrid(format, weights, SymmetricRange::kAllCodes);
  EXPECT_EQ(grid.scale, 1.0F);  // 2 * 1.5 / 3
  EXPECT_EQ(grid.zero_point, 2.0F);
  EXPECT_EQ(FitGroupGrid(format, weights).scale, 1.5F);  // 1.5 / 1
}

TEST(FitGroupGrid, IsNotStorableWhereAWeightIsNotFinite) {
  const std::vector<float> weights = {
      1.0F, std::numeric_limits<float>::quiet_NaN(), 2.0F};
  for (const auto zero_point : {ZeroPointType::kNone,
                                ZeroPointType::kUint8,
                                ZeroPointType::kFloat16,
                                ZeroPointType::kFloat32}) {
    for (const auto scale : {ScaleType::kFloat16, ScaleType::kFloat32}) {
      EXPECT_FALSE(
          IsStorable(FitGroupGrid({4, 0, scale, zero_point}, weights)));
    }
  }
}

}  // namespace
}  // namespace bitpact
