// SPDX-License-Identifier: Apache-2.0
// `bitpact hipr` on a random model.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/allocation_plan.h"
#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/program.h"

namespace bitpact::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class HiprCommand : public testing::Test {
 protected:
  [[nodiscard]] ProgramResult Run(const Words& more) const {
    Words words = {"hipr",
                   fixture_.model.folder().string(),
                   "--text",
                   fixture_.text().string(),
                   "--eval",
                   fixture_.eval().string(),
                   "--calibration-tokens",
                   "150",
                   "--eval-tokens",
                   "150",
                   "--ratios",
                   "0,0.25,0.5",
                   "--quiet",
                   "-o",
                   fixture_.output().string()};
    words.insert(words.end(), more.begin(), more.end());
    return RunProgram(words);
  }
  [[nodiscard]] Json Report() const {
    const Expected<Json> json = ParseJsonFile(fixture_.output() / "hipr.json");
    EXPECT_TRUE(json) << json.error().message;
    return json ? *json : Json();
  }
  void ExpectRefusal(const Words& more, int status, const std::string& part) {
    const ProgramResult result = Run(more);
    EXPECT_EQ(result.status, status) << result.errors;
    EXPECT_THAT(result.errors,
                AllOf(testing::StartsWith("bitpact: "), HasSubstr(part)));
    EXPECT_FALSE(std::filesystem::exists(fixture_.output() / "plan.json"));
  }

  ProgramFixture fixture_;
};

TEST_F(HiprCommand, ComparesPlansOfTheSameBytesAndSavesTheBest) {
  const ProgramResult result =
      Run({"--budget", "4.2bpw", "--bits", "2", "--high-bits", "4"});
  ASSERT_EQ(result.status, 0) << result.errors;
  const Json report = Report();
  std::map<std::string, std::int64_t> bytes;
  for (const Json& row : report["rows"]) {
    bytes[row["name"]] = row["unit_bytes"];
  }
  const std::int64_t limit = report["byte_limit"];
  for (const char* name : {"one ratio, float16",
                           "no wide rows",
                           "one ratio",
                           "continuous ratios",
                           "optimised ratios"}) {
    ASSERT_TRUE(bytes.contains(name)) << name;
    EXPECT_LE(bytes[name], limit) << name;
  }
  EXPECT_LT(bytes["no wide rows"], bytes["one ratio"]);
  EXPECT_EQ(report["rows"].back()["name"], "optimised ratios");
  EXPECT_THAT(result.output, HasSubstr("solver block-dp: optimal"));
  const auto plan = ReadPlan(fixture_.output() / "plan.json");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->size_bytes, bytes["optimised ratios"]);
  // What was saved runs to the same loss.
  const auto figures = fixture_.output() / "figures.json";
  const ProgramResult eval =
      RunProgram({"eval",
                  (fixture_.output() / "quantized").string(),
                  "--eval",
                  fixture_.eval().string(),
                  "--eval-tokens",
                  "150",
                  "--json",
                  figures.string()});
  ASSERT_EQ(eval.status, 0) << eval.errors;
  const Expected<Json> measured = ParseJsonFile(figures);
  ASSERT_TRUE(measured) << measured.error().message;
  EXPECT_NEAR((*measured)["nll_nats"].get<double>(),
              report["rows"].back()["nll_nats"].get<double>(),
              1e-9);
}

TEST_F(HiprCommand, EveryAllocationKeepsTheBudget) {
  for (const char* allocation : {"continuous", "uniform", "none"}) {
    const ProgramResult result = Run({"--budget",
                                      "4.2bpw",
                                      "--high-bits",
                                      "4",
                                      "--compare",
                                      "8",
                                      "--allocation",
                                      allocation});
    ASSERT_EQ(result.status, 0) << allocation << ": " << result.errors;
    const Json report = Report();
    const std::int64_t taken = report["rows"].back()["unit_bytes"];
    EXPECT_LE(taken, report["byte_limit"].get<std::int64_t>()) << allocation;
  }
}

TEST_F(HiprCommand, LearnsTheRoundingOfThePlan) {
  const Words words = {"--budget",
                       "4.2bpw",
                       "--high-bits",
                       "4",
                       "--hybrid",
                       "--iterations",
                       "20",
                       "--batch",
                       "2"};
  const ProgramResult result = Run(words);
  ASSERT_EQ(result.status, 0) << result.errors;
  const Json report = Report();
  EXPECT_EQ(report["rows"].back()["name"], "optimised ratios, hybrid");
  ASSERT_FALSE(report["learned"].empty());
  for (const Json& block : report["learned"]) {
    EXPECT_LE(block["loss"].get<double>(), block["start_loss"].get<double>());
  }
  EXPECT_THAT(result.output, HasSubstr("held-out loss"));
}

TEST_F(HiprCommand, LearnsTheRoundingOfAllRowsWhenAsked) {
  Words words = {"--budget",
                 "4.2bpw",
                 "--high-bits",
                 "4",
                 "--hybrid",
                 "--iterations",
                 "40",
                 "--batch",
                 "2",
                 "--rounding-rate",
                 "0.02"};
  ASSERT_EQ(Run(words).status, 0);
  const Json wide = Report()["learned"];
  words.insert(words.end(), {"--learned-rounding", "all"});
  const ProgramResult result = Run(words);
  ASSERT_EQ(result.status, 0) << result.errors;
  const Json all = Report()["learned"];
  EXPECT_THAT(Report()["learning"].get<std::string>(),
              HasSubstr("clipping-share=0.5"));
  ASSERT_EQ(all.size(), wide.size());
  EXPECT_EQ(all[0]["start_loss"], wide[0]["start_loss"]);
  // Which of both wins is a matter of the model, here random numbers.
  EXPECT_NE(all[0]["loss"], wide[0]["loss"]);
  EXPECT_LT(all[0]["loss"].get<double>(), all[0]["start_loss"].get<double>());
}

TEST_F(HiprCommand, BadInputNamesTheFlag) {
  ExpectRefusal({"--budget", "4bpw", "--hybrid", "--clipping-share", "1"},
                2,
                "clipping share = 1");
  ExpectRefusal({"--budget", "4bpw", "--ratios", "0.5,0.2"}, 2, "--ratios");
  ExpectRefusal({"--budget", "4bpw", "--ratios", "0,1.5"}, 2, "--ratios");
  ExpectRefusal({"--budget", "4bpw", "--ratios", "0.1,0.2"}, 2, "--ratios");
  ExpectRefusal({"--budget", "4bpw", "--high-bits", "2"}, 2, "--high-bits");
  ExpectRefusal({"--budget", "4bpw", "--pairs", "none"}, 2, "--pairs");
  ExpectRefusal({"--budget", "4bpw", "--pair-ratios", "0.3"}, 2, "0.3");
  ExpectRefusal({"--budget", "4bpw", "--allocation", "best"}, 2, "best");
  ExpectRefusal({"--budget", "0.5bpw"}, 1, "least");
}

}  // namespace
}  // namespace bitpact::test
