// SPDX-License-Identifier: Apache-2.0
#include "cli/comparison.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/program.h"

namespace bitpact::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Comparison, TimeToTargetIsWhenTheCurveCrossesIt) {
  const std::vector<TracePoint> trace = {
      {0.5, 20.0, -kInfinity}, {1.0, 11.0, 0.0}, {2.0, 10.0, 5.0}};
  EXPECT_EQ(TimeToTarget(trace, TargetOf(10.0, 0.0)), 2.0);
  EXPECT_EQ(TimeToTarget(trace, TargetOf(10.0, 0.1)), 1.0);
  EXPECT_EQ(TimeToTarget(trace, 9.0), kInfinity);
  // Of a negative value the target lies above it too.
  EXPECT_DOUBLE_EQ(TargetOf(-10.0, 0.1), -9.0);
}

TEST(Comparison, PrimalGapFollowsBerthold) {
  EXPECT_EQ(PrimalGap(kInfinity, 10.0), 1.0);
  EXPECT_EQ(PrimalGap(20.0, 10.0), 0.5);
  EXPECT_EQ(PrimalGap(-5.0, -10.0), 0.5);
  EXPECT_EQ(PrimalGap(1.0, -10.0), 1.0);
  EXPECT_EQ(PrimalGap(0.0, 0.0), 0.0);
  EXPECT_EQ(PrimalGap(-11.0, -10.0), 0.0);
}

TEST(Comparison, PrimalIntegralIsTheAreaUnderTheGap) {
  // 1 for 0.5 s, 0.5 for 1.5 s, then 0.
  const std::vector<TracePoint> trace = {{0.5, 20.0, 0.0}, {2.0, 10.0, 0.0}};
  EXPECT_DOUBLE_EQ(PrimalIntegral(trace, 10.0, 4.0), 1.25);
  EXPECT_DOUBLE_EQ(PrimalIntegral({}, 10.0, 4.0), 4.0);
  // What comes after the horizon does not count.
  EXPECT_DOUBLE_EQ(PrimalIntegral(trace, 10.0, 1.0), 0.75);
}

TEST(Comparison, ProfilesAreSharesOfProblemsWithinARatio) {
  const std::vector<Profile> profiles = PerformanceProfiles(
      {"a", "b"}, {{1.0, 4.0, kInfinity, 1e-5}, {2.0, 1.0, kInfinity, 9e-4}});
  ASSERT_EQ(profiles.size(), 2U);
  // Both are below the clock on the last problem: a tie.
  ASSERT_EQ(profiles[0].steps.size(), 2U);
  EXPECT_EQ(profiles[0].steps[0].ratio, 1.0);
  EXPECT_EQ(profiles[0].steps[0].share, 0.5);
  EXPECT_EQ(profiles[0].steps[1].ratio, 4.0);
  EXPECT_EQ(profiles[0].steps[1].share, 0.75);
  EXPECT_EQ(profiles[1].steps[1].ratio, 2.0);
}

TEST(Compare, MakesTableFilesAndKeepsGoingPastWhatASolverCannotTake) {
  const TemporaryFolder folder;
  WriteWhole(folder.File("tiny.txt"), "tiny\n3\n5 4 3\n1 2\n0\n0\n4\n2 3 2\n");
  std::string large = "40 39\n";
  for (int i = 1; i < 40; ++i) {
    large += std::to_string(i) + " " + std::to_string(i + 1) + " -3\n";
  }
  WriteWhole(folder.File("chain.sparse"), large);
  WriteWhole(folder.File("index.csv"), "file,best_known\ntiny.txt,10\n");
  const auto out = folder.File("out");
  const ProgramResult result = RunProgram({"compare",
                                           folder.File("tiny.txt").string(),
                                           folder.File("chain.sparse").string(),
                                           "--solvers",
                                           "anneal,enumerate",
                                           "--time-limit",
                                           "0.5",
                                           "--seeds",
                                           "2",
                                           "-o",
                                           out.string()});
  ASSERT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("tiny.txt"),
                    HasSubstr("without a result:\nchain.sparse, enumerate: "
                              "unsupported"),
                    HasSubstr("-10")));
  const std::string csv = ReadWhole(out / "runs.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 2 * 2);
  const Json json = Json::parse(ReadWhole(out / "comparison.json"));
  EXPECT_EQ(json["runs"].size(), 8U);
  EXPECT_EQ(json["runs"][0]["objective"], -10.0);
  EXPECT_TRUE(json["runs"][0]["time_to_target_s"].is_number());
  EXPECT_THAT(ReadWhole(out / "profile-target.gp"), HasSubstr("pngcairo"));
  EXPECT_THAT(ReadWhole(out / "profile-target.dat"), HasSubstr("# anneal"));
  const bool has_gnuplot =
      std::system("gnuplot --version >/dev/null 2>&1") == 0;
  EXPECT_EQ(std::filesystem::exists(out / "profile-target.png"), has_gnuplot);
  if (!has_gnuplot) {
    EXPECT_THAT(result.output, HasSubstr("gnuplot-nox"));
  }
}

TEST(Compare, RefusesUnknownSolversBeforeAnyWork) {
  const TemporaryFolder folder;
  WriteWhole(folder.File("tiny.txt"), "tiny\n3\n5 4 3\n1 2\n0\n0\n4\n2 3 2\n");
  const std::string file = folder.File("tiny.txt").string();
  const auto refused = [&](const std::vector<std::string>& more,
                           const std::string& word) {
    std::vector<std::string> all = {"compare", file};
    all.insert(all.end(), more.begin(), more.end());
    const ProgramResult result = RunProgram(all);
    EXPECT_EQ(result.status, 2) << word;
    EXPECT_THAT(result.errors, HasSubstr(word));
  };
  refused({"--solvers", "anneal,gurobi"}, "gurobi");
  refused({"--solvers", "anneal,anneal"}, "twice");
  refused({"--time-limit", "0"}, "--time-limit");
  refused({"--seeds", "0"}, "--seeds");
  refused({"--target", "2"}, "--target");
  refused({"/no/such/file"}, "/no/such/file");
}

}  // namespace
}  // namespace bitpact::test
