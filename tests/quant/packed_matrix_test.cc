// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matrix.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

constexpr std::array<std::pair<std::int64_t, std::int64_t>, 7> kShapes = {
    {{1, 1}, {1, 7}, {3, 8}, {5, 33}, {2, 129}, {7, 64}, {4, 100}}};
constexpr std::array kGroupSizes = {0, 1, 3, 8, 16, 32, 64, 100, 1000};

// The size formula, worked out by hand. 2 bits of 64 weights: 16 bytes; one
// float16 scale and one float16 shift.
static_assert(StoredBytes({2, 64}, 1, 64) == 16 + 2 + 2);
// 3 bits of 33 weights: 9 bytes of 2-bit plane, 5 of 1-bit plane; groups of 16,
// 16 and 1.
static_assert(StoredBytes({3, 16}, 5, 33) == 5 * (9 + 5 + 3 * (2 + 2)));
static_assert(StoredBytes({7, 0, ScaleType::kFloat32, ZeroPointType::kNone},
                          2,
                          9) == 2 * (5 + 3 + 2 + 4));
static_assert(StoredBytes({8, 32, ScaleType::kFloat16, ZeroPointType::kUint8},
                          1,
                          40) == 40 + 2 * (2 + 1));
static_assert(RowCodeBytes(5, 17) == 9 + 3);
static_assert(RowCodeBytes(6, 17) == 9 + 5);
static_assert(RowCodeBytes(4, 17) == 9);

TEST(PackedMatrix, TakesTheBytesOfTheFormula) {
  for (const int group_size : kGroupSizes) {
    for (const BitFormat& format : FormatsWithGroup(group_size)) {
      for (const auto& [rows, cols] : kShapes) {
        const PackedMatrix matrix = RandomPacked(format, rows, cols);
        const auto stored = static_cast<std::int64_t>(
            matrix.codes().size() + matrix.scales().size() +
            matrix.zero_points().size());
        EXPECT_EQ(stored, StoredBytes(format, rows, cols))
            << FormatName(format);
        EXPECT_EQ(matrix.size_bytes(), stored) << FormatName(format);
      }
    }
  }
}

TEST(PackedMatrix, GivesEveryCodeBack) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (std::int64_t cols = 1; cols <= 67; ++cols) {
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(3 * cols));
      for (std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] = static_cast<std::uint8_t>((i * 37 + 11) % (1U << bits));
      }
      const std::vector<float> ones(3, 1.0F);
      const PackedMatrix matrix =
          PackedMatrix::Pack({.bits = bits}, 3, cols, codes, ones, ones);
      for (std::int64_t i = 0; i < 3 * cols; ++i) {
        ASSERT_EQ(matrix.Code(i / cols, i % cols),
                  codes[static_cast<std::size_t>(i)])
            << bits << " bits, " << cols << " columns, code " << i;
      }
    }
  }
}

TEST(PackedMatrix, PutsPlanesLowestFirstAndLittleEndFirst) {
  // Codes 0..7, then 5: low two bits 0123 0123 1, high bits 0000 1111 1.
  const std::vector<std::uint8_t> codes = {0, 1, 2, 3, 4, 5, 6, 7, 5};
  const std::vector<float> one = {1.0F};
  const PackedMatrix matrix =
      PackedMatrix::Pack({.bits = 3}, 1, 9, codes, one, one);
  const std::vector<std::byte> expected = {std::byte{0b11100100},
                                           std::byte{0b11100100},
                                           std::byte{0b00000001},
                                           std::byte{0b11110000},
                                           std::byte{0b00000001}};
  EXPECT_THAT(matrix.codes(), testing::ElementsAreArray(expected));
}

TEST(PackedMatrix, LeavesUnusedBitsZero) {
  for (int bits = 2; bits <= 7; ++bits) {
    const std::vector<std::uint8_t> codes(
        1, static_cast<std::uint8_t>((1U << bits) - 1));
    const std::vector<float> one = {1.0F};
    const PackedMatrix matrix =
        PackedMatrix::Pack({.bits = bits}, 1, 1, codes, one, one);
    int ones = 0;
    for (const std::byte byte : matrix.codes()) {
      ones += std::popcount(std::to_integer<unsigned>(byte));
    }
    EXPECT_EQ(ones, bits);
  }
}

TEST(PackedMatrix, DecodesAsTheFormatSays) {
  const std::vector<std::uint8_t> codes = {0, 1, 2, 3};
  const std::vector<float> scales = {0.5F};
  const std::vector<float> shift = {0.75F};
  const std::vector<float> zero_point = {2.0F};
  const PackedMatrix floating =
      PackedMatrix::Pack({.bits = 2}, 1, 4, codes, scales, shift);
  EXPECT_THAT(DequantizedReference(floating),
              testing::ElementsAre(-0.75F, -0.25F, 0.25F, 0.75F));
  const PackedMatrix integer =
      PackedMatrix::Pack({.bits = 2, .zero_point_type = ZeroPointType::kUint8},
                         1,
                         4,
                         codes,
                         scales,
                         zero_point);
  EXPECT_THAT(DequantizedReference(integer),
              testing::ElementsAre(-1.0F, -0.5F, 0.0F, 0.5F));
  const PackedMatrix symmetric =
      PackedMatrix::Pack({.bits = 2, .zero_point_type = ZeroPointType::kNone},
                         1,
                         4,
                         codes,
                         scales,
                         {});
  EXPECT_THAT(DequantizedReference(symmetric),
              testing::ElementsAre(-1.0F, -0.5F, 0.0F, 0.5F));
}

TEST(PackedMatrix, ReadsItsOwnArraysBack) {
  for (const BitFormat& format : FormatsWithGroup(16)) {
    const PackedMatrix matrix = RandomPacked(format, 3, 37);
    const auto read = PackedMatrix::FromStored(
        format, 3, 37, {matrix.codes(), matrix.scales(), matrix.zero_points()});
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(DequantizedReference(*read), DequantizedReference(matrix));
    EXPECT_EQ(read->format(), format);
    EXPECT_EQ(read->rows(), 3);
    EXPECT_EQ(read->cols(), 37);
  }
}

TEST(PackedMatrix, LooksAtMappedArraysWhereTheyLie) {
  const PackedMatrix matrix =
      RandomPacked({.bits = 3, .group_size = 16}, 3, 37);
  // One byte off, as in a file of somebody else.
  auto bytes = std::make_shared<std::vector<std::byte>>(1);
  for (const auto part :
       {matrix.codes(), matrix.scales(), matrix.zero_points()}) {
    bytes->insert(bytes->end(), part.begin(), part.end());
  }
  const std::span<const std::byte> all = std::span(*bytes).subspan(1);
  const std::size_t codes = matrix.codes().size();
  const std::size_t scales = matrix.scales().size();
  const std::weak_ptr<std::vector<std::byte>> watch = bytes;
  auto read = PackedMatrix::FromMapped(matrix.format(),
                                       3,
                                       37,
                                       {all.first(codes),
                                        all.subspan(codes, scales),
                                        all.subspan(codes + scales)},
                                       std::move(bytes));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->codes().data(), all.data());
  EXPECT_EQ(read->scales().data(), all.data() + codes);
  EXPECT_EQ(read->zero_points().data(), all.data() + codes + scales);
  EXPECT_EQ(DequantizedReference(*read), DequantizedReference(matrix));
  std::vector<float> fast(3 * 37);
  read->Dequantize(0, 3, fast);
  EXPECT_EQ(fast, DequantizedReference(matrix));
  read = PackedMatrix();
  EXPECT_TRUE(watch.expired());
}

TEST(PackedMatrix, DequantizesAnyRowsAsTheReferenceDoes) {
  const PackedMatrix matrix =
      RandomPacked({.bits = 5, .group_size = 12}, 9, 50);
  const std::vector<float> all = DequantizedReference(matrix);
  std::vector<float> some(4 * 50);
  matrix.Dequantize(3, 4, some);
  EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin() + 3 * 50));
  matrix.Dequantize(9, 0, {});
}

struct StoredParts {
  std::vector<std::byte> codes;
  std::vector<std::byte> scales;
  std::vector<std::byte> zero_points;
};

constexpr BitFormat kStoredFormat = {.bits = 3, .group_size = 16};

StoredParts GoodParts() {
  const PackedMatrix matrix = RandomPacked(kStoredFormat, 3, 37);
  return {{matrix.codes().begin(), matrix.codes().end()},
          {matrix.scales().begin(), matrix.scales().end()},
          {matrix.zero_points().begin(), matrix.zero_points().end()}};
}

Error ErrorOf(const StoredParts& parts,
              const BitFormat& format = kStoredFormat,
              std::int64_t rows = 3,
              std::int64_t cols = 37) {
  const auto read = PackedMatrix::FromStored(
      format, rows, cols, {parts.codes, parts.scales, parts.zero_points});
  return read ? Error{ErrorCode::kInternal, "no error"} : read.error();
}

TEST(PackedMatrix, RejectsCodesOfAnotherLength) {
  StoredParts parts = GoodParts();
  parts.codes.pop_back();
  const Error error = ErrorOf(parts);
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message,
              HasSubstr("codes have 44 bytes, the format takes 45"));
}

TEST(PackedMatrix, RejectsScalesOfAnotherLength) {
  StoredParts parts = GoodParts();
  parts.scales.emplace_back();
  const Error error = ErrorOf(parts);
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("scales have 19 bytes"));
}

TEST(PackedMatrix, RejectsZeroPointsOfASymmetricFormat) {
  StoredParts parts = GoodParts();
  BitFormat format = kStoredFormat;
  format.zero_point_type = ZeroPointType::kNone;
  const Error error = ErrorOf(parts, format);
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("zero_points have 18 bytes"));
}

TEST(PackedMatrix, RejectsAScaleThatIsNotFinite) {
  StoredParts parts = GoodParts();
  const std::uint16_t infinity = 0x7c00;
  std::memcpy(&parts.scales[2 * 4], &infinity, sizeof(infinity));
  const Error error = ErrorOf(parts);
  EXPECT_EQ(error.code, ErrorCode::kDataLoss);
  EXPECT_THAT(error.message, HasSubstr("scales of row 1, group 1"));
}

TEST(PackedMatrix, RejectsAShiftThatIsNotFinite) {
  BitFormat format = kStoredFormat;
  format.zero_point_type = ZeroPointType::kFloat32;
  const PackedMatrix matrix = RandomPacked(format, 3, 37);
  StoredParts parts = {
      {matrix.codes().begin(), matrix.codes().end()},
      {matrix.scales().begin(), matrix.scales().end()},
      {matrix.zero_points().begin(), matrix.zero_points().end()}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(&parts.zero_points[4 * 8], &nan, sizeof(nan));
  const Error error = ErrorOf(parts, format);
  EXPECT_EQ(error.code, ErrorCode::kDataLoss);
  EXPECT_THAT(error.message, HasSubstr("zero_points of row 2, group 2"));
}

TEST(PackedMatrix, RejectsAZeroPointThatIsNoCode) {
  BitFormat format = kStoredFormat;
  format.zero_point_type = ZeroPointType::kUint8;
  StoredParts parts = GoodParts();
  parts.zero_points.assign(9, std::byte{7});
  EXPECT_EQ(ErrorOf(parts, format).message, "no error");
  parts.zero_points[5] = std::byte{8};
  const Error error = ErrorOf(parts, format);
  EXPECT_EQ(error.code, ErrorCode::kDataLoss);
  EXPECT_THAT(error.message,
              HasSubstr("zero_points of row 1, group 2 = 8 violates"));
}

TEST(PackedMatrix, RejectsABrokenFormatOrShape) {
  const StoredParts parts = GoodParts();
  EXPECT_THAT(ErrorOf(parts, {.bits = 9}).message, HasSubstr("bits = 9"));
  EXPECT_THAT(ErrorOf(parts, kStoredFormat, 0, 37).message,
              HasSubstr("shape 0 x 37"));
  EXPECT_THAT(ErrorOf(parts, kStoredFormat, 3, std::int64_t{1} << 40U).message,
              HasSubstr("violates"));
}

TEST(PackedMatrixDeathTest, ChecksItsCallersLengths) {
  const std::vector<std::uint8_t> codes(6);
  const std::vector<float> ones(2, 1.0F);
  EXPECT_DEATH(PackedMatrix::Pack({}, 2, 4, codes, ones, ones),
               "codes are \\[rows, cols\\]");
  EXPECT_DEATH(PackedMatrix::Pack({}, 2, 3, codes, ones, {}),
               "one shift a group");
}

TEST(RoundToStored, RoundsFloat16ToNearestEven) {
  EXPECT_EQ(RoundToStored(ScaleType::kFloat16, 1.0F + 0x1p-11F), 1.0F);
  EXPECT_EQ(RoundToStored(ScaleType::kFloat16, 1.0F + 0x1.8p-10F),
            1.0F + 0x1p-9F);
  EXPECT_EQ(RoundToStored(ScaleType::kFloat16, 65519.0F), 65504.0F);
  EXPECT_TRUE(std::isinf(RoundToStored(ScaleType::kFloat16, 65520.0F)));
  EXPECT_EQ(RoundToStored(ScaleType::kFloat16, 0x1p-24F), 0x1p-24F);
  EXPECT_EQ(RoundToStored(ScaleType::kFloat16, 0x1p-25F), 0.0F);
  EXPECT_EQ(RoundToStored(ZeroPointType::kFloat16, -1.0F - 0x1p-11F), -1.0F);
}

TEST(RoundToStored, KeepsFloat32) {
  EXPECT_EQ(RoundToStored(ScaleType::kFloat32, 0.1F), 0.1F);
  EXPECT_EQ(RoundToStored(ZeroPointType::kFloat32, 0.1F), 0.1F);
}

}  // namespace
}  // namespace bitpact
