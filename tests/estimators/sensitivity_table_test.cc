// SPDX-License-Identifier: Apache-2.0
#include "estimators/sensitivity_table.h"

#include <filesystem>
#include <fstream>
#include <functional>

#include "core/json_file.h"
#include "estimators/problem_builder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

SensitivityTable MakeTable() {
  SensitivityTable table;
  table.estimator = "coopq";
  table.quantizer = "quanto";
  table.units = {{"layers.0", {{"a", 8, 64}, {"b", 16, 32}}},
                 {"layers.1", {{"c", 8, 64}}},
                 {"layers.2", {{"d", 24, 96}}}};
  table.formats = {{{.bits = 4, .group_size = 32}, true},
                   {{.bits = 3, .group_size = 32}, true},
                   {{.bits = 2, .group_size = 32}, true}};
  Surrogate& surrogate = table.estimate.surrogate;
  surrogate.constant = 0.125;
  surrogate.linear = {{0, 0.1, 0.7}, {0, -0.01, 0.3}, {0, 0.2, 1.0 / 3.0}};
  surrogate.linear_standard_error = {{0, 0.01, 0.02}, {0, 0, 0}, {0, 1, 2}};
  surrogate.pairs = {{0, 1, 1, 2, 0.25}, {0, 2, 2, 2, -1.0 / 7.0}};
  table.estimate.base_loss = 1.5;
  table.estimate.lowest_loss = 3.25;
  table.fit = {8, 0.9, 0.05, 0.4, -0.01};
  table.fit_at_budget = {6, 0.5, 0.25, 0.5, 0.125};
  table.target_byte_limit = 900;
  table.predicts_loss = false;
  table.estimate.cost = {41.5, 2.25};
  table.estimate.detail = "lambda 0.5";
  table.options = {.permutations = 12, .alpha = 0.25, .seed = 77};
  table.calibration_tokens = 1000;
  table.evaluations = 50;
  table.model_bytes = {3840, 100, 16000};
  table.inputs = {{"model", "xxh3:0"}};
  return table;
}

class SensitivityTableTest : public testing::Test {
 protected:
  void SetUp() override {
    file_ = fs::path(testing::TempDir()) /
            (std::string("table_") +
             testing::UnitTest::GetInstance()->current_test_info()->name() +
             ".json");
  }
  void TearDown() override { fs::remove(file_); }

  // Writes the table, lets `change` spoil the JSON, and returns what reading
  // says.
  std::string ErrorAfter(const std::function<void(Json&)>& change) {
    EXPECT_TRUE(WriteSensitivityTable(file_, MakeTable()));
    Json json = *ParseJsonFile(file_);
    change(json);
    std::ofstream(file_) << json.dump();
    const auto table = ReadSensitivityTable(file_);
    return table ? "" : table.error().message;
  }

  fs::path file_;
};

TEST_F(SensitivityTableTest, ReadsBackWhatWasWritten) {
  const SensitivityTable table = MakeTable();
  ASSERT_TRUE(WriteSensitivityTable(file_, table));
  const auto back = ReadSensitivityTable(file_);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->estimator, table.estimator);
  EXPECT_EQ(back->quantizer, table.quantizer);
  EXPECT_EQ(back->estimate.surrogate.linear, table.estimate.surrogate.linear);
  EXPECT_EQ(back->estimate.surrogate.linear_standard_error,
            table.estimate.surrogate.linear_standard_error);
  EXPECT_EQ(back->estimate.surrogate.constant, 0.125);
  EXPECT_EQ(back->options.seed, 77U);
  EXPECT_EQ(back->options.alpha, 0.25);
  EXPECT_EQ(back->inputs, table.inputs);
  EXPECT_EQ(back->fit.bias, -0.01);
  EXPECT_EQ(back->fit_at_budget.assignments, 6);
  EXPECT_EQ(back->fit_at_budget.r_squared(), 0.75);
  EXPECT_EQ(back->target_byte_limit, 900);
  EXPECT_FALSE(back->predicts_loss);
  EXPECT_EQ(back->estimate.cost.evaluations, 41.5);
  EXPECT_EQ(back->estimate.cost.seconds, 2.25);
  EXPECT_EQ(back->estimate.detail, "lambda 0.5");
  EXPECT_EQ(back->model_bytes.stored, 16000);
  EXPECT_EQ(back->formats[2].base, table.formats[2].base);
  EXPECT_TRUE(back->formats[2].fit_group_size);
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      const FormatAssignment q = {a, b, 2};
      EXPECT_EQ(back->estimate.surrogate.Predict(q),
                table.estimate.surrogate.Predict(q));
    }
  }
}

TEST_F(SensitivityTableTest, ReadsVersionOneWithoutCostAndFitAtTheBudget) {
  EXPECT_EQ(ErrorAfter([](Json& j) {
              j["version"] = 1;
              for (const char* key : {"predicts_loss",
                                      "detail",
                                      "cost",
                                      "target_byte_limit",
                                      "held_out_fit_at_budget"}) {
                j.erase(key);
              }
              j["held_out_fit"].erase("bias_nats");
              j["held_out_fit"].erase("r_squared");
            }),
            "");
  const auto back = ReadSensitivityTable(file_);
  EXPECT_EQ(back->fit.assignments, 8);
  EXPECT_EQ(back->fit_at_budget.assignments, 0);
  EXPECT_TRUE(back->predicts_loss);
}

TEST_F(SensitivityTableTest, ErrorsNameTheField) {
  EXPECT_THAT(ErrorAfter([](Json& j) {
                j["units"][1]["cost_nats"] = {1, 2};
              }),
              HasSubstr("units[1].cost_nats"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j["units"][1]["cost_nats"][0] = "x"; }),
              HasSubstr("units[1].cost_nats[0]"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j["pairs"][0][2] = 3; }),
              HasSubstr("pairs[0]"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j["pairs"][1][0] = -1; }),
              HasSubstr("pairs[1]"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j["formats"][0]["format"] = "int99"; }),
              HasSubstr("formats[0]"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j["formats"] = Json::array(); }),
              HasSubstr("formats"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j["units"][2]["name"] = "layers.0"; }),
              HasSubstr("units[2]"));
  EXPECT_THAT(
      ErrorAfter([](Json& j) { j["units"][0]["matrices"][1]["rows"] = 0; }),
      HasSubstr("units[0].matrices[1].rows"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j.erase("base_loss_nats"); }),
              HasSubstr("base_loss_nats"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j["permutations"] = 5000000000; }),
              HasSubstr("permutations"));
  EXPECT_THAT(ErrorAfter([](Json& j) {
                j["held_out_fit_at_budget"]["rms_error_nats"] = "x";
              }),
              HasSubstr("held_out_fit_at_budget.rms_error_nats"));
  EXPECT_THAT(ErrorAfter([](Json& j) { j["version"] = 99; }),
              HasSubstr("version"));
  EXPECT_THAT(ErrorAfter([](Json& j) {
                j["units"][0].erase("cost_standard_error_nats");
              }),
              HasSubstr("units"));
}

TEST(BuildProblem, ObjectiveIsTheSurrogateAndSizesAreStoredBytes) {
  const SensitivityTable table = MakeTable();
  const AllocationProblem problem = BuildProblem(table, 1000);
  ASSERT_TRUE(Validate(problem));
  for (int code = 0; code < 27; ++code) {
    const Assignment assignment = {code % 3, code / 3 % 3, code / 9};
    EXPECT_NEAR(Objective(problem, assignment),
                table.estimate.surrogate.Predict(assignment),
                1e-14);
    EXPECT_EQ(ResourceUse(problem, assignment).front(),
              PlanFromAssignment(table, assignment).size_bytes);
  }
}

TEST(DrawRandomAssignment, StaysWithinTheLimitAndUsesIt) {
  const SensitivityTable table = MakeTable();
  const SizeRange range = ComputeSizeRange(BuildProblem(table, 0), 0);
  for (std::int64_t limit = range.least; limit <= range.greatest + 50;
       limit += 37) {
    const AllocationProblem problem = BuildProblem(table, limit);
    for (std::uint64_t i = 0; i < 5; ++i) {
      const Assignment drawn = DrawRandomAssignment(problem, 3, i);
      EXPECT_TRUE(IsFeasible(problem, drawn)) << "limit " << limit;
      if (limit >= range.greatest) {
        EXPECT_EQ(drawn, Assignment(3, 0));
      }
    }
  }
  const AllocationProblem problem =
      BuildProblem(table, (range.least + range.greatest) / 2);
  EXPECT_EQ(DrawRandomAssignment(problem, 3, 1),
            DrawRandomAssignment(problem, 3, 1));
}

}  // namespace
}  // namespace bitpact
