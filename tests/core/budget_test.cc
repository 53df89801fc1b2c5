// SPDX-License-Identifier: Apache-2.0
#include "core/budget.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

constexpr ModelBytes kModel = {
    .unit_weights = 1000, .kept = 300, .stored = 2301};

std::int64_t Limit(const std::string& text) {
  const auto budget = ParseBudget(text);
  EXPECT_TRUE(budget) << budget.error().message;
  return UnitByteLimit(*budget, kModel);
}

TEST(Budget, CountsBitsPerWeightOfTheUnitsAlone) {
  EXPECT_EQ(Limit("3.0bpw"), 375);
  EXPECT_EQ(Limit("3bpw"), 375);
  EXPECT_EQ(Limit("2.51bpw"), 313);
}

TEST(Budget, CountsBytesOfTheWholeModel) {
  EXPECT_EQ(Limit("1000B"), 700);
  EXPECT_EQ(Limit("1.2KB"), 900);
  EXPECT_EQ(Limit("1KiB"), 724);
  EXPECT_EQ(Limit("2MB"), 2'000'000 - 300);
  EXPECT_EQ(Limit("2MiB"), 2 * 1024 * 1024 - 300);
  EXPECT_EQ(Limit("1GB"), 1'000'000'000 - 300);
  EXPECT_EQ(Limit("1GiB"), 1024 * 1024 * 1024 - 300);
}

TEST(Budget, CountsAShareOfTheStoredModelRoundedDown) {
  EXPECT_EQ(Limit("50%"), 1150 - 300);
  EXPECT_EQ(Limit("12.5%"), 287 - 300);
}

TEST(Budget, KeepsTheTextAsWritten) {
  EXPECT_EQ(ParseBudget("3.0bpw")->text, "3.0bpw");
}

TEST(Budget, RejectsAnythingElse) {
  for (const char* text :
       {"",       "3",        "bpw",    "-3bpw", "+3bpw", "0bpw",  "0%",
        "nanbpw", "infMB",    "3 bpw",  " 3bpw", "3bpw ", "3mb",   "3kb",
        "3TB",    "3.0.0bpw", "1e99GB", "0x10B", "MB3",   "3,0bpw"}) {
    const auto budget = ParseBudget(text);
    ASSERT_FALSE(budget) << text;
    EXPECT_EQ(budget.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(budget.error().message,
                HasSubstr("'" + std::string(text) + "'"));
  }
}

TEST(FormatCount, SeparatesThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(91234), "91,234");
  EXPECT_EQ(FormatCount(-1234567), "-1,234,567");
  EXPECT_EQ(FormatCount(-123), "-123");
  EXPECT_EQ(FormatCount(std::numeric_limits<std::int64_t>::min()),
            "-9,223,372,036,854,775,808");
}

}  // namespace
}  // namespace bitpact
