// SPDX-License-Identifier: Apache-2.0
#include "quant/radix_words.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/check.h"

namespace bitpact {
namespace {

// Words lie in memory as they lie on disk.
static_assert(std::endian::native == std::endian::little);

__extension__ using Wide = unsigned __int128;

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

Wide PowerOf(int base, int exponent) {
  Wide power = 1;
  for (int i = 0; i < exponent; ++i) power *= static_cast<unsigned>(base);
  return power;
}

std::uint64_t LoadWord(const std::byte* words, std::int64_t index) {
  std::uint64_t word = 0;
  std::memcpy(&word, words + 8 * index, sizeof(word));
  return word;
}

inline std::uint8_t TakeDigit(std::uint64_t base, std::uint64_t& word) {
  const Wide product = Wide{word} * base;
  word = static_cast<std::uint64_t>(product);
  return static_cast<std::uint8_t>(product >> 64U);
}

// Digits [skip, skip + count) of one word.
void UnpackSome(
    int base, std::uint64_t word, int skip, int count, std::uint8_t* out) {
  const auto n = static_cast<std::uint64_t>(base);
  for (int i = 0; i < skip; ++i) TakeDigit(n, word);
  for (int i = 0; i < count; ++i) out[i] = TakeDigit(n, word);
}

// All digits of four words: the multiplications of one wait for each other,
// those of different words do not.
void UnpackFour(int base,
                int each,
                const std::byte* words,
                std::int64_t index,
                std::uint8_t* out) {
  const auto n = static_cast<std::uint64_t>(base);
  std::uint64_t a = LoadWord(words, index);
  std::uint64_t b = LoadWord(words, index + 1);
  std::uint64_t c = LoadWord(words, index + 2);
  std::uint64_t d = LoadWord(words, index + 3);
  for (int i = 0; i < each; ++i) {
    out[i] = TakeDigit(n, a);
    out[each + i] = TakeDigit(n, b);
    out[2 * each + i] = TakeDigit(n, c);
    out[3 * each + i] = TakeDigit(n, d);
  }
}

}  // namespace

void PackDigits(int base,
                std::span<const std::uint8_t> digits,
                std::span<std::byte> out) {
  const std::int64_t count = std::ssize(digits);
  BITPACT_CHECK(base >= 1 && base <= 256, "base is 1..256");
  BITPACT_CHECK(out.size() == Size(RadixBytes(base, count)),
                "out takes the stream");
  if (base == 1) return;
  const int each = DigitsPerWord(base);
  const Wide power = PowerOf(base, each);
  const std::int64_t words = RadixWords(base, count);
  for (std::int64_t w = 0; w < words; ++w) {
    Wide value = 0;
    for (int i = 0; i < each; ++i) {
      const std::int64_t at = w * each + i;
      const unsigned digit = at < count ? digits[Size(at)] : 0U;
      BITPACT_CHECK(digit < static_cast<unsigned>(base), "digits < base");
      value = value * static_cast<unsigned>(base) + digit;
    }
    // value < power <= 2^64, so the shift loses nothing.
    const auto word =
        static_cast<std::uint64_t>(((value << 64U) + power - 1) / power);
    std::memcpy(&out[Size(8 * w)], &word, sizeof(word));
  }
}

void UnpackDigits(int base,
                  std::span<const std::byte> words,
                  std::int64_t first,
                  std::span<std::uint8_t> out) {
  const std::int64_t count = std::ssize(out);
  BITPACT_CHECK(base >= 1 && base <= 256 && first >= 0, "base is 1..256");
  BITPACT_CHECK(std::ssize(words) >= RadixBytes(base, first + count),
                "words reach to the last digit");
  if (base == 1) {
    std::ranges::fill(out, std::uint8_t{0});
    return;
  }
  const std::int64_t each = DigitsPerWord(base);
  std::int64_t done = 0;
  while (done < count) {
    const std::int64_t word = (first + done) / each;
    const std::int64_t skip = (first + done) % each;
    if (skip == 0 && count - done >= 4 * each) {
      UnpackFour(
          base, static_cast<int>(each), words.data(), word, &out[Size(done)]);
      done += 4 * each;
      continue;
    }
    const std::int64_t some = std::min(each - skip, count - done);
    UnpackSome(base,
               LoadWord(words.data(), word),
               static_cast<int>(skip),
               static_cast<int>(some),
               &out[Size(done)]);
    done += some;
  }
}

int UnpackDigitReference(int base,
                         std::span<const std::byte> words,
                         std::int64_t index) {
  if (base == 1) return 0;
  const int each = DigitsPerWord(base);
  const Wide power = PowerOf(base, each);
  Wide value = LoadWord(words.data(), index / each);
  if (power >> 64U == 0) value = value * power >> 64U;
  for (std::int64_t i = index % each; i < each - 1; ++i) {
    value /= static_cast<unsigned>(base);
  }
  return static_cast<int>(value % static_cast<unsigned>(base));
}

}  // namespace bitpact
