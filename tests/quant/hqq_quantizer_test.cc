// SPDX-License-Identifier: Apache-2.0
#include "quant/hqq_quantizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/group_grid.h"
#include "quant/kernels.h"
#include "quant/rtn_quantizer.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kRows = 4;
constexpr std::int64_t kCols = 150;  // group 64 leaves a ragged last group

double LpError(std::span<const float> weights, std::span<const float> decoded) {
  double sum = 0.0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum +=
        std::pow(std::abs(static_cast<double>(weights[i]) - decoded[i]), 0.7);
  }
  return sum;
}

double LpErrorOf(const Quantizer& quantizer,
                 const std::vector<float>& weights,
                 const BitFormat& format) {
  const auto packed = quantizer.Quantize({weights, kRows, kCols}, {}, format);
  EXPECT_TRUE(packed) << packed.error().message;
  return LpError(weights, DequantizedReference(*packed));
}

std::vector<BitFormat> Formats() {
  std::vector<BitFormat> formats;
  for (const int group_size : {0, 16, 37, 64}) {
    for (const BitFormat& format : FormatsWithGroup(group_size)) {
      formats.push_back(format);
    }
  }
  return formats;
}

// Two float32 evaluations of the same sum differ by its rounding: 150 terms,
// each a power with a relative error of 1e-6.
constexpr double kSumTolerance = 1e-5;

TEST(HqqQuantizer, NeverHasALargerLpErrorThanRoundToNearest) {
  const auto hqq = MakeHqqQuantizer();
  const auto rtn = MakeRtnQuantizer();
  for (const float unit : {1.0F, 0.02F}) {
    std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
    for (float& w : weights) w *= unit * (1.0F + w * w);
    for (const BitFormat& format : Formats()) {
      EXPECT_LE(LpErrorOf(*hqq, weights, format),
                LpErrorOf(*rtn, weights, format) * (1.0 + kSumTolerance))
          << FormatName(format) << ", unit " << unit;
    }
  }
}

TEST(HqqQuantizer, BeatsRoundToNearestAtThreeBits) {
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  const BitFormat format{.bits = 3, .group_size = 64};
  EXPECT_LT(LpErrorOf(*MakeHqqQuantizer(), weights, format),
            0.99 * LpErrorOf(*MakeRtnQuantizer(), weights, format));
}

TEST(HqqQuantizer, StoppingEachGroupIsNoWorseThanStoppingAllAtOnce) {
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  for (const int bits : {2, 3, 4, 8}) {
    for (const int group_size : {0, 16, 64}) {
      const BitFormat format{.bits = bits, .group_size = group_size};
      const auto each = MakeHqqQuantizer({.kappa = 1.0});
      const auto all =
          MakeHqqQuantizer({.kappa = 1.0, .stop = HqqStop::kWholeMatrix});
      EXPECT_LE(LpErrorOf(*each, weights, format),
                LpErrorOf(*all, weights, format) * (1.0 + kSumTolerance))
          << FormatName(format);
    }
  }
}

TEST(HqqQuantizer, LeavesTheScalesOfRoundToNearestWhereThereAreShifts) {
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  for (const BitFormat& format : Formats()) {
    if (format.symmetric()) continue;
    const auto hqq =
        MakeHqqQuantizer()->Quantize({weights, kRows, kCols}, {}, format);
    const auto rtn =
        MakeRtnQuantizer()->Quantize({weights, kRows, kCols}, {}, format);
    EXPECT_TRUE(std::ranges::equal(hqq->scales(), rtn->scales()));
  }
}

TEST(HqqQuantizer, MovesTheScalesOfSymmetricFormats) {
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  for (const int bits : {2, 3, 4}) {
    const BitFormat format{.bits = bits,
                           .group_size = 64,
                           .zero_point_type = ZeroPointType::kNone};
    EXPECT_LT(LpErrorOf(*MakeHqqQuantizer(), weights, format),
              0.99 * LpErrorOf(*MakeRtnQuantizer(), weights, format))
        << bits;
  }
}

TEST(HqqOptions, DefaultsAreValid) { EXPECT_TRUE(Validate(HqqOptions{})); }

TEST(HqqOptions, NameTheFieldThatIsOutOfRange) {
  EXPECT_THAT(Validate(HqqOptions{.p = 1.0}).error().message,
              HasSubstr("0 < p < 1"));
  EXPECT_THAT(Validate(HqqOptions{.beta = 0.0}).error().message,
              HasSubstr("beta = 0"));
  EXPECT_THAT(Validate(HqqOptions{.kappa = 0.5}).error().message,
              HasSubstr("kappa = 0.5"));
  EXPECT_THAT(Validate(HqqOptions{.iterations = 0}).error().message,
              HasSubstr("iterations = 0"));
}

// The step by plain loops in double.
HqqSums StepReference(const GroupGrid& grid,
                      int bits,
                      std::span<const float> weights,
                      const HqqShrinkage& shrinkage) {
  std::vector<std::uint8_t> codes(weights.size());
  EncodeGroup(grid, bits, weights, codes);
  double offset = 0.0;
  double lp = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double w = weights[i];
    const double scaled =
        static_cast<double>(grid.scale) * (codes[i] - grid.zero_point);
    const double d = w - DecodeWeight(grid, codes[i]);
    double e = 0.0;
    if (d != 0.0) {
      const double power = std::pow(std::abs(d), shrinkage.power);
      const double kept = std::abs(d) - power * shrinkage.inverse_beta;
      e = std::copysign(std::max(kept, 0.0), d);
      lp += std::abs(d) * power;
    }
    offset += scaled - (w - e);
    size += std::abs(d);
  }
  return {static_cast<float>(offset),
          static_cast<float>(lp),
          static_cast<float>(size)};
}

const std::vector<GroupGrid>& StepGrids() {
  static const std::vector<GroupGrid> grids = {{0.3F, 0.0F, 1.2F},
                                               {0.25F, 5.0F, 0.0F},
                                               {2.0F, 1.0F, 0.0F},
                                               {1e-3F, 0.0F, 0.0F}};
  return grids;
}

TEST(HqqStep, AgreesWithPlainLoops) {
  for (std::size_t count = 1; count <= 70; ++count) {
    std::vector<float> weights =
        NormalFloats(static_cast<std::int64_t>(count), "weights");
    weights[0] = 0.0F;  // a residual of exactly 0 with integer zero-points
    for (const GroupGrid& grid : StepGrids()) {
      const HqqShrinkage shrinkage{-0.3F, 0.1F};
      const HqqSums sums = BestKernels().hqq_step(grid, 4, weights, shrinkage);
      const HqqSums expected = StepReference(grid, 4, weights, shrinkage);
      // count sums of terms of size up to 8, and powers within 1e-6.
      const auto n = static_cast<float>(count);
      EXPECT_NEAR(sums.offset, expected.offset, n * 1e-5F);
      EXPECT_NEAR(sums.lp_error, expected.lp_error, n * 1e-5F);
      EXPECT_NEAR(sums.abs_error, expected.abs_error, n * 1e-5F);
    }
  }
}

TEST(HqqStep, HasTheSameBitsAtEveryLevel) {
  for (std::size_t count = 1; count <= 70; ++count) {
    const std::vector<float> weights =
        NormalFloats(static_cast<std::int64_t>(count), "weights");
    for (const GroupGrid& grid : StepGrids()) {
      const HqqSums expected = KernelsOf(KernelLevel::kPortable)
                                   .hqq_step(grid, 3, weights, {-0.3F, 0.1F});
      for (const KernelLevel level : AvailableKernelLevels()) {
        const HqqSums sums =
            KernelsOf(level).hqq_step(grid, 3, weights, {-0.3F, 0.1F});
        EXPECT_EQ(std::memcmp(&sums, &expected, sizeof(sums)), 0)
            << count << " weights, level " << static_cast<int>(level);
      }
    }
  }
}

}  // namespace
}  // namespace bitpact
