// SPDX-License-Identifier: Apache-2.0
// The program from end to end, on a random model.

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/program.h"

namespace bitpact::test {
namespace {

using testing::HasSubstr;

Json ReadJson(const std::filesystem::path& file) {
  const Expected<Json> json = ParseJsonFile(file);
  EXPECT_TRUE(json) << json.error().message;
  return json ? *json : Json();
}

TEST(Run, WritesAPlanWithinBudgetAndItsProof) {
  const ProgramFixture fixture;
  const ProgramResult result = fixture.Run({"--budget", "4.0bpw"});
  ASSERT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(FilesBelow(fixture.output()),
              testing::ElementsAre("evaluations.jsonl",
                                   "plan.json",
                                   "problem.json",
                                   "quantized/config.json",
                                   "quantized/model.safetensors",
                                   "quantized/plan.json",
                                   "quantized/tokenizer.model",
                                   "report.html",
                                   "report.json",
                                   "result.json",
                                   "sensitivities.json"));
  const Json report = ReadJson(fixture.output() / "report.json");
  std::vector<std::string> names;
  for (const Json& row : report["rows"]) names.push_back(row["name"]);
  EXPECT_THAT(names,
              testing::ElementsAre("full precision",
                                   "all 4 bit",
                                   "all 2 bit",
                                   "random, median of 1",
                                   "one at a time",
                                   "plan"));
  const std::int64_t limit = report["byte_limit"];
  for (const Json& row : report["rows"]) {
    if (row["name"] == "full precision" || row["name"] == "all 4 bit") continue;
    EXPECT_LE(row["unit_bytes"].get<std::int64_t>(), limit) << row["name"];
  }
  const Json plan = ReadJson(fixture.output() / "plan.json");
  EXPECT_EQ(plan["size_bytes"], report["rows"].back()["unit_bytes"]);
  EXPECT_THAT(result.output, HasSubstr("full precision"));
  EXPECT_THAT(result.output, HasSubstr("layers.1"));
}

TEST(Run, TheSavedModelHasTheReportedPerplexity) {
  const ProgramFixture fixture;
  ASSERT_EQ(fixture.Run({"--budget", "4.0bpw"}).status, 0);
  const auto json = fixture.output() / "eval.json";
  const ProgramResult eval =
      RunProgram({"eval",
                  (fixture.output() / "quantized").string(),
                  "--eval",
                  fixture.eval().string(),
                  "--eval-tokens",
                  "150",
                  "--reference",
                  fixture.model.folder().string(),
                  "--json",
                  json.string()});
  ASSERT_EQ(eval.status, 0) << eval.errors;
  const Json report = ReadJson(fixture.output() / "report.json");
  const Json again = ReadJson(json);
  EXPECT_EQ(again["nll_nats"], report["rows"].back()["nll_nats"]);
  EXPECT_EQ(again["kl_nats"], report["rows"].back()["kl_nats"]);
}

TEST(Run, EvaluationsOfTheSameTextAreCompared) {
  const ProgramFixture fixture;
  const std::string model = fixture.model.folder().string();
  const auto packed = fixture.output() / "packed";
  ASSERT_EQ(
      RunProgram({"quantize", model, "--bits", "2", "-o", packed.string()})
          .status,
      0);
  const auto file = fixture.output() / "eval.json";
  const auto evaluate = [&](const std::string& folder,
                            const char* tokens,
                            std::vector<std::string> more) {
    std::vector<std::string> words = {"eval",
                                      folder,
                                      "--eval",
                                      fixture.eval().string(),
                                      "--eval-tokens",
                                      tokens};
    words.insert(words.end(), more.begin(), more.end());
    return RunProgram(words);
  };
  ASSERT_EQ(evaluate(model, "150", {"--json", file.string()}).status, 0);
  const auto packed_file = fixture.output() / "packed.json";
  const ProgramResult result =
      evaluate(packed.string(),
               "150",
               {"--against", file.string(), "--json", packed_file.string()});
  ASSERT_EQ(result.status, 0) << result.errors;
  const double over = ReadJson(packed_file)["nll_nats"].get<double>() -
                      ReadJson(file)["nll_nats"].get<double>();
  ASSERT_NE(over, 0.0);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), ": %.5f +- ", over);
  EXPECT_THAT(result.output, HasSubstr(text.data()));
  EXPECT_THAT(result.output, HasSubstr("paired by window"));

  const ProgramResult other =
      evaluate(packed.string(), "60", {"--against", file.string()});
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.errors, HasSubstr("inputs.tokens"));
}

TEST(Run, StepsThroughFilesGiveTheSamePlan) {
  const ProgramFixture fixture;
  ASSERT_EQ(
      fixture.Run({"--budget", "4.0bpw", "--seed", "5", "--no-refine"}).status,
      0);
  const auto out = fixture.output() / "steps";
  const std::string folder = fixture.model.folder().string();
  const ProgramResult estimate = RunProgram({"estimate",
                                             folder,
                                             "--text",
                                             fixture.text().string(),
                                             "--permutations",
                                             "4",
                                             "--held-out",
                                             "3",
                                             "--calibration-tokens",
                                             "150",
                                             "--seed",
                                             "5",
                                             "-o",
                                             out.string()});
  ASSERT_EQ(estimate.status, 0) << estimate.errors;
  const ProgramResult allocate =
      RunProgram({"allocate",
                  (out / "sensitivities.json").string(),
                  "--budget",
                  "4.0bpw",
                  "--seed",
                  "5",
                  "-o",
                  out.string()});
  ASSERT_EQ(allocate.status, 0) << allocate.errors;
  EXPECT_EQ(ReadWhole(out / "plan.json"),
            ReadWhole(fixture.output() / "plan.json"));
  const ProgramResult quantize = RunProgram({"quantize",
                                             folder,
                                             (out / "plan.json").string(),
                                             "-o",
                                             (out / "quantized").string()});
  ASSERT_EQ(quantize.status, 0) << quantize.errors;
  EXPECT_EQ(ReadWhole(out / "quantized/model.safetensors"),
            ReadWhole(fixture.output() / "quantized/model.safetensors"));
}

TEST(Run, SameSeedSamePlanForAnyNumberOfThreads) {
  std::string first;
  for (const char* threads : {"1", "2", "3"}) {
    const ProgramFixture fixture;
    ASSERT_EQ(
        fixture
            .Run(
                {"--budget", "4.1bpw", "--bits", "2,3,4", "--threads", threads})
            .status,
        0);
    Json sensitivities = ReadJson(fixture.output() / "sensitivities.json");
    // Wall clock.
    EXPECT_EQ(sensitivities["cost"].erase("seconds"), 1U);
    const std::string plan =
        ReadWhole(fixture.output() / "plan.json") + sensitivities.dump();
    if (first.empty()) first = plan;
    EXPECT_EQ(plan, first) << threads << " threads";
  }
}

TEST(Run, ASecondRunRecallsEveryEvaluation) {
  const ProgramFixture fixture;
  ASSERT_EQ(fixture.Run({"--budget", "4.0bpw"}).status, 0);
  const std::string before = ReadWhole(fixture.output() / "evaluations.jsonl");
  ASSERT_EQ(fixture.Run({"--budget", "4.0bpw"}).status, 0);
  EXPECT_EQ(ReadWhole(fixture.output() / "evaluations.jsonl"), before);
}

TEST(Run, TheReportSaysHowThePlanWasChosen) {
  const ProgramFixture fixture;
  const ProgramResult result = fixture.Run({"--budget", "4.0bpw"});
  ASSERT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(result.output, HasSubstr("plan taken: "));
  EXPECT_THAT(result.output, HasSubstr("unseen ones at the budget"));
  const Json choice = ReadJson(fixture.output() / "report.json")["choice"];
  std::vector<std::string> names;
  for (const Json& plan : choice["judged"]) names.push_back(plan["name"]);
  double best = 1e300;
  double taken = 1e300;
  std::int64_t most = 0;
  for (const Json& plan : choice["finals"]) {
    const double loss = plan["loss_nats"];
    if (plan["name"] == choice["taken"]) {
      taken = loss;
      EXPECT_GE(plan["tokens"], 150);
    }
    most = std::max(most, plan["tokens"].get<std::int64_t>());
  }
  for (const Json& plan : choice["finals"]) {
    if (plan["tokens"] != most) continue;
    best = std::min(best, plan["loss_nats"].get<double>());
  }
  EXPECT_EQ(taken, best);
  EXPECT_THAT(names, testing::Contains("all at the smallest"));
  EXPECT_GT(choice["fit_evaluations"], 0.0);

  // Without further text the judge's windows have the last word.
  ASSERT_EQ(fixture.Run({"--budget", "4.0bpw", "--finals-tokens", "0"}).status,
            0);
  const Json judged = ReadJson(fixture.output() / "report.json")["choice"];
  EXPECT_TRUE(judged["finals"].empty());
  best = taken = 1e300;
  for (const Json& plan : judged["judged"]) {
    const double loss = plan["judge_loss_nats"];
    best = std::min(best, loss);
    if (plan["name"] == judged["taken"]) taken = loss;
  }
  EXPECT_EQ(taken, best);

  const ProgramResult plain =
      fixture.Run({"--budget", "4.0bpw", "--no-refine"});
  ASSERT_EQ(plain.status, 0) << plain.errors;
  EXPECT_THAT(plain.output, HasSubstr("the solver's (--no-refine)"));
}

TEST(Run, EstimateReportsItsFitAtABudget) {
  const ProgramFixture fixture;
  for (const char* name : {"quadratic", "pairs", "isolated-both"}) {
    const ProgramResult estimate = RunProgram({"estimate",
                                               fixture.model.folder().string(),
                                               "--text",
                                               fixture.text().string(),
                                               "--estimator",
                                               name,
                                               "--budget",
                                               "4.0bpw",
                                               "--coalitions",
                                               "60",
                                               "--held-out",
                                               "4",
                                               "--calibration-tokens",
                                               "60",
                                               "-o",
                                               fixture.output().string()});
    ASSERT_EQ(estimate.status, 0) << estimate.errors;
    EXPECT_THAT(estimate.output, HasSubstr("4 unseen ones at the budget"));
    const Json table = ReadJson(fixture.output() / "sensitivities.json");
    EXPECT_EQ(table["held_out_fit_at_budget"]["assignments"], 4);
    EXPECT_GT(table["target_byte_limit"], 0);
    EXPECT_GT(table["cost"]["evaluations"], 0.0);
  }
}

TEST(Run, BudgetsInBytesCountTheWholeModel) {
  const ProgramFixture fixture;
  const ProgramResult result = fixture.Run({"--budget", "77KiB"});
  ASSERT_EQ(result.status, 0) << result.errors;
  const Json report = ReadJson(fixture.output() / "report.json");
  EXPECT_LE(report["rows"].back()["model_bytes"].get<std::int64_t>(),
            77 * 1024);
}

TEST(Run, EverySolverOfThisBuildServes) {
  const ProgramFixture fixture;
  for (const char* solver : {"auto", "anneal", "enumerate"}) {
    const ProgramResult result =
        fixture.Run({"--budget", "4.0bpw", "--solver", solver});
    EXPECT_EQ(result.status, 0) << solver << ": " << result.errors;
    EXPECT_THAT(result.output, HasSubstr("solver " + std::string(solver)));
  }
}

TEST(Run, EveryQuantizerThatNeedsNoHessianServes) {
  for (const char* quantizer : {"quanto", "hqq"}) {
    const ProgramFixture fixture;
    const ProgramResult result =
        fixture.Run({"--budget", "4.0bpw", "--quantizer", quantizer});
    EXPECT_EQ(result.status, 0) << quantizer << ": " << result.errors;
    EXPECT_EQ(ReadJson(fixture.output() / "plan.json")["quantizer"], quantizer);
  }
}

TEST(Info, SaysSizesBeforeAnyWork) {
  const ProgramFixture fixture;
  const ProgramResult result =
      RunProgram({"info", fixture.model.folder().string(), "--units"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, HasSubstr("all 3 bit"));
  EXPECT_THAT(result.output, HasSubstr("layers.1.mlp.down_proj"));
}

TEST(Help, TeachesAndSucceeds) {
  const ProgramResult result = RunProgram({"--help"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, HasSubstr("bitpact run MODEL --budget"));
  EXPECT_EQ(RunProgram({"run", "--help"}).status, 0);
}

}  // namespace
}  // namespace bitpact::test
