// SPDX-License-Identifier: Apache-2.0
#include "quant/row_matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/half.h"
#include "quant/packed_matmul.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

// A row mix with random rows and codes, and what it is made of.
struct Mixed {
  std::vector<std::int32_t> high_rows;
  PackedMatrix high;
  PackedMatrix low;
  std::vector<float> dense;
  PackedMatrix whole;
};

Mixed RandomMixed(const BitFormat& format,
                  std::int64_t rows,
                  std::int64_t cols) {
  Mixed mixed;
  const std::int64_t high_rows = HighRows(format, rows);
  RandomStream random(3, "rows/" + std::to_string(rows));
  std::vector<std::int32_t> all;
  for (std::int32_t row = 0; row < rows; ++row) all.push_back(row);
  for (std::size_t i = all.size(); i-- > 1;) {
    std::swap(all[i], all[random.UniformInt(i + 1)]);
  }
  mixed.high_rows.assign(all.begin(), all.begin() + high_rows);
  std::ranges::sort(mixed.high_rows);
  RowParts parts = {.high_rows = mixed.high_rows};
  if (format.high_bits == kFloat16Bits) {
    mixed.dense = NormalFloats(high_rows * cols, "float16 rows");
    parts.dense = mixed.dense;
  } else if (high_rows > 0) {
    mixed.high = RandomPacked(HighFormat(format), high_rows, cols);
    parts.high = &mixed.high;
  }
  if (high_rows < rows) {
    mixed.low = RandomPacked(LowFormat(format), rows - high_rows, cols);
    parts.low = &mixed.low;
  }
  mixed.whole = PackRows(format, rows, cols, parts);
  return mixed;
}

// Every row from the part it belongs to, by the order of rows alone.
std::vector<float> Joined(const Mixed& mixed,
                          std::int64_t rows,
                          std::int64_t cols) {
  std::vector<float> joined;
  std::int64_t high = 0;
  std::int64_t low = 0;
  for (std::int32_t row = 0; row < rows; ++row) {
    std::vector<float> one(static_cast<std::size_t>(cols));
    if (!std::ranges::binary_search(mixed.high_rows, row)) {
      mixed.low.DequantizeReference(low++, 1, one);
    } else if (mixed.dense.empty()) {
      mixed.high.DequantizeReference(high++, 1, one);
    } else {
      for (std::int64_t i = 0; i < cols; ++i) {
        one[i] = RoundToHalf(mixed.dense[high * cols + i]);
      }
      ++high;
    }
    joined.insert(joined.end(), one.begin(), one.end());
  }
  return joined;
}

std::vector<BitFormat> Mixes() {
  std::vector<BitFormat> formats;
  for (const BitFormat& plain : FormatsWithGroup(32)) {
    for (const int high : {3, 4, 8, kFloat16Bits}) {
      if (high > plain.bits) formats.push_back(RowMix(plain, high, 3000));
    }
  }
  for (const int high : {3, kFloat16Bits}) {
    for (const int share : {1, 5000, kRatioUnits}) {
      formats.push_back(RowMix({.bits = 2, .group_size = 0}, high, share));
    }
  }
  return formats;
}

struct Shape {
  std::int64_t rows;
  std::int64_t cols;
};
constexpr Shape kShapes[] = {
    {1, 1}, {7, 45}, {16, 31}, {33, 65}, {130, 47}, {64, 172}};

TEST(RowMatrix, GivesEveryRowItsPartsWeights) {
  for (const BitFormat& format : Mixes()) {
    for (const auto [rows, cols] : kShapes) {
      const Mixed mixed = RandomMixed(format, rows, cols);
      const std::vector<float> joined = Joined(mixed, rows, cols);
      EXPECT_EQ(DequantizedReference(mixed.whole), joined)
          << FormatName(format) << " " << rows << "x" << cols;
      std::vector<float> all(joined.size());
      mixed.whole.Dequantize(0, rows, all);
      EXPECT_EQ(all, joined) << FormatName(format);
      EXPECT_EQ(mixed.whole.size_bytes(), StoredBytes(format, rows, cols));
    }
  }
}

TEST(RowMatrix, DequantizesTilesInTheOrderOfRows) {
  for (const int high : {3, kFloat16Bits}) {
    const Mixed mixed =
        RandomMixed(RowMix({.bits = 2, .group_size = 20}, high, 2500), 33, 65);
    const std::vector<float> joined = Joined(mixed, 33, 65);
    for (std::int64_t first = 0; first < 33; first += 5) {
      const std::int64_t count = std::min<std::int64_t>(11, 33 - first);
      std::vector<float> tile(count * 65, -1.0F);
      mixed.whole.Dequantize(first, count, tile);
      EXPECT_TRUE(
          std::equal(tile.begin(), tile.end(), joined.begin() + first * 65));
    }
  }
}

TEST(RowMatrix, KeepsCodes) {
  const Mixed mixed =
      RandomMixed(RowMix({.bits = 2, .group_size = 16}, 5, 4000), 21, 37);
  std::int64_t high = 0;
  std::int64_t low = 0;
  for (std::int32_t row = 0; row < 21; ++row) {
    const bool is_high = std::ranges::binary_search(mixed.high_rows, row);
    for (std::int64_t col = 0; col < 37; ++col) {
      EXPECT_EQ(
          mixed.whole.Code(row, col),
          is_high ? mixed.high.Code(high, col) : mixed.low.Code(low, col));
    }
    ++(is_high ? high : low);
  }
}

TEST(RowMatrix, MultipliesAsItsDequantizedSelf) {
  for (const BitFormat& format : Mixes()) {
    for (const auto [rows, cols] : kShapes) {
      const PackedMatrix packed = RandomMixed(format, rows, cols).whole;
      const std::vector<float> dense = DequantizedReference(packed);
      for (const std::int64_t tokens : {1, 2, 7, 8, 33}) {
        const std::vector<float> x = NormalFloats(tokens * cols, "x");
        std::vector<float> y(tokens * rows, -1.0F);
        PackedMatMul(x, packed, y, tokens);
        // Sums of codes and of inputs taken apart lose what |scale * q| and
        // |shift| exceed |w| by, in these matrices less than 64 times; where
        // all weights cancel to 0, their parts of about 1 are left.
        std::vector<double> tolerances =
            ProductTolerances(x, dense, tokens, cols, rows);
        double most = 0x1p-24 * static_cast<double>(cols);
        for (const double tolerance : tolerances) {
          most = std::max(most, tolerance);
        }
        for (std::int64_t t = 0; t < tokens; ++t) {
          for (std::int64_t r = 0; r < rows; ++r) {
            double sum = 0.0;
            for (std::int64_t c = 0; c < cols; ++c) {
              sum += double{x[t * cols + c]} * double{dense[r * cols + c]};
            }
            ASSERT_NEAR(y[t * rows + r], sum, 64.0 * most)
                << FormatName(format) << " " << rows << "x" << cols << ", "
                << tokens << " tokens, row " << r;
          }
        }
      }
    }
  }
}

// Inference from two segments is inference from two matrices.
TEST(RowMatrix, MultipliesFewTokensToItsPartsBits) {
  const Mixed mixed =
      RandomMixed(RowMix({.bits = 2, .group_size = 32}, 3, 3000), 40, 96);
  const std::vector<float> x = NormalFloats(3 * 96, "x");
  std::vector<float> y(3 * 40);
  PackedMatMul(x, mixed.whole, y, 3);
  std::vector<float> high(3 * 12);
  std::vector<float> low(3 * 28);
  PackedMatMul(x, mixed.high, high, 3);
  PackedMatMul(x, mixed.low, low, 3);
  for (std::int64_t t = 0; t < 3; ++t) {
    std::size_t next_high = 0;
    std::size_t next_low = 0;
    for (std::int32_t row = 0; row < 40; ++row) {
      const bool is_high = std::ranges::binary_search(mixed.high_rows, row);
      EXPECT_EQ(
          y[t * 40 + row],
          is_high ? high[t * 12 + next_high++] : low[t * 28 + next_low++]);
    }
  }
}

TEST(RowMatrix, ReadsBackWhatItStores) {
  for (const BitFormat& format : Mixes()) {
    const PackedMatrix packed = RandomMixed(format, 33, 65).whole;
    const std::vector<float> dense = DequantizedReference(packed);
    Expected<PackedMatrix> read = PackedMatrix::FromStored(
        format,
        33,
        65,
        {packed.codes(), packed.scales(), packed.zero_points()});
    ASSERT_TRUE(read) << read.error().message;
    // A copy must not look at the bytes of what it was copied from.
    PackedMatrix copy = *read;
    read = PackedMatrix();
    EXPECT_EQ(DequantizedReference(copy), dense) << FormatName(format);
  }
}

class HostileRows : public testing::Test {
 protected:
  explicit HostileRows(int high_bits = 3)
      : format_(RowMix({.bits = 2, .group_size = 32}, high_bits, 3000)),
        packed_(RandomMixed(format_, 20, 65).whole),
        codes_(packed_.codes().begin(), packed_.codes().end()),
        scales_(packed_.scales().begin(), packed_.scales().end()),
        shifts_(packed_.zero_points().begin(), packed_.zero_points().end()) {}

  [[nodiscard]] Error Read() const {
    const auto read =
        PackedMatrix::FromStored(format_, 20, 65, {codes_, scales_, shifts_});
    return read ? Error{ErrorCode::kInternal, "accepted"} : read.error();
  }

  BitFormat format_;
  PackedMatrix packed_;
  std::vector<std::byte> codes_;
  std::vector<std::byte> scales_;
  std::vector<std::byte> shifts_;
};

TEST_F(HostileRows, OfWrongLengthsAreRefused) {
  codes_.pop_back();
  EXPECT_THAT(Read().message, HasSubstr("codes have"));
  EXPECT_EQ(Read().code, ErrorCode::kInvalidArgument);
  codes_.push_back(std::byte{0});
  scales_.pop_back();
  EXPECT_THAT(Read().message, HasSubstr("scales have"));
  scales_.push_back(std::byte{0});
  shifts_.clear();
  EXPECT_THAT(Read().message, HasSubstr("zero_points have 0 bytes"));
}

TEST_F(HostileRows, WithAMapOfAnotherCountAreRefused) {
  codes_[0] = std::byte{0};
  EXPECT_EQ(Read().code, ErrorCode::kDataLoss);
  EXPECT_THAT(Read().message, HasSubstr("the format has 6"));
}

TEST_F(HostileRows, WithABitBehindTheLastRowAreRefused) {
  // Six ones, one of them at row 23 of 20.
  codes_[0] = std::byte{31};
  codes_[1] = std::byte{0};
  codes_[2] = std::byte{128};
  EXPECT_EQ(Read().code, ErrorCode::kDataLoss);
  EXPECT_THAT(Read().message, HasSubstr("behind the last row"));
}

TEST_F(HostileRows, WithInfiniteScalesAreRefused) {
  scales_[0] = std::byte{0};
  scales_[1] = std::byte{0x7c};
  EXPECT_EQ(Read().code, ErrorCode::kDataLoss);
  EXPECT_THAT(Read().message, HasSubstr("among the high rows"));
}

class HostileHalves : public HostileRows {
 protected:
  HostileHalves() : HostileRows(kFloat16Bits) {}
};

TEST_F(HostileHalves, ThatAreNotFiniteAreRefused) {
  // The map takes three bytes; then the first high row.
  codes_[3] = std::byte{1};
  codes_[4] = std::byte{0x7c};
  EXPECT_EQ(Read().code, ErrorCode::kDataLoss);
  EXPECT_THAT(Read().message, HasSubstr("column 0 is not finite"));
}

}  // namespace
}  // namespace bitpact
