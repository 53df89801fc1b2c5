// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "core/random.h"
#include "gtest/gtest.h"
#include "quant/matmul.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

// Facts that hold at every level this processor runs.
class KernelLevels : public testing::TestWithParam<KernelLevel> {
 protected:
  [[nodiscard]] const Kernels& kernels() const { return KernelsOf(GetParam()); }
};

std::string LevelName(KernelLevel level) {
  switch (level) {
    case KernelLevel::kPortable:
      return "Portable";
    case KernelLevel::kAvx2:
      return "Avx2";
    case KernelLevel::kAvx512:
      return "Avx512";
  }
  return "Unknown";
}

// Columns and group sizes that leave heads, tails and unaligned groups.
constexpr std::array kColumns = {
    1, 7, 8, 15, 16, 17, 31, 40, 64, 100, 131, 200};
constexpr std::array kGroupSizes = {0, 1, 5, 8, 12, 16, 20, 32, 33, 64};

bool SameBits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST_P(KernelLevels, DequantizeTheReferencesBits) {
  constexpr std::int64_t kRows = 3;
  for (const int cols : kColumns) {
    for (const int group_size : kGroupSizes) {
      for (const BitFormat& format : FormatsWithGroup(group_size)) {
        const PackedMatrix matrix = RandomPacked(format, kRows, cols);
        const PackedShape shape = ShapeOf(matrix);
        std::vector<float> values(static_cast<std::size_t>(kRows * cols));
        for (std::int64_t row = 0; row < kRows; ++row) {
          kernels().dequantize_row(
              shape, RowOf(matrix, row), &values[row * cols]);
        }
        ASSERT_TRUE(SameBits(values, DequantizedReference(matrix)))
            << FormatName(format) << ", " << cols << " columns";
      }
    }
  }
}

TEST_P(KernelLevels, DequantizeWritesInsideTheRowOnly) {
  for (int bits = 2; bits <= 8; ++bits) {
    const PackedMatrix matrix =
        RandomPacked({.bits = bits, .group_size = 20}, 1, 37);
    std::vector<float> values(39, -7.0F);
    kernels().dequantize_row(ShapeOf(matrix), RowOf(matrix, 0), &values[1]);
    EXPECT_EQ(values.front(), -7.0F);
    EXPECT_EQ(values.back(), -7.0F);
  }
}

TEST_P(KernelLevels, MultiplyWithinTheErrorOfFloatSums) {
  constexpr std::int64_t kTokens = 3;
  for (const int rows : {1, 2, 3, 5, 9}) {
    for (const int cols : kColumns) {
      for (const int group_size : {0, 5, 16, 32}) {
        for (int bits = 2; bits <= 8; ++bits) {
          const BitFormat format{.bits = bits, .group_size = group_size};
          const PackedMatrix matrix = RandomPacked(format, rows, cols);
          const std::vector<float> w = DequantizedReference(matrix);
          const std::vector<float> x = NormalFloats(kTokens * cols, "x");
          std::vector<float> y(static_cast<std::size_t>(kTokens * rows));
          std::vector<float> expected(y.size());
          kernels().multiply(matrix, x.data(), y.data(), kTokens);
          MatMulTransposedReference(x, w, expected, kTokens, cols, rows);
          ExpectWithin(y,
                       expected,
                       SplitProductTolerances(x, matrix, kTokens),
                       FormatName(format) + " " + std::to_string(rows) + " x " +
                           std::to_string(cols));
        }
      }
    }
  }
}

TEST_P(KernelLevels, MultiplyGivesATokenTheSameBitsInAnyCompany) {
  constexpr std::int64_t kRows = 11;
  constexpr std::int64_t kCols = 150;
  for (int bits = 2; bits <= 8; ++bits) {
    const PackedMatrix matrix =
        RandomPacked({.bits = bits, .group_size = 36}, kRows, kCols);
    const std::vector<float> x = NormalFloats(7 * kCols, "x");
    std::vector<float> alone(7 * kRows);
    for (std::int64_t t = 0; t < 7; ++t) {
      kernels().multiply(matrix, &x[t * kCols], &alone[t * kRows], 1);
    }
    for (std::int64_t tokens = 2; tokens <= 7; ++tokens) {
      std::vector<float> together(static_cast<std::size_t>(tokens * kRows));
      kernels().multiply(matrix, x.data(), together.data(), tokens);
      EXPECT_TRUE(SameBits(together, std::span(alone).first(together.size())))
          << bits << " bits, " << tokens << " tokens";
    }
  }
}

TEST_P(KernelLevels, MultiplyReadsInsideTheMatrixOnly) {
  // Stored bytes with nothing behind them, as the last bytes of a file have.
  for (int bits = 2; bits <= 8; ++bits) {
    const PackedMatrix matrix =
        RandomPacked({.bits = bits, .group_size = 32}, 5, 97);
    const std::vector<std::byte> codes(matrix.codes().begin(),
                                       matrix.codes().end());
    const std::vector<std::byte> scales(matrix.scales().begin(),
                                        matrix.scales().end());
    const std::vector<std::byte> zeros(matrix.zero_points().begin(),
                                       matrix.zero_points().end());
    const auto mapped = PackedMatrix::FromMapped(
        matrix.format(), 5, 97, {codes, scales, zeros}, nullptr);
    const std::vector<float> x = NormalFloats(97, "x");
    std::vector<float> y(7, -7.0F);
    std::vector<float> expected(5);
    kernels().multiply(*mapped, x.data(), &y[1], 1);
    kernels().multiply(matrix, x.data(), expected.data(), 1);
    EXPECT_TRUE(SameBits(std::span(y).subspan(1, 5), expected));
    EXPECT_EQ(y.front(), -7.0F);
    EXPECT_EQ(y.back(), -7.0F);
  }
}

// 96 columns to a group straddle blocks of words, which lie in one group each.
TEST_P(KernelLevels, MultiplyTakesGroupsThatStraddleBlocks) {
  for (const int group_size : {32, 96, 160, 256}) {
    for (const BitFormat& format : FormatsWithGroup(group_size)) {
      const PackedMatrix matrix = RandomPacked(format, 3, 480);
      const std::vector<float> w = DequantizedReference(matrix);
      const std::vector<float> x = NormalFloats(480, "x");
      std::vector<float> y(3);
      std::vector<float> expected(3);
      kernels().multiply(matrix, x.data(), y.data(), 1);
      MatMulTransposedReference(x, w, expected, 1, 480, 3);
      ExpectWithin(y,
                   expected,
                   SplitProductTolerances(x, matrix, 1),
                   FormatName(format));
    }
  }
}

TEST_P(KernelLevels, EncodeAsDivisionWouldNearTheMiddleOfTwoValues) {
  const float scale = 0.1F;
  for (int bits = 2; bits <= 8; ++bits) {
    std::vector<float> weights;
    for (int code = 0; code < (1 << bits); ++code) {
      float w = (static_cast<float>(code) + 0.5F) * scale;
      for (int i = 0; i < 4; ++i) w = std::nextafter(w, 0.0F);
      for (int i = 0; i < 9; ++i, w = std::nextafter(w, 100.0F)) {
        weights.push_back(w);
      }
    }
    std::vector<std::uint8_t> codes(weights.size());
    kernels().encode_group({scale, 0.0F, 0.0F}, bits, weights, codes.data());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const float top = static_cast<float>((1 << bits) - 1);
      const float expected = std::nearbyint(std::min(weights[i] / scale, top));
      ASSERT_EQ(static_cast<float>(codes[i]), expected) << weights[i];
    }
  }
}

TEST_P(KernelLevels, FindTheRangeOfAnyLength) {
  for (std::int64_t count = 1; count <= 70; ++count) {
    for (std::int64_t place = 0; place < count; place += 3) {
      std::vector<float> weights(static_cast<std::size_t>(count), 0.5F);
      weights[static_cast<std::size_t>(place)] = 2.0F;
      weights[static_cast<std::size_t>(count - 1 - place)] -= 3.0F;
      float least = 0.5F;
      float greatest = weights[0];
      for (const float w : weights) {
        least = std::min(least, w);
        greatest = std::max(greatest, w);
      }
      const WeightRange range = kernels().find_range(weights);
      ASSERT_EQ(range.least, least) << count << " weights";
      ASSERT_EQ(range.greatest, greatest) << count << " weights";
    }
  }
}

TEST_P(KernelLevels, FindZeroWithoutASign) {
  std::vector<float> weights(40, -0.0F);
  for (std::size_t i = 0; i < weights.size(); i += 3) weights[i] = 0.0F;
  const WeightRange range = kernels().find_range(weights);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(range.least), 0U);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(range.greatest), 0U);
}

TEST_P(KernelLevels, FindNoRangeWhereAWeightIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (std::size_t place = 0; place < 37; ++place) {
      std::vector<float> weights(37, 1.0F);
      weights[place] = bad;
      const WeightRange range = kernels().find_range(weights);
      EXPECT_TRUE(std::isnan(range.least)) << bad << " at " << place;
      EXPECT_TRUE(std::isnan(range.greatest)) << bad << " at " << place;
    }
  }
}

TEST_P(KernelLevels, EncodeThePortableCodes) {
  const std::vector<float> weights = NormalFloats(517, "weights");
  for (int bits = 2; bits <= 8; ++bits) {
    const float top = static_cast<float>((1 << bits) - 1);
    for (const GroupGrid& grid : {GroupGrid{6.0F / top, 0.0F, 3.0F},
                                  GroupGrid{4.0F / top, 1.0F, 0.0F},
                                  GroupGrid{1e-30F, 0.0F, 0.5F}}) {
      for (std::size_t count = 1; count <= weights.size(); count += 43) {
        const auto some = std::span(weights).first(count);
        std::vector<std::uint8_t> codes(count);
        std::vector<std::uint8_t> expected(count);
        kernels().encode_group(grid, bits, some, codes.data());
        KernelsOf(KernelLevel::kPortable)
            .encode_group(grid, bits, some, expected.data());
        ASSERT_EQ(codes, expected) << bits << " bits, " << count << " weights";
      }
    }
  }
}

TEST_P(KernelLevels, EncodeRoundsHalvesToEven) {
  const std::vector<float> weights = {
      0.5F, 1.5F, 2.5F, 3.5F, 6.5F, 7.5F, -2.5F};
  std::vector<std::uint8_t> codes(weights.size());
  kernels().encode_group({1.0F, 4.0F, 0.0F}, 4, weights, codes.data());
  EXPECT_EQ(codes, (std::vector<std::uint8_t>{4, 6, 6, 8, 10, 12, 2}));
}

INSTANTIATE_TEST_SUITE_P(Available,
                         KernelLevels,
                         testing::ValuesIn(AvailableKernelLevels()),
                         [](const auto& param_info) {
                           return LevelName(param_info.param);
                         });

TEST(Kernels, AlwaysHaveThePortableLevel) {
  EXPECT_EQ(AvailableKernelLevels().front(), KernelLevel::kPortable);
  EXPECT_EQ(&BestKernels(), &KernelsOf(AvailableKernelLevels().back()));
}

}  // namespace
}  // namespace bitpact
