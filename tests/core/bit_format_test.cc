// SPDX-License-Identifier: Apache-2.0
#include "core/bit_format.h"

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

std::vector<BitFormat> AllFormats() {
  std::vector<BitFormat> formats;
  for (int bits = 2; bits <= 8; ++bits) {
    for (const int group_size : {0, 1, 32, 64, 100, 2147483647}) {
      for (const auto scale : {ScaleType::kFloat16, ScaleType::kFloat32}) {
        for (const auto zero_point : {ZeroPointType::kNone,
                                      ZeroPointType::kUint8,
                                      ZeroPointType::kFloat16,
                                      ZeroPointType::kFloat32}) {
          formats.push_back({bits, group_size, scale, zero_point});
        }
      }
    }
  }
  return formats;
}

TEST(FormatName, ReadsBackForEveryFormat) {
  std::set<std::string> names;
  for (const BitFormat& format : AllFormats()) {
    const std::string name = FormatName(format);
    const auto parsed = ParseFormatName(name);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, format) << name;
    EXPECT_TRUE(names.insert(name).second) << name << " names two formats";
  }
}

TEST(FormatName, ReadsBackForEveryRateOfMixedColumns) {
  for (int rate = 1; rate <= kMostRate; ++rate) {
    for (const auto grid : {ColumnGrid::kScaled, ColumnGrid::kRange}) {
      const BitFormat format = MixedColumns(rate, grid);
      const auto parsed = ParseFormatName(FormatName(format));
      ASSERT_TRUE(parsed) << parsed.error().message;
      ASSERT_EQ(*parsed, format);
    }
  }
}

TEST(FormatName, ReadsBackForEveryShareOfHighRows) {
  for (const BitFormat& plain : AllFormats()) {
    for (const int high : {3, 8, kFloat16Bits}) {
      if (high <= plain.bits) continue;
      for (const int share : {1, 10, 200, 1234, 5000, kRatioUnits}) {
        const BitFormat format = RowMix(plain, high, share);
        const auto parsed = ParseFormatName(FormatName(format));
        ASSERT_TRUE(parsed) << parsed.error().message;
        ASSERT_EQ(*parsed, format);
      }
    }
  }
}

TEST(FormatName, IsAsDocumented) {
  EXPECT_EQ(FormatName(RowMix({.bits = 2, .group_size = 64}, 3, 1000)),
            "int2-g64-asym+int3x0.1");
  EXPECT_EQ(FormatName(RowMix({.bits = 2, .group_size = 64}, 16, 200)),
            "int2-g64-asym+f16x0.02");
  EXPECT_EQ(FormatName(MixedColumns(20000)), "col2");
  EXPECT_EQ(FormatName(MixedColumns(22500)), "col2.25");
  EXPECT_EQ(FormatName(MixedColumns(31416, ColumnGrid::kRange)),
            "col3.1416-range");
  EXPECT_EQ(FormatName({.bits = 4, .group_size = 64}), "int4-g64-asym");
  EXPECT_EQ(FormatName({3, 0, ScaleType::kFloat16, ZeroPointType::kNone}),
            "int3-row-sym");
  EXPECT_EQ(FormatName({4, 128, ScaleType::kFloat16, ZeroPointType::kUint8}),
            "int4-g128-u8zp");
  EXPECT_EQ(FormatName({2, 64, ScaleType::kFloat32, ZeroPointType::kFloat32}),
            "int2-g64-asym-f32");
}

TEST(ParseFormatName, RejectsEveryOtherSpelling) {
  for (const char* name : {"",
                           "col",
                           "col0",
                           "col2.",
                           "col2.50",
                           "col02",
                           "col-2",
                           "col9.1",
                           "col2.12345",
                           "col2-rang",
                           "int",
                           "int4",
                           "4",
                           "int4-g64",
                           "int4-g64-",
                           "int4-g64-asymm",
                           "int4-g64-asym ",
                           " int4-g64-asym",
                           "INT4-g64-asym",
                           "int04-g64-asym",
                           "int4-g064-asym",
                           "int4-g0-asym",
                           "int4-g-64-asym",
                           "int-4-g64-asym",
                           "int1-g64-asym",
                           "int9-g64-asym",
                           "int4-g64-sym-asym",
                           "int4-row-row-asym",
                           "int4-g64-asym-f16",
                           "int4-g64-asym-f32-f32",
                           "int4-g64-f32zp-f32",
                           "int4-g64-sym-f32f16zp",
                           "int4-g64-asym-f32zp",
                           "int4-g99999999999-asym",
                           "int99999999999-g64-asym",
                           "int4-g64.0-asym",
                           "int4_g64_asym",
                           "row-int4-asym",
                           "int2-g64-asym+",
                           "int2-g64-asym+int3",
                           "int2-g64-asym+int3x",
                           "int2-g64-asym+int3x0",
                           "int2-g64-asym+int3x0.10",
                           "int2-g64-asym+int3x1.1",
                           "int2-g64-asym+int2x0.1",
                           "int3-g64-asym+int2x0.1",
                           "int2-g64-asym+int9x0.1",
                           "int2-g64-asym+int0x0.1",
                           "int2-g64-asym+int16x0.1",
                           "int2-g64-asym+int3x0.00001",
                           "int2-g64-asym+int3x0.1+int4x0.1",
                           "int2-g64+int3x0.1",
                           "col2.25+int3x0.1",
                           "int4-g64-asym\n"}) {
    const auto parsed = ParseFormatName(name);
    ASSERT_FALSE(parsed) << name;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(parsed.error().message,
                HasSubstr("'" + std::string(name) + "'"));
  }
}

TEST(ValidateBitFormat, NamesFieldValueAndRule) {
  EXPECT_TRUE(Validate(BitFormat{}));
  EXPECT_EQ(Validate(BitFormat{.bits = 1}).error().message,
            "bits = 1 violates 2 <= bits <= 8");
  EXPECT_EQ(Validate(BitFormat{.bits = 9}).error().message,
            "bits = 9 violates 2 <= bits <= 8");
  EXPECT_EQ(Validate(BitFormat{.bits = 4, .group_size = -1}).error().message,
            "group_size = -1 violates group_size >= 0");
  EXPECT_EQ(Validate(BitFormat{.bits = 4, .high_bits = 3, .high_rows_e4 = 1})
                .error()
                .message,
            "high_bits = 3 violates bits = 4 < high_bits <= 8, or 16 for "
            "float16");
  EXPECT_EQ(Validate(BitFormat{.bits = 2, .high_bits = 3}).error().message,
            "high_rows_e4 = 0 violates 1 <= high_rows_e4 <= 10000");
  EXPECT_EQ(Validate(BitFormat{.high_rows_e4 = 5}).error().message,
            "high_rows_e4 = 5 goes with high_bits, which is 0");
}

TEST(RowMix, OfNoRowsIsThePlainFormat) {
  const BitFormat plain = {.bits = 2, .group_size = 32};
  EXPECT_EQ(RowMix(plain, 3, 0), plain);
  EXPECT_EQ(LowFormat(RowMix(plain, 3, 100)), plain);
  EXPECT_EQ(HighFormat(RowMix(plain, 3, 100)),
            (BitFormat{.bits = 3, .group_size = 32}));
}

TEST(RowMix, TakesTheBytesOfBothKindsOfRowsAndOfTheMap) {
  const BitFormat plain = {.bits = 2, .group_size = 32};
  BitFormat wide = plain;
  wide.bits = 3;
  for (const std::int64_t rows : {1, 7, 8, 64, 172}) {
    for (const int share : {1, 500, 3333, kRatioUnits}) {
      const BitFormat format = RowMix(plain, 3, share);
      const std::int64_t high = HighRows(format, rows);
      EXPECT_EQ(high, std::llround(double(rows * share) / 10000.0));
      EXPECT_EQ(StoredBytes(format, rows, 100),
                (rows + 7) / 8 + StoredBytes(wide, high, 100) +
                    StoredBytes(plain, rows - high, 100));
      EXPECT_EQ(
          StoredBytes(RowMix(plain, kFloat16Bits, share), rows, 100),
          (rows + 7) / 8 + high * 200 + StoredBytes(plain, rows - high, 100));
    }
  }
}

TEST(QuantoGroupSize, IsTheWantedOneWhereItDivides) {
  EXPECT_EQ(QuantoGroupSize(128, 4096), 128);
  EXPECT_EQ(QuantoGroupSize(64, 192), 64);
  EXPECT_EQ(QuantoGroupSize(16, 48), 16);
}

TEST(QuantoGroupSize, ShrinksBy32UntilItDivides) {
  EXPECT_EQ(QuantoGroupSize(128, 288), 96);
  EXPECT_EQ(QuantoGroupSize(128, 320), 64);
  EXPECT_EQ(QuantoGroupSize(128, 11008), 128);
  EXPECT_EQ(QuantoGroupSize(128, 160), 32);
}

TEST(QuantoGroupSize, IsTheRowWhereNothingDividesOrTheRowIsShort) {
  EXPECT_EQ(QuantoGroupSize(128, 172), 0);
  EXPECT_EQ(QuantoGroupSize(128, 128), 0);
  EXPECT_EQ(QuantoGroupSize(128, 64), 0);
  EXPECT_EQ(QuantoGroupSize(20, 50), 0);
  EXPECT_EQ(QuantoGroupSize(0, 64), 0);
}

static_assert(GroupsPerRow({.bits = 4, .group_size = 64}, 129) == 3);
static_assert(GroupsPerRow({.bits = 4, .group_size = 64}, 64) == 1);
static_assert(GroupsPerRow({.bits = 4, .group_size = 0}, 64) == 1);
static_assert(GroupsPerRow({.bits = 4, .group_size = 2147483647}, 64) == 1);

// Every width is the sum of its planes.
static_assert([] {
  for (int bits = 2; bits <= 8; ++bits) {
    int sum = 0;
    for (const int plane : PlaneBits(bits)) sum += plane;
    if (sum != bits || RowCodeBytes(bits, 64) != bits * 8) return false;
  }
  return true;
}());

TEST(StoredBytes, OfMixedColumnsIsTheRateOrWhatTheGridsTake) {
  EXPECT_EQ(StoredBytes(MixedColumns(20000), 64, 172), 64 * 172 / 4);
  EXPECT_EQ(StoredBytes(MixedColumns(22500), 7, 9), 63 * 9 / 32);
  EXPECT_EQ(StoredBytes(MixedColumns(1), 7, 9), 7 + 9);
  EXPECT_EQ(StoredBytes(MixedColumns(1, ColumnGrid::kRange), 7, 9), 4 * 7 + 9);
  // The largest matrix a file may state.
  constexpr std::int64_t kLargest = std::int64_t{1} << 30U;
  EXPECT_EQ(StoredBytes(MixedColumns(80000), kLargest, kLargest),
            kLargest * kLargest);
}

TEST(Validate, AcceptsMixedColumnsAsTheyAreMadeOnly) {
  EXPECT_TRUE(Validate(MixedColumns(kMostRate)));
  EXPECT_FALSE(Validate(MixedColumns(kMostRate + 1)));
  EXPECT_FALSE(Validate(MixedColumns(0)));
  BitFormat changed = MixedColumns(20000);
  changed.group_size = 64;
  EXPECT_FALSE(Validate(changed));
}

}  // namespace
}  // namespace bitpact
