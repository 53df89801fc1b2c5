// SPDX-License-Identifier: Apache-2.0
#include "core/progress.h"

#include "gtest/gtest.h"

namespace bitpact {
namespace {

TEST(FormatDuration, ShowsSecondsThenMinutesThenHours) {
  EXPECT_EQ(FormatDuration(0.0), "0 ms");
  EXPECT_EQ(FormatDuration(0.0123), "12 ms");
  EXPECT_EQ(FormatDuration(0.0996), "0.1 s");
  EXPECT_EQ(FormatDuration(3.24), "3.2 s");
  EXPECT_EQ(FormatDuration(59.94), "59.9 s");
  EXPECT_EQ(FormatDuration(59.96), "1 min 00 s");
  EXPECT_EQ(FormatDuration(245.0), "4 min 05 s");
  EXPECT_EQ(FormatDuration(3599.4), "59 min 59 s");
  EXPECT_EQ(FormatDuration(3599.6), "1 h 00 min");
  EXPECT_EQ(FormatDuration(7380.0), "2 h 03 min");
  EXPECT_EQ(FormatDuration(360000.0), "100 h 00 min");
}

TEST(Progress, IsSilentForShortWork) {
  testing::internal::CaptureStderr();
  {
    Progress progress("work", 10);
    for (int i = 0; i < 20; ++i) progress.Advance();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, TakesWorkWithoutATotal) {
  Progress progress("work", 0);
  progress.Advance();
}

}  // namespace
}  // namespace bitpact
