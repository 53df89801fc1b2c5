// SPDX-License-Identifier: Apache-2.0
#include "solvers/qkp_reader.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

using ::testing::HasSubstr;

Expected<AllocationProblem> ReadText(const std::string& text) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() /
      ("bitpact_qkp_" + std::to_string(getpid()) + ".txt");
  std::ofstream(file) << text;
  Expected<AllocationProblem> problem = ReadQkp(file);
  std::filesystem::remove(file);
  return problem;
}

TEST(QkpReader, ReadsProfitsAsNegativeCosts) {
  const auto problem = ReadText("name\n3\n1 2 3\n4 5\n6\n\n0\n7\n2 3 4\n");
  ASSERT_TRUE(problem.has_value()) << problem.error().message;
  EXPECT_EQ(problem->resources[0].limit, 7);
  // Items 1 and 2: profits 2 + 3 and their pair 6.
  EXPECT_EQ(Objective(*problem, {0, 1, 1}), -11.0);
  EXPECT_TRUE(IsFeasible(*problem, {0, 1, 1}));
  EXPECT_FALSE(IsFeasible(*problem, {1, 1, 1}));
}

TEST(QkpReader, RefusesAFileThatEndsEarly) {
  const auto problem = ReadText("name\n3\n1 2 3\n4 5\n6\n\n0\n7\n2 3\n");
  ASSERT_FALSE(problem.has_value());
  EXPECT_EQ(problem.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(problem.error().message, HasSubstr("weight of item2"));
}

TEST(QkpReader, RefusesWhatIsNoNumber) {
  EXPECT_THAT(ReadText("name\n3x\n").error().message, HasSubstr("'3x'"));
  EXPECT_THAT(ReadText("name\n99999999\n").error().message,
              HasSubstr("within 1 and 20000"));
  EXPECT_THAT(ReadText("name\n1\n5\n1\n7\n2\n").error().message,
              HasSubstr("kind of the row"));
  EXPECT_THAT(ReadText("name\n1\n5\n0\n-7\n2\n").error().message,
              HasSubstr("the capacity = '-7'"));
}

TEST(QkpReader, RefusesAMissingFile) {
  EXPECT_EQ(ReadQkp("/nonexistent/file").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace bitpact
