// SPDX-License-Identifier: Apache-2.0
#include "quant/column_matrix.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/packed_matmul.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

// Random stored parts of a matrix.
struct Parts {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::byte> columns;
  std::vector<std::byte> row_grids;
  std::vector<std::uint8_t> codes;              // [cols, rows]
  std::vector<std::pair<float, float>> ranges;  // kRange: of rows
  [[nodiscard]] ColumnCodes found() const {
    return {columns, row_grids, codes};
  }
};

// Float16 of a normal number with few digits, 0, infinity or NaN.
std::uint16_t HalfBits(float value) {
  const unsigned sign = std::signbit(value) ? 0x8000U : 0U;
  if (std::isnan(value)) return static_cast<std::uint16_t>(0x7e00U);
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | 0x7c00U);
  if (value == 0.0F) return static_cast<std::uint16_t>(sign);
  int exponent = 0;
  const float fraction = std::frexp(std::abs(value), &exponent);
  const auto digits = static_cast<unsigned>(fraction * 2048.0F) - 1024U;
  return static_cast<std::uint16_t>(
      sign | static_cast<unsigned>(exponent + 14) << 10U | digits);
}

void AppendHalf(float value, std::vector<std::byte>& bytes) {
  const std::uint16_t half = HalfBits(value);
  bytes.push_back(static_cast<std::byte>(half & 255U));
  bytes.push_back(static_cast<std::byte>(half >> 8U));
}

Parts RandomParts(ColumnGrid grid, std::int64_t rows, std::int64_t cols) {
  Parts parts{rows, cols, {}, {}, {}, {}};
  RandomStream random(
      5, "columns/" + std::to_string(rows) + "x" + std::to_string(cols));
  for (std::int64_t col = 0; col < cols; ++col) {
    const bool range = grid == ColumnGrid::kRange;
    const auto value = range
                           ? random.UniformInt(12)
                           : random.UniformInt(14) + 16 * random.UniformInt(16);
    parts.columns.push_back(static_cast<std::byte>(value));
    const auto levels =
        static_cast<std::uint64_t>(LevelsOfColumn(grid, parts.columns.back()));
    for (std::int64_t row = 0; row < rows; ++row) {
      parts.codes.push_back(
          static_cast<std::uint8_t>(random.UniformInt(levels)));
    }
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    if (grid == ColumnGrid::kScaled) {
      parts.row_grids.push_back(
          static_cast<std::byte>(row == 0 ? 0 : 150 + random.UniformInt(40)));
      continue;
    }
    const auto least = -static_cast<float>(random.UniformInt(100)) / 64.0F;
    const auto greatest = static_cast<float>(random.UniformInt(100)) / 64.0F;
    parts.ranges.emplace_back(least, greatest);
    AppendHalf(least, parts.row_grids);
    AppendHalf(greatest, parts.row_grids);
  }
  return parts;
}

constexpr int kRoomyRate = kMostRate;

PackedMatrix Packed(ColumnGrid grid, const Parts& parts) {
  auto packed = PackColumns(
      MixedColumns(kRoomyRate, grid), parts.rows, parts.cols, parts.found());
  EXPECT_TRUE(packed) << packed.error().message;
  return *packed;
}

struct Shape {
  std::int64_t rows;
  std::int64_t cols;
};
// Odd sizes around tiles, words and vectors.
constexpr Shape kShapes[] = {
    {7, 45}, {16, 31}, {33, 65}, {121, 47}, {64, 172}, {250, 31}};

class ColumnMatrixOf : public testing::TestWithParam<ColumnGrid> {};

TEST_P(ColumnMatrixOf, KeepsEveryCode) {
  for (const auto [rows, cols] : kShapes) {
    const Parts parts = RandomParts(GetParam(), rows, cols);
    const PackedMatrix packed = Packed(GetParam(), parts);
    for (std::int64_t col = 0; col < cols; ++col) {
      for (std::int64_t row = 0; row < rows; ++row) {
        ASSERT_EQ(packed.Code(row, col), parts.codes[col * rows + row])
            << rows << "x" << cols << " at " << row << ", " << col;
      }
    }
  }
}

// The formula of the header, written down once more.
TEST_P(ColumnMatrixOf, DecodesByTheFormula) {
  const Parts parts = RandomParts(GetParam(), 33, 65);
  const PackedMatrix packed = Packed(GetParam(), parts);
  const std::vector<float> decoded = DequantizedReference(packed);
  for (std::int64_t row = 0; row < parts.rows; ++row) {
    for (std::int64_t col = 0; col < parts.cols; ++col) {
      const auto column = std::to_integer<int>(parts.columns[col]);
      const int q = parts.codes[col * parts.rows + row];
      double wanted = 0.0;
      if (GetParam() == ColumnGrid::kScaled) {
        const int n = kLevelCounts[column % 16];
        const auto k = std::to_integer<int>(parts.row_grids[row]);
        const double scale = k == 0 ? 0.0 : std::exp2((k - 192) / 8.0);
        const double factor =
            NominalStep(column % 16) * std::exp2((column / 16 - 8) / 4.0);
        wanted = scale * factor * (q - 0.5 * (n - 1));
      } else {
        const auto [low, high] = parts.ranges[row];
        const double least = low;
        const double greatest = high;
        const double step = column == 0 ? 0.0 : (greatest - least) / column;
        const double zero = step > 0.0 ? std::nearbyint(-least / step) : 0.0;
        wanted = step * (q - zero);
      }
      ASSERT_NEAR(decoded[row * parts.cols + col],
                  wanted,
                  1e-6 * (1e-3 + std::abs(wanted)))
          << row << ", " << col;
    }
  }
}

TEST_P(ColumnMatrixOf, DequantizesTilesToTheReferencesBits) {
  for (const auto [rows, cols] : kShapes) {
    const PackedMatrix packed =
        Packed(GetParam(), RandomParts(GetParam(), rows, cols));
    const std::vector<float> whole = DequantizedReference(packed);
    for (std::int64_t first = 0; first < rows; first += 5) {
      const std::int64_t count = std::min<std::int64_t>(11, rows - first);
      std::vector<float> tile(count * cols, -1.0F);
      packed.Dequantize(first, count, tile);
      ASSERT_TRUE(
          std::equal(tile.begin(), tile.end(), whole.begin() + first * cols))
          << rows << "x" << cols << " from row " << first;
    }
  }
}

TEST_P(ColumnMatrixOf, MultipliesAsItsDequantizedSelf) {
  for (const std::int64_t tokens : {1, 3, 8, 50}) {
    const auto [rows, cols] = kShapes[3];
    const PackedMatrix packed =
        Packed(GetParam(), RandomParts(GetParam(), rows, cols));
    const std::vector<float> dense = DequantizedReference(packed);
    const std::vector<float> x = NormalFloats(tokens * cols, "x");
    std::vector<float> y(tokens * rows);
    PackedMatMul(x, packed, y, tokens);
    std::vector<float> wanted(y.size());
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t r = 0; r < rows; ++r) {
        double sum = 0.0;
        for (std::int64_t c = 0; c < cols; ++c) {
          sum += double{x[t * cols + c]} * double{dense[r * cols + c]};
        }
        wanted[t * rows + r] = static_cast<float>(sum);
      }
    }
    ExpectWithin(y,
                 wanted,
                 ProductTolerances(x, dense, tokens, cols, rows),
                 std::to_string(tokens) + " tokens");
  }
}

TEST_P(ColumnMatrixOf, TakesTheBytesOfItsRate) {
  const Parts parts = RandomParts(GetParam(), 33, 65);
  for (const int rate : {40000, 51234, 77777}) {
    const BitFormat format = MixedColumns(rate, GetParam());
    const auto packed =
        PackColumns(format, parts.rows, parts.cols, parts.found());
    ASSERT_TRUE(packed) << packed.error().message;
    EXPECT_EQ(packed->size_bytes(), 33 * 65 * std::int64_t{rate} / 80000);
    EXPECT_EQ(packed->size_bytes(), StoredBytes(format, 33, 65));
  }
}

TEST_P(ColumnMatrixOf, RefusesLevelsThatExceedTheRate) {
  const Parts parts = RandomParts(GetParam(), 33, 65);
  const auto packed = PackColumns(
      MixedColumns(15000, GetParam()), parts.rows, parts.cols, parts.found());
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(packed.error().message, HasSubstr("the rate leaves them"));
}

TEST_P(ColumnMatrixOf, ReadsBackWhatItStores) {
  const PackedMatrix packed =
      Packed(GetParam(), RandomParts(GetParam(), 33, 65));
  const auto read = PackedMatrix::FromStored(
      packed.format(),
      33,
      65,
      {packed.codes(), packed.scales(), packed.zero_points()});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(DequantizedReference(*read), DequantizedReference(packed));
}

TEST_P(ColumnMatrixOf, BelievesNoStoredArray) {
  const Parts parts = RandomParts(GetParam(), 33, 65);
  const PackedMatrix packed =
      *PackColumns(MixedColumns(60000, GetParam()), 33, 65, parts.found());
  const auto error = [&](const StoredArrays& arrays) {
    const auto read = PackedMatrix::FromStored(packed.format(), 33, 65, arrays);
    return read ? std::string("accepted") : read.error().message;
  };
  const StoredArrays good{
      packed.codes(), packed.scales(), packed.zero_points()};
  StoredArrays bad = good;
  bad.codes = bad.codes.first(bad.codes.size() - 1);
  EXPECT_THAT(error(bad), HasSubstr("codes have"));
  bad = good;
  bad.scales = bad.scales.first(32);
  EXPECT_THAT(error(bad), HasSubstr("scales have 32 bytes"));
  bad = good;
  bad.zero_points = {};
  EXPECT_THAT(error(bad), HasSubstr("columns have 0 bytes"));
  // All columns at 256 levels: more than there are codes.
  const std::vector<std::byte> most(65, std::byte{255});
  bad = good;
  bad.zero_points = most;
  EXPECT_THAT(error(bad), HasSubstr("levels that take"));
  std::vector<std::byte> tail(good.codes.begin(), good.codes.end());
  tail.back() = std::byte{1};
  bad = good;
  bad.codes = tail;
  EXPECT_THAT(error(bad), HasSubstr("must be 0"));
}

INSTANTIATE_TEST_SUITE_P(Grids,
                         ColumnMatrixOf,
                         testing::Values(ColumnGrid::kScaled,
                                         ColumnGrid::kRange),
                         [](const auto& grid) {
                           return grid.param == ColumnGrid::kScaled ? "Scaled"
                                                                    : "Range";
                         });

TEST(ColumnMatrix, RefusesRangesWithoutZeroOrThatAreNotFinite) {
  const PackedMatrix packed =
      Packed(ColumnGrid::kRange, RandomParts(ColumnGrid::kRange, 33, 65));
  for (const float least : {0.5F, -INFINITY, NAN}) {
    std::vector<std::byte> rows;
    AppendHalf(least, rows);
    AppendHalf(1.0F, rows);
    rows.insert(rows.end(), packed.scales().begin() + 4, packed.scales().end());
    const auto read = PackedMatrix::FromStored(
        packed.format(), 33, 65, {packed.codes(), rows, packed.zero_points()});
    ASSERT_FALSE(read) << least;
    EXPECT_EQ(read.error().code, ErrorCode::kDataLoss);
    EXPECT_THAT(read.error().message, HasSubstr("row 0"));
  }
}

// Mean square error of n evenly spaced values around 0 against the standard
// normal density, by the midpoint rule.
double Distortion(int levels, double step) {
  constexpr int kCells = 20000;
  constexpr double kEnd = 8.0;
  double sum = 0.0;
  for (int i = 0; i < kCells; ++i) {
    const double x = kEnd * (2.0 * (i + 0.5) / kCells - 1.0);
    const double half = 0.5 * (levels - 1);
    const double q =
        step == 0.0
            ? 0.0
            : std::clamp(std::nearbyint(x / step + half), 0.0, 2.0 * half);
    const double error = x - step * (q - half);
    sum += error * error * std::exp(-0.5 * x * x);
  }
  return sum * 2.0 * kEnd / kCells / std::sqrt(2.0 * std::numbers::pi);
}

TEST(ColumnLayout, StepsAreBestForNormalNumbers) {
  for (std::size_t i = 0; i < kLevelCounts.size(); ++i) {
    const int n = kLevelCounts[i];
    const auto index = static_cast<int>(i);
    const double step = NominalStep(index);
    const double at = Distortion(n, step);
    EXPECT_NEAR(at, NominalDistortion(index), 2e-3 * at) << n;
    if (n == 1) continue;
    EXPECT_LT(at, Distortion(n, step * 1.02)) << n;
    EXPECT_LT(at, Distortion(n, step / 1.02)) << n;
  }
}

TEST(ColumnLayout, RowScalesAreWithinASixteenthOctave) {
  EXPECT_EQ(RowScale(RowScaleCode(0.0F)), 0.0F);
  for (float scale = 1e-6F; scale < 200.0F; scale *= 1.37F) {
    const double ratio = double{RowScale(RowScaleCode(scale))} / double{scale};
    EXPECT_LE(std::abs(std::log2(ratio)), 1.0 / 16.0 + 1e-6) << scale;
  }
  EXPECT_EQ(RowScaleCode(1e-30F), 1);
  EXPECT_EQ(RowScaleCode(1e30F), 255);
}

}  // namespace
}  // namespace bitpact
