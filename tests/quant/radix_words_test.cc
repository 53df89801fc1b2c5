// SPDX-License-Identifier: Apache-2.0
#include "quant/radix_words.h"

#include <cmath>
#include <string>
#include <vector>

#include "core/random.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

std::vector<std::uint8_t> Digits(int base, std::int64_t count) {
  RandomStream random(7, "digits/" + std::to_string(base));
  std::vector<std::uint8_t> digits;
  for (std::int64_t i = 0; i < count; ++i) {
    // The ends are where a carry would show.
    const auto draw = static_cast<int>(random.UniformInt(4));
    const int digit = draw == 0   ? 0
                      : draw == 1 ? base - 1
                                  : static_cast<int>(random.UniformInt(base));
    digits.push_back(static_cast<std::uint8_t>(digit));
  }
  return digits;
}

std::vector<std::byte> Packed(int base,
                              const std::vector<std::uint8_t>& digits) {
  std::vector<std::byte> words(
      static_cast<std::size_t>(RadixBytes(base, std::ssize(digits))));
  PackDigits(base, digits, words);
  return words;
}

TEST(RadixWords, HoldAsManyDigitsAsThereAreWords) {
  EXPECT_EQ(DigitsPerWord(1), 0);
  EXPECT_EQ(DigitsPerWord(2), 64);
  EXPECT_EQ(DigitsPerWord(3), 40);
  EXPECT_EQ(DigitsPerWord(4), 32);
  EXPECT_EQ(DigitsPerWord(5), 27);
  EXPECT_EQ(DigitsPerWord(8), 21);
  EXPECT_EQ(DigitsPerWord(16), 16);
  EXPECT_EQ(DigitsPerWord(256), 8);
  for (int base = 2; base <= 256; ++base) {
    const double bits = std::log2(base);
    EXPECT_LE(DigitsPerWord(base) * bits, 64.0 + 1e-9) << base;
    EXPECT_GT((DigitsPerWord(base) + 1) * bits, 64.0) << base;
  }
}

TEST(RadixWords, ReadBackEveryDigitForEveryBaseAndLength) {
  for (int base = 1; base <= 256; ++base) {
    for (const std::int64_t count : {0, 1, 7, 41, 200, 333}) {
      const std::vector<std::uint8_t> digits = Digits(base, count);
      const std::vector<std::byte> words = Packed(base, digits);
      std::vector<std::uint8_t> read(digits.size());
      UnpackDigits(base, words, 0, read);
      ASSERT_EQ(read, digits) << "base " << base << ", " << count << " digits";
    }
  }
}

TEST(RadixWords, ReadFromTheMiddleWhatDivisionReads) {
  for (const int base : {2, 3, 5, 7, 11, 16, 19, 255, 256}) {
    const std::vector<std::uint8_t> digits = Digits(base, 301);
    const std::vector<std::byte> words = Packed(base, digits);
    for (std::size_t first = 0; first < digits.size(); first += 13) {
      std::vector<std::uint8_t> read(digits.size() - first);
      UnpackDigits(base, words, static_cast<std::int64_t>(first), read);
      for (std::size_t i = 0; i < read.size(); ++i) {
        const auto at = static_cast<std::int64_t>(first + i);
        ASSERT_EQ(read[i], UnpackDigitReference(base, words, at))
            << "base " << base << ", digit " << at;
        ASSERT_EQ(read[i], digits[first + i]);
      }
    }
  }
}

TEST(RadixWords, TurnAnyBytesIntoDigitsBelowTheBase) {
  RandomStream random(3, "hostile");
  for (int base = 1; base <= 256; ++base) {
    std::vector<std::byte> words(
        static_cast<std::size_t>(RadixBytes(base, 100)));
    for (std::byte& byte : words) {
      byte = static_cast<std::byte>(
          random.UniformInt(5) < 2 ? 255 : random.UniformInt(256));
    }
    std::vector<std::uint8_t> read(100);
    UnpackDigits(base, words, 0, read);
    for (const std::uint8_t digit : read) ASSERT_LT(digit, base);
  }
}

}  // namespace
}  // namespace bitpact
