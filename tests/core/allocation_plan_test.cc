// SPDX-License-Identifier: Apache-2.0
#include "core/allocation_plan.h"

#include <functional>

#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "temporary_folder.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

std::vector<Unit> TwoUnits() {
  return {{"layers.0.qkv", {{"q", 8, 64}, {"k", 4, 64}, {"v", 4, 64}}},
          {"layers.0.o", {{"o", 8, 96}}}};
}

AllocationPlan TwoUnitPlan() {
  return MakePlan(TwoUnits(),
                  {{{.bits = 3, .group_size = 32}, false},
                   {{.bits = 4, .group_size = 64}, true}},
                  "quanto");
}

class PlanFiles : public testing::Test {
 protected:
  // The error of reading a good plan after `spoil` changed its JSON.
  [[nodiscard]] Error ErrorAfter(
      const std::function<void(Json&)>& spoil) const {
    EXPECT_TRUE(WritePlan(file_, TwoUnitPlan(), {}));
    Json json = *ParseJsonFile(file_);
    spoil(json);
    const auto plan = ReadPlan(folder_.Write("plan.json", json.dump()));
    return plan ? Error{ErrorCode::kInternal, "no error"} : plan.error();
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "plan.json";
};

TEST(MakePlan, AddsSizesAndWeights) {
  const AllocationPlan plan = TwoUnitPlan();
  const std::int64_t first = StoredBytes({.bits = 3, .group_size = 32}, 16, 64);
  const std::int64_t second = StoredBytes({.bits = 4, .group_size = 32}, 8, 96);
  EXPECT_EQ(plan.units[0].size_bytes, first);
  EXPECT_EQ(plan.units[1].size_bytes, second);
  EXPECT_EQ(plan.size_bytes, first + second);
  EXPECT_EQ(plan.weights, 16 * 64 + 8 * 96);
  EXPECT_DOUBLE_EQ(
      plan.bits_per_weight(),
      8.0 * static_cast<double>(first + second) / (16 * 64 + 8 * 96));
}

TEST(MakePlan, HasNoBitsPerWeightWithoutWeights) {
  EXPECT_EQ(AllocationPlan{}.bits_per_weight(), 0.0);
}

TEST(MakeUniformPlan, GivesEveryUnitTheFormat) {
  const FormatRule rule = {{.bits = 2, .group_size = 32}, false};
  const AllocationPlan plan = MakeUniformPlan(TwoUnits(), rule, "quanto");
  ASSERT_EQ(plan.units.size(), 2U);
  EXPECT_EQ(plan.units[1].format.base, rule.base);
  EXPECT_EQ(plan.quantizer, "quanto");
}

TEST(MakePlanDeathTest, WantsOneFormatAUnit) {
  EXPECT_DEATH(MakePlan(TwoUnits(), {{}}, "quanto"), "one format a unit");
}

TEST_F(PlanFiles, RoundTrip) {
  const AllocationPlan written = TwoUnitPlan();
  ASSERT_TRUE(WritePlan(file_, written, {{"model", "xxh3:1"}}));
  const auto read = ReadPlan(file_);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->units.size(), written.units.size());
  for (std::size_t i = 0; i < written.units.size(); ++i) {
    EXPECT_EQ(read->units[i].unit.name, written.units[i].unit.name);
    EXPECT_EQ(read->units[i].format.base, written.units[i].format.base);
    EXPECT_EQ(read->units[i].format.fit_group_size,
              written.units[i].format.fit_group_size);
    EXPECT_EQ(read->units[i].size_bytes, written.units[i].size_bytes);
    ASSERT_EQ(read->units[i].unit.matrices.size(),
              written.units[i].unit.matrices.size());
  }
  EXPECT_EQ(read->units[0].unit.matrices[2].tensor, "v");
  EXPECT_EQ(read->units[0].unit.matrices[2].rows, 4);
  EXPECT_EQ(read->units[0].unit.matrices[2].cols, 64);
  EXPECT_EQ(read->size_bytes, written.size_bytes);
  EXPECT_EQ(read->weights, written.weights);
  EXPECT_EQ(read->quantizer, "quanto");
}

TEST_F(PlanFiles, RefuseASizeTheFormatDoesNotTake) {
  const Error error =
      ErrorAfter([](Json& json) { json["units"][1]["size_bytes"] = 1; });
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      error.message,
      file_.string() +
          ": field 'units[1].size_bytes' = 1: the format takes 480 bytes");
}

TEST_F(PlanFiles, RefuseATensorInTwoUnits) {
  const Error error = ErrorAfter(
      [](Json& json) { json["units"][1]["matrices"][0]["tensor"] = "k"; });
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("field 'units[1].matrices[0]'"));
  EXPECT_THAT(error.message, HasSubstr("each tensor belongs to one unit only"));
}

TEST_F(PlanFiles, RefuseTwoUnitsOfOneName) {
  const Error error =
      ErrorAfter([](Json& json) { json["units"][1]["name"] = "layers.0.qkv"; });
  EXPECT_THAT(error.message, HasSubstr("unit names are unique"));
}

TEST_F(PlanFiles, RefuseAUnitWithoutMatrices) {
  const Error error = ErrorAfter(
      [](Json& json) { json["units"][0]["matrices"] = Json::array(); });
  EXPECT_THAT(error.message, HasSubstr("a unit has at least one matrix"));
}

TEST_F(PlanFiles, RefuseAnUnknownFormat) {
  const Error error =
      ErrorAfter([](Json& json) { json["units"][0]["format"] = "q4_k"; });
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("'q4_k' is not a format name"));
}

TEST_F(PlanFiles, RefuseShapesOutOfRange) {
  for (const std::int64_t rows :
       {std::int64_t{0}, std::int64_t{-1}, (std::int64_t{1} << 30U) + 1}) {
    const Error error = ErrorAfter(
        [rows](Json& json) { json["units"][0]["matrices"][1]["rows"] = rows; });
    EXPECT_THAT(error.message,
                HasSubstr("field 'units[0].matrices[1].rows' = " +
                          std::to_string(rows)));
  }
}

TEST_F(PlanFiles, RefuseMoreWeightsThanSizesCanCount) {
  const Error error = ErrorAfter([](Json& json) {
    json["units"][0]["format"] = "int8-g1-asym-f32";
    json["units"][0]["matrices"][1]["rows"] = 1 << 30;
    json["units"][0]["matrices"][1]["cols"] = 1 << 30;
  });
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, HasSubstr("at most 2^50 weights"));
}

TEST_F(PlanFiles, RefuseMissingFields) {
  for (const char* field : {"name", "format", "size_bytes", "matrices"}) {
    const Error error =
        ErrorAfter([field](Json& json) { json["units"][1].erase(field); });
    EXPECT_EQ(error.message,
              file_.string() + ": field 'units[1]." + field + "' is missing");
  }
  EXPECT_EQ(ErrorAfter([](Json& json) { json.erase("quantizer"); }).message,
            file_.string() + ": field 'quantizer' is missing");
}

TEST_F(PlanFiles, RefuseAnotherFilesFormat) {
  const Error error =
      ErrorAfter([](Json& json) { json["format"] = "bitpact.problem"; });
  EXPECT_THAT(error.message, HasSubstr("must be \"bitpact.plan\""));
}

}  // namespace
}  // namespace bitpact
