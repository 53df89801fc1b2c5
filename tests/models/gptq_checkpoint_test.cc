// SPDX-License-Identifier: Apache-2.0
#include "models/gptq_checkpoint.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/gptq_config.h"
#include "models/perplexity.h"
#include "tests/models/saved_model.h"

namespace bitpact {
namespace {

using test::ReadWhole;
using test::SomeTokens;
using test::TemporaryFolder;
using test::TinyModel;
using testing::HasSubstr;

test::TinyModelShape Multiples() {
  test::TinyModelShape shape;
  shape.hidden = 64;
  shape.intermediate = 96;
  shape.head_dim = 16;
  return shape;
}

class GptqFolder : public testing::Test {
 protected:
  // All four widths, both kinds of zero-points, groups and whole rows.
  AllocationPlan Plan() const {
    const std::vector<BitFormat> formats = {
        {.bits = 4, .group_size = 32, .zero_point_type = ZeroPointType::kUint8},
        {.bits = 3, .group_size = 32, .zero_point_type = ZeroPointType::kUint8},
        {.bits = 2, .group_size = 0, .zero_point_type = ZeroPointType::kUint8},
        {.bits = 8, .group_size = 32, .zero_point_type = ZeroPointType::kNone}};
    const std::vector<Unit> units = MakeUnits(model_, Granularity::kMatrix);
    std::vector<FormatRule> rules;
    for (std::size_t i = 0; i < units.size(); ++i) {
      rules.push_back({formats[i % formats.size()], false});
    }
    return MakePlan(units, rules, "quanto");
  }
  QuantizedModel Quantized(const AllocationPlan& plan) const {
    auto made = QuantizedModel::Make(model_, plan, *test::Quanto());
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  std::filesystem::path out() const { return folder_.File("out"); }

  TinyModel tiny_{Multiples()};
  Model model_ = tiny_.Load();
  TemporaryFolder folder_;
};

TEST_F(GptqFolder, ReadsBackTheSameCodesAndPerplexity) {
  const QuantizedModel quantized = Quantized(Plan());
  ASSERT_TRUE(SaveGptqFolder(quantized, model_, out()));
  EXPECT_TRUE(IsGptqFolder(out()));
  EXPECT_FALSE(IsGptqFolder(tiny_.folder()));
  const auto loaded = LoadGptqFolder(out());
  ASSERT_TRUE(loaded) << loaded.error().message;
  for (std::size_t place = 0; place < quantized.packed().size(); ++place) {
    const PackedMatrix& a = *quantized.packed()[place];
    const PackedMatrix& b = *loaded->quantized.packed()[place];
    EXPECT_TRUE(std::ranges::equal(a.codes(), b.codes())) << place;
    EXPECT_TRUE(std::ranges::equal(a.scales(), b.scales())) << place;
  }
  const LossReport before =
      EvaluateLoss(model_, quantized.weights(), SomeTokens());
  const LossReport after =
      EvaluateLoss(loaded->model, loaded->quantized.weights(), SomeTokens());
  EXPECT_NEAR(after.perplexity.mean,
              before.perplexity.mean,
              1e-4 * before.perplexity.mean);
}

TEST_F(GptqFolder, NamesExceptionsInTheOrderAndSyntaxOfGptqModel) {
  ASSERT_TRUE(SaveGptqFolder(Quantized(Plan()), model_, out()));
  const Expected<Json> config = ParseJsonFile(out() / "config.json");
  ASSERT_TRUE(config);
  const Json& quantization = (*config)["quantization_config"];
  EXPECT_EQ(quantization["quant_method"], "gptq");
  EXPECT_EQ(quantization["bits"], 4);
  EXPECT_EQ(quantization["group_size"], 32);
  EXPECT_EQ(quantization["sym"], false);
  const Json& dynamic = quantization["dynamic"];
  const Json& key = dynamic["+:^model\\.layers\\.0\\.self_attn\\.v_proj$"];
  EXPECT_EQ(key, (Json{{"bits", 2}, {"group_size", -1}, {"sym", false}}));
  EXPECT_EQ(*ParseJsonFile(out() / "quantize_config.json"), quantization);
  EXPECT_EQ((*config)["hidden_size"], 64);
}

TEST_F(GptqFolder, LeavesOutWhatThePlanDoesNotName) {
  const AllocationPlan plan = Plan();
  const std::vector<Unit> units = MakeUnits(model_, Granularity::kMatrix);
  const QuantizedModel quantized =
      Quantized(MakeUniformPlan({units[8]}, plan.units[0].format, "quanto"));
  ASSERT_TRUE(SaveGptqFolder(quantized, model_, out()));
  const auto loaded = LoadGptqFolder(out());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->quantized.packed_bytes(), quantized.packed_bytes());
  EXPECT_EQ(
      EvaluateLoss(model_, quantized.weights(), SomeTokens()).nll.mean,
      EvaluateLoss(loaded->model, loaded->quantized.weights(), SomeTokens())
          .nll.mean);
}

TEST_F(GptqFolder, RefusesABrokenFolder) {
  ASSERT_TRUE(SaveGptqFolder(Quantized(Plan()), model_, out()));
  const auto error = [&] {
    const auto loaded = LoadGptqFolder(out());
    return loaded ? Error{ErrorCode::kInternal, "no error"} : loaded.error();
  };
  const std::string weights = ReadWhole(out() / "model.safetensors");
  test::WriteWhole(out() / "model.safetensors",
                   weights.substr(0, weights.size() - 9));
  EXPECT_EQ(error().code, ErrorCode::kDataLoss);
  test::WriteWhole(out() / "model.safetensors", weights);
  const std::string config = ReadWhole(out() / "config.json");
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = config;
    text.replace(text.find(from), from.size(), to);
    test::WriteWhole(out() / "config.json", text);
    return error().message;
  };
  EXPECT_THAT(
      replaced("\"quant_method\": \"gptq\"", "\"quant_method\": \"awq\""),
      HasSubstr("quant_method"));
  EXPECT_THAT(replaced("\"bits\": 4", "\"bits\": 5"), HasSubstr("bits"));
  EXPECT_THAT(replaced("+:^model", "+:(^model"), HasSubstr("expression"));
  EXPECT_THAT(replaced("\"bits\": 4", "\"bits\": 8"), HasSubstr("qweight has"));
}

TEST(PlanForGptq, TurnsShiftsIntoZeroPointsAndSaysSo) {
  const Model model = TinyModel(Multiples()).Load();
  const AllocationPlan plan =
      MakeUniformPlan(MakeUnits(model, Granularity::kBlock),
                      {{.bits = 4, .group_size = 32}, false},
                      "quanto");
  const auto fitting = PlanForGptq(plan);
  ASSERT_TRUE(fitting) << fitting.error().message;
  EXPECT_EQ(fitting->plan.units[0].format.base.zero_point_type,
            ZeroPointType::kUint8);
  EXPECT_LT(fitting->plan.size_bytes, plan.size_bytes);
  ASSERT_EQ(fitting->notes.size(), 1U);
  EXPECT_TRUE(PlanForGptq(fitting->plan)->notes.empty());
}

TEST(PlanForGptq, RefusesWhatTheFormatLacks) {
  const auto refused = [](const Model& model, const BitFormat& format) {
    const auto fitting = PlanForGptq(MakeUniformPlan(
        MakeUnits(model, Granularity::kMatrix), {format, false}, "quanto"));
    return fitting ? std::string("no error") : fitting.error().message;
  };
  const Model model = TinyModel(Multiples()).Load();
  EXPECT_THAT(refused(model, {.bits = 5}), HasSubstr("has 5 bits"));
  EXPECT_THAT(refused(model, {.bits = 4, .group_size = 48}),
              HasSubstr("48 does not divide 64"));
  EXPECT_THAT(refused(TinyModel({}).Load(), {.bits = 4}),
              HasSubstr("multiples of 32"));
}

TEST(GptqConfig, LetsTheFirstMatchAtTheStartOfANameCount) {
  const Json json = Json::parse(R"({"bits": 4, "group_size": 128, "dynamic": {
      "-:.*down": {}, ".*layers\\.0\\.": {"bits": 8}, "layers": {"bits": 2},
      "+:model.*": {"group_size": -1}}})");
  const auto config = GptqConfig::Read(JsonReader(&json, "file", ""));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FALSE(*config->FormatOf("model.layers.0.mlp.down_proj"));
  EXPECT_EQ((*config->FormatOf("model.layers.0.mlp.up_proj"))->bits, 8);
  EXPECT_EQ((*config->FormatOf("model.layers.0.mlp.up_proj"))->group_size, 128);
  EXPECT_EQ((*config->FormatOf("model.layers.1.mlp.up_proj"))->bits, 4);
  EXPECT_EQ((*config->FormatOf("model.layers.1.mlp.up_proj"))->group_size, 0);
}

// Backtracking without a limit would outlive everybody here.
TEST(GptqConfig, LimitsTheWorkOfAStrangersPattern) {
  for (const char* pattern : {R"((m+)+[!?])", R"((([a-z.0-9]+)+)+[!?])"}) {
    const Json json = {{"bits", 4}, {"dynamic", {{pattern, Json::object()}}}};
    const auto config = GptqConfig::Read(JsonReader(&json, "file", ""));
    ASSERT_TRUE(config) << config.error().message;
    const auto format =
        config->FormatOf("mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm");
    ASSERT_FALSE(format) << pattern;
    EXPECT_EQ(format.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(format.error().message, HasSubstr("limit"));
  }
}

TEST(GptqConfig, RefusesPatternsThatAreNone) {
  const auto error = [](const std::string& pattern) {
    const Json json = {{"bits", 4}, {"dynamic", {{pattern, Json::object()}}}};
    const auto config = GptqConfig::Read(JsonReader(&json, "file", ""));
    return config ? std::string("no error") : config.error().message;
  };
  EXPECT_THAT(error("+:model(.*"), HasSubstr("at byte"));
  EXPECT_THAT(error(std::string(5000, 'm')), HasSubstr("at most 4096"));
  EXPECT_THAT(error(std::string(2000, '(') + std::string(2000, ')')),
              HasSubstr("nested"));
}

}  // namespace
}  // namespace bitpact
