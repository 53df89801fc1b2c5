// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_RADIX_WORDS_H_
#define BITPACT_QUANT_RADIX_WORDS_H_

// Digits of any base 1..256, as many to a 64-bit word as fit: numbers of levels
// that are no power of two take little more than their log2.
//
// With k = DigitsPerWord(n) digits d_0 .. d_(k-1) and P = n^k <= 2^64, a word
// holds the fraction 0.d_0 d_1 ... in base n, rounded up to a multiple of
// 2^-64:
//
//   word = ceil(V * 2^64 / P),   V = d_0 n^(k-1) + ... + d_(k-1)
//
// Why a fraction: a digit is the high half of word * n, and the low half is the
// fraction of the digits behind it, so decoding takes one multiplication a
// digit and no division. The rounding is below 2^-64 <= 1 / P, so no digit is
// ever carried into. Every word, whatever it holds, decodes to digits < n: a
// damaged file yields wrong weights and nothing worse.
//
// Words are little-endian; the last is filled up with zeros. Base 1 takes no
// words.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bitpact {

// The most k with base^k <= 2^64; 0 for base 1. 1 <= base <= 256.
constexpr int DigitsPerWord(int base) {
  if (base == 1) return 0;
  const auto n = static_cast<std::uint64_t>(base);
  // floor(2^64 / n); 2^64 itself does not fit.
  const std::uint64_t most =
      ~std::uint64_t{0} / n + ((n & (n - 1)) == 0 ? std::uint64_t{1} : 0U);
  int digits = 0;
  for (std::uint64_t power = 1; power <= most; power *= n) {
    ++digits;
    if (power == most && (n & (n - 1)) == 0) break;  // base^digits = 2^64
  }
  return digits;
}

constexpr std::int64_t RadixWords(int base, std::int64_t digits) {
  const std::int64_t each = DigitsPerWord(base);
  return each == 0 ? 0 : (digits + each - 1) / each;
}

// Bytes of a stream of digits.
constexpr std::int64_t RadixBytes(int base, std::int64_t digits) {
  return 8 * RadixWords(base, digits);
}

// digits: each < base (CHECKed). out: RadixBytes(base, digits) bytes. O(digits)
// and one 128-bit division a word.
void PackDigits(int base,
                std::span<const std::uint8_t> digits,
                std::span<std::byte> out);

// Digits [first, first + out.size()) of a stream. words: at least as far as the
// last of them. O(digits), and at most a word more.
void UnpackDigits(int base,
                  std::span<const std::byte> words,
                  std::int64_t first,
                  std::span<std::uint8_t> out);

// One digit by division, the judge in tests.
int UnpackDigitReference(int base,
                         std::span<const std::byte> words,
                         std::int64_t index);

}  // namespace bitpact

#endif  // BITPACT_QUANT_RADIX_WORDS_H_
