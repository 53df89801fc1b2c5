// SPDX-License-Identifier: Apache-2.0
#include "quant/half.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace bitpact {
namespace {

std::uint16_t EigenBits(float value) {
  return Eigen::numext::bit_cast<std::uint16_t>(Eigen::half(value));
}

void ExpectEigens(float value) {
  EXPECT_EQ(HalfBits(value), EigenBits(value)) << value;
  const float rounded = static_cast<float>(Eigen::half(value));
  EXPECT_EQ(std::bit_cast<std::uint32_t>(RoundToHalf(value)),
            std::bit_cast<std::uint32_t>(rounded))
      << value;
}

// Every float16 with its neighbours, and what lies in the middle of two.
TEST(Half, RoundsAsEigenAroundEveryNumber) {
  for (std::uint32_t bits = 0; bits < 0x7c00U; ++bits) {
    const float value = FromHalfBits(static_cast<std::uint16_t>(bits));
    const float next = FromHalfBits(static_cast<std::uint16_t>(bits + 1));
    const float middle =
        std::isinf(next) ? 65520.0F : value + (next - value) / 2.0F;
    for (const float at : {value, middle}) {
      for (const float near :
           {at, std::nextafter(at, 0.0F), std::nextafter(at, 1e30F)}) {
        ExpectEigens(near);
        ExpectEigens(-near);
      }
    }
    if (HasFailure()) break;
  }
}

TEST(Half, KeepsInfinityAndNan) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(RoundToHalf(kInfinity), kInfinity);
  EXPECT_EQ(RoundToHalf(-kInfinity), -kInfinity);
  EXPECT_EQ(RoundToHalf(1e6F), kInfinity);
  EXPECT_TRUE(std::isnan(RoundToHalf(std::nanf(""))));
}

}  // namespace
}  // namespace bitpact
