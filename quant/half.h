// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_HALF_H_
#define BITPACT_QUANT_HALF_H_

// float16 (IEEE 754 binary16) beside float32, rounded to nearest, halves to
// even. Numbers that are normal in float16 take a few integer operations, the
// others Eigen's careful ways. For use inside quant/ and by its tests.

#include <bit>
#include <cstdint>

#include "Eigen/Core"

namespace bitpact {

namespace internal {

// |value| after rounding to 11 significant bits, as float32's bits; whether it
// is a normal float16.
struct RoundedHalf {
  std::uint32_t bits;
  bool normal;
};
inline RoundedHalf RoundHalf(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value) & 0x7fffffffU;
  const std::uint32_t rounded =
      (bits + 0xfffU + ((bits >> 13U) & 1U)) & ~0x1fffU;
  constexpr std::uint32_t kLeast = 0x38800000U;     // 2^-14
  constexpr std::uint32_t kGreatest = 0x477fe000U;  // 65504
  return {rounded, bits >= kLeast && rounded <= kGreatest};
}

}  // namespace internal

inline std::uint16_t HalfBits(float value) {
  const internal::RoundedHalf half = internal::RoundHalf(value);
  if (!half.normal) {
    return Eigen::numext::bit_cast<std::uint16_t>(Eigen::half(value));
  }
  const std::uint32_t sign = std::bit_cast<std::uint32_t>(value) >> 31U << 15U;
  return static_cast<std::uint16_t>(sign | ((half.bits - 0x38000000U) >> 13U));
}

inline float FromHalfBits(std::uint16_t bits) {
  return static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(bits));
}

// The nearest number that float16 holds; infinite beyond its range.
inline float RoundToHalf(float value) {
  const internal::RoundedHalf half = internal::RoundHalf(value);
  if (!half.normal) return static_cast<float>(Eigen::half(value));
  const std::uint32_t sign = std::bit_cast<std::uint32_t>(value) & 0x80000000U;
  return std::bit_cast<float>(sign | half.bits);
}

}  // namespace bitpact

#endif  // BITPACT_QUANT_HALF_H_
