// SPDX-License-Identifier: Apache-2.0
#include "core/unit.h"

#include "gtest/gtest.h"

namespace bitpact {
namespace {

const Unit kUnit = {"layers.0.qkv", {{"q", 64, 288}, {"k", 32, 100}}};

TEST(Unit, CountsTheWeightsOfItsMatrices) {
  EXPECT_EQ(WeightCount(kUnit), 64 * 288 + 32 * 100);
}

TEST(FormatFor, KeepsTheGroupSizeUnlessItIsToFit) {
  const FormatRule fixed = {{.bits = 4, .group_size = 128}, false};
  EXPECT_EQ(FormatFor(fixed, 288).group_size, 128);
  const FormatRule fitted = {{.bits = 4, .group_size = 128}, true};
  EXPECT_EQ(FormatFor(fitted, 288).group_size, 96);
  EXPECT_EQ(FormatFor(fitted, 100).group_size, 0);
  EXPECT_EQ(FormatFor(fitted, 100).bits, 4);
}

TEST(StoredBytesOfUnit, AddsEachMatrixInItsOwnFormat) {
  const FormatRule fitted = {{.bits = 3, .group_size = 128}, true};
  EXPECT_EQ(StoredBytes(fitted, kUnit),
            StoredBytes({.bits = 3, .group_size = 96}, 64, 288) +
                StoredBytes({.bits = 3, .group_size = 0}, 32, 100));
}

}  // namespace
}  // namespace bitpact
