// SPDX-License-Identifier: Apache-2.0
#include "quant/gptq_layout.h"

#include <algorithm>
#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

std::span<const std::byte> Bytes(const auto& values) {
  return std::as_bytes(std::span(values));
}

StoredGptqArrays Stored(const GptqArrays& arrays) {
  return {Bytes(arrays.qweight),
          Bytes(arrays.qzeros),
          Bytes(arrays.scales),
          Bytes(arrays.g_idx)};
}

// Output 3 of 32 has codes 1, 2, 3, ... modulo 2^bits; the others are 0.
PackedMatrix OneLine(int bits) {
  const BitFormat format = {
      .bits = bits, .group_size = 32, .zero_point_type = ZeroPointType::kUint8};
  std::vector<std::uint8_t> codes(32 * 64);
  for (std::size_t col = 0; col < 64; ++col) {
    codes[3 * 64 + col] =
        static_cast<std::uint8_t>((col + 1) & ((1U << unsigned(bits)) - 1U));
  }
  std::vector<float> scales(32 * 2, 1.0F);
  scales[3 * 2 + 1] = 0.5F;
  std::vector<float> zeros(32 * 2, 1.0F);
  zeros[3 * 2] = 2.0F;
  zeros[10 * 2 + 1] = 3.0F;
  return PackedMatrix::Pack(format, 32, 64, codes, scales, zeros);
}

// Words packed by hand from the definition in AutoGPTQ's qlinear (shifts 0, 4,
// ... for 4 bits).
TEST(GptqLayout, PutsFourBitCodesIntoWordsLowestFirst) {
  const GptqArrays arrays = ToGptqArrays(OneLine(4));
  ASSERT_EQ(arrays.qweight.size(), 8U * 32U);
  EXPECT_EQ(arrays.qweight[0 * 32 + 3], 0x87654321U);
  EXPECT_EQ(arrays.qweight[1 * 32 + 3], 0x0fedcba9U);
  EXPECT_EQ(arrays.qweight[1 * 32 + 4], 0U);
  // z - 1: output 3 of group 0 has 1, output 10 of group 1 has 2.
  EXPECT_EQ(arrays.qzeros,
            (std::vector<std::uint32_t>{0x1000, 0, 0, 0, 0, 0x200, 0, 0}));
  std::uint16_t half = 0;
  std::memcpy(&half, &arrays.scales[2 * (32 + 3)], 2);
  EXPECT_EQ(half, 0x3800);  // 0.5 at [group 1, output 3]
  EXPECT_EQ(arrays.g_idx[31], 0);
  EXPECT_EQ(arrays.g_idx[32], 1);
}

TEST(GptqLayout, PutsTwoAndEightBitCodesIntoWordsLowestFirst) {
  EXPECT_EQ(ToGptqArrays(OneLine(2)).qweight[3], 0x39393939U);
  EXPECT_EQ(ToGptqArrays(OneLine(8)).qweight[32 + 3], 0x08070605U);
}

// 1 2 3 4 5 6 7 0 ... in three words: code 10 (3 = 0b011) has its two low bits
// in word 0, code 21 (6 = 0b110) its low bit in word 1.
TEST(GptqLayout, LetsThreeBitCodesCrossWords) {
  const GptqArrays arrays = ToGptqArrays(OneLine(3));
  ASSERT_EQ(arrays.qweight.size(), 6U * 32U);
  const auto code = [](unsigned k) { return (k + 1) % 8; };
  std::uint32_t word0 = 0;
  for (unsigned k = 0; k < 10; ++k) word0 |= code(k) << (3 * k);
  word0 |= (code(10) & 3U) << 30U;
  std::uint32_t word1 = code(10) >> 2U;
  for (unsigned k = 11; k < 21; ++k) word1 |= code(k) << (3 * (k - 11) + 1);
  word1 |= (code(21) & 1U) << 31U;
  std::uint32_t word2 = code(21) >> 1U;
  for (unsigned k = 22; k < 32; ++k) word2 |= code(k) << (3 * (k - 22) + 2);
  EXPECT_EQ(arrays.qweight[0 * 32 + 3], word0);
  EXPECT_EQ(arrays.qweight[1 * 32 + 3], word1);
  EXPECT_EQ(arrays.qweight[2 * 32 + 3], word2);
}

TEST(GptqLayout, ReadsItsOwnArraysBack) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const auto zero : {ZeroPointType::kUint8, ZeroPointType::kNone}) {
      for (const int group : {0, 32}) {
        const PackedMatrix matrix = RandomPacked(
            {.bits = bits, .group_size = group, .zero_point_type = zero},
            64,
            96);
        const GptqArrays arrays = ToGptqArrays(matrix);
        const auto read =
            FromGptqArrays(matrix.format(), 64, 96, Stored(arrays), 1);
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_TRUE(std::ranges::equal(read->codes(), matrix.codes()));
        EXPECT_TRUE(std::ranges::equal(read->scales(), matrix.scales()));
        EXPECT_TRUE(
            std::ranges::equal(read->zero_points(), matrix.zero_points()));
      }
    }
  }
}

TEST(GptqLayout, CountsZeroPointsThatVersionOneWraps) {
  const BitFormat format = {
      .bits = 4, .group_size = 32, .zero_point_type = ZeroPointType::kUint8};
  const PackedMatrix matrix =
      PackedMatrix::Pack(format,
                         32,
                         32,
                         std::vector<std::uint8_t>(32 * 32),
                         std::vector<float>(32, 1.0F),
                         std::vector<float>(32, 0.0F));
  const GptqArrays arrays = ToGptqArrays(matrix);
  EXPECT_EQ(arrays.wrapped_zeros, 32);
  EXPECT_EQ(arrays.qzeros[0], 0xffffffffU);
}

TEST(GptqLayout, ReadsVersionTwoZeroPointsAsTheyAre) {
  GptqArrays arrays = ToGptqArrays(OneLine(4));
  const auto read =
      FromGptqArrays(OneLine(4).format(), 32, 64, Stored(arrays), 2);
  ASSERT_TRUE(read);
  EXPECT_EQ(std::to_integer<int>(read->zero_points()[3 * 2]), 1);
}

TEST(GptqLayout, RefusesWhatItCannotHold) {
  const BitFormat format = OneLine(4).format();
  const auto error = [&](const GptqArrays& arrays) {
    const auto read = FromGptqArrays(format, 32, 64, Stored(arrays), 1);
    return read ? Error{ErrorCode::kInternal, "no error"} : read.error();
  };
  GptqArrays arrays = ToGptqArrays(OneLine(4));
  arrays.qweight.pop_back();
  EXPECT_THAT(error(arrays).message, HasSubstr("qweight has 1020 bytes"));
  arrays = ToGptqArrays(OneLine(4));
  arrays.g_idx[5] = 2;
  EXPECT_EQ(error(arrays).code, ErrorCode::kDataLoss);
  EXPECT_THAT(error(arrays).message, HasSubstr("g_idx of input 5 = 2"));
  arrays.g_idx[5] = 1;
  EXPECT_EQ(error(arrays).code, ErrorCode::kUnsupported);
  arrays = ToGptqArrays(OneLine(4));
  arrays.scales[2 * 33 + 1] = std::byte{0x7c};
  arrays.scales[2 * 33] = std::byte{0};
  EXPECT_THAT(error(arrays).message,
              HasSubstr("scales of output 1, group 1 is not finite"));
}

}  // namespace
}  // namespace bitpact
