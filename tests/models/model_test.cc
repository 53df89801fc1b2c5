// SPDX-License-Identifier: Apache-2.0
#include "models/model.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::TinyModel;
using test::TinyModelShape;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kQuery = "model.layers.1.self_attn.q_proj.weight";

void ExpectLoadError(const TinyModel& folder,
                     ErrorCode code,
                     const std::vector<std::string>& words) {
  const Expected<Model> model = Model::Load(folder.folder());
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, code) << model.error().message;
  EXPECT_THAT(model.error().message, Not(HasSubstr("\n")));
  for (const std::string& word : words) {
    EXPECT_THAT(model.error().message, HasSubstr(word));
  }
}

// config.json with one field replaced.
void ExpectConfigError(const std::string& field,
                       const Json& value,
                       ErrorCode code) {
  SCOPED_TRACE(field + " = " + value.dump());
  static TinyModel folder({});
  const Json before = folder.config;
  folder.config[field] = value;
  folder.WriteConfig();
  ExpectLoadError(folder, code, {"config.json", field});
  folder.config = before;
}

TEST(Model, HoldsTheValuesOfTheFile) {
  for (const TensorType type :
       {TensorType::kF32, TensorType::kF16, TensorType::kBF16}) {
    const TinyModel folder({.type = type});
    const Model model = folder.Load();
    const auto linear = model.linear(1, LinearKind::kQ);
    EXPECT_EQ(linear.size(), 24U * 24U);
    const std::vector<float> values(linear.begin(), linear.end());
    EXPECT_EQ(test::Narrow(type, values), folder.tensors.at(kQuery).bytes);
    EXPECT_EQ(model.embedding().size(), 37U * 24U);
    EXPECT_NE(model.head().data(), model.embedding().data());
    EXPECT_EQ(model.final_norm().size(), 24U);
    EXPECT_EQ(model.attention_norm(1).size(), 24U);
    EXPECT_EQ(model.mlp_norm(0).size(), 24U);
  }
}

TEST(Model, TiedEmbeddingMayBeStoredAsEither) {
  for (const bool head_only : {false, true}) {
    const Model model =
        TinyModel({.tied = true, .head_only = head_only}).Load();
    EXPECT_EQ(model.head().data(), model.embedding().data());
    EXPECT_EQ(model.head().size(), 37U * 24U);
  }
}

TEST(Model, CountsStoredBytes) {
  const Model model = TinyModel({.type = TensorType::kBF16}).Load();
  const std::int64_t kept = 2 * (2 * 37 * 24 + 5 * 24);
  const std::int64_t linears =
      2 * 2 * (2 * 24 * 24 + 2 * 12 * 24 + 3 * 40 * 24);
  EXPECT_EQ(model.kept_bytes(), kept);
  EXPECT_EQ(model.stored_bytes(), kept + linears);
}

TEST(Model, FingerprintFollowsBothFiles) {
  TinyModel folder({});
  const std::string first = folder.Load().fingerprint();
  EXPECT_EQ(folder.Load().fingerprint(), first);
  folder.config["rope_theta"] = 20000.0;
  folder.Write();
  const std::string second = folder.Load().fingerprint();
  EXPECT_NE(second, first);
  folder.tensors.at(kQuery).bytes[0] ^= std::byte{1};
  folder.Write();
  EXPECT_NE(folder.Load().fingerprint(), second);
}

TEST(Model, LoadsShards) {
  const TinyModel folder({});
  const std::string fingerprint = folder.Load().fingerprint();
  std::vector<StoredTensor> first;
  std::vector<StoredTensor> second;
  Json map;
  for (const auto& [name, tensor] : folder.tensors) {
    const bool early = first.size() < 5;
    (early ? first : second)
        .push_back({name, tensor.type, tensor.shape, tensor.bytes});
    map[name] = early ? "a.safetensors" : "b.safetensors";
  }
  std::filesystem::remove(folder.folder() / "model.safetensors");
  ASSERT_TRUE(WriteSafetensors(folder.folder() / "a.safetensors", first, {}));
  ASSERT_TRUE(WriteSafetensors(folder.folder() / "b.safetensors", second, {}));
  const auto index = folder.folder() / "model.safetensors.index.json";
  test::WriteWhole(index, Json({{"weight_map", map}}).dump());
  const Model model = folder.Load();
  EXPECT_NE(model.fingerprint(), fingerprint);

  map["extra"] = "a.safetensors";
  test::WriteWhole(index, Json({{"weight_map", map}}).dump());
  ExpectLoadError(folder, ErrorCode::kNotFound, {"\"extra\""});
  map["extra"] = "../a.safetensors";
  test::WriteWhole(index, Json({{"weight_map", map}}).dump());
  ExpectLoadError(folder, ErrorCode::kDataLoss, {"../a.safetensors"});
  map["extra"] = "missing.safetensors";
  test::WriteWhole(index, Json({{"weight_map", map}}).dump());
  ExpectLoadError(folder, ErrorCode::kNotFound, {"missing.safetensors"});
  test::WriteWhole(index, "{}");
  ExpectLoadError(folder, ErrorCode::kInvalidArgument, {"weight_map"});
}

TEST(Model, UnitsCoverEveryMatrixOnce) {
  const Model model = TinyModel({}).Load();
  const std::int64_t all = 2 * (2 * 24 * 24 + 2 * 12 * 24 + 3 * 40 * 24);
  for (const auto& [granularity, count] :
       {std::pair(Granularity::kBlock, 2),
        std::pair(Granularity::kFused, 8),
        std::pair(Granularity::kMatrix, 14)}) {
    const std::vector<Unit> units = MakeUnits(model, granularity);
    EXPECT_EQ(std::ssize(units), count);
    std::int64_t weights = 0;
    std::vector<int> places;
    for (const Unit& unit : units) {
      weights += WeightCount(unit);
      const auto indices = WeightIndices(model, unit);
      ASSERT_TRUE(indices) << indices.error().message;
      places.insert(places.end(), indices->begin(), indices->end());
    }
    EXPECT_EQ(weights, all);
    std::vector<int> expected(14);
    for (int i = 0; i < 14; ++i) expected[static_cast<std::size_t>(i)] = i;
    EXPECT_EQ(places, expected);
  }
  EXPECT_EQ(MakeUnits(model, Granularity::kBlock)[1].name, "layers.1");
  EXPECT_EQ(MakeUnits(model, Granularity::kFused)[4].name, "layers.1.qkv");
  EXPECT_EQ(MakeUnits(model, Granularity::kFused)[6].name,
            "layers.1.mlp.gate_up");
  EXPECT_EQ(MakeUnits(model, Granularity::kMatrix)[7].name,
            "layers.1.self_attn.q_proj");
}

TEST(Model, WeightIndicesRefuseStrangers) {
  const Model model = TinyModel({}).Load();
  const auto missing = WeightIndices(
      model, {"u", {{"model.layers.2.mlp.up_proj.weight", 1, 1}}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("layers.2.mlp.up_proj"));
  const auto shape = WeightIndices(model, {"u", {{kQuery, 24, 25}}});
  ASSERT_FALSE(shape);
  EXPECT_EQ(shape.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(shape.error().message, HasSubstr("[24, 25]"));
}

TEST(ModelErrors, MissingFiles) {
  const TinyModel folder({});
  std::filesystem::remove(folder.folder() / "model.safetensors");
  ExpectLoadError(folder, ErrorCode::kNotFound, {"model.safetensors"});
  std::filesystem::remove(folder.folder() / "config.json");
  ExpectLoadError(folder, ErrorCode::kNotFound, {"config.json"});
}

TEST(ModelErrors, MissingTensors) {
  TinyModel folder({});
  const auto whole = folder.tensors;
  for (const auto& [name, tensor] : whole) {
    folder.tensors.erase(name);
    folder.Write();
    ExpectLoadError(folder, ErrorCode::kNotFound, {name, "missing"});
    folder.tensors = whole;
  }
}

TEST(ModelErrors, WrongShape) {
  TinyModel folder({});
  folder.tensors.at(kQuery).shape = {12, 48};
  folder.Write();
  ExpectLoadError(
      folder, ErrorCode::kInvalidArgument, {kQuery, "[12, 48]", "[24, 24]"});
}

TEST(ModelErrors, WrongType) {
  TinyModel folder({});
  folder.tensors.at(kQuery).type = TensorType::kI32;
  folder.Write();
  ExpectLoadError(folder, ErrorCode::kUnsupported, {kQuery, "I32"});
}

TEST(ModelErrors, NanWeight) {
  TinyModel folder({});
  for (int i = 0; i < 4; ++i) {
    folder.tensors.at(kQuery).bytes[40 + static_cast<std::size_t>(i)] =
        std::byte{0xff};
  }
  folder.Write();
  ExpectLoadError(folder, ErrorCode::kDataLoss, {kQuery, "value 10", "NaN"});
}

TEST(ModelErrors, TensorOfAnotherArchitecture) {
  TinyModel folder({});
  folder.tensors["model.layers.0.self_attn.q_proj.bias"] = {
      TensorType::kF32, {2}, test::Narrow(TensorType::kF32, {1.0F, 2.0F})};
  folder.Write();
  ExpectLoadError(folder, ErrorCode::kUnsupported, {"self_attn.q_proj.bias"});
}

TEST(ModelErrors, RotaryFrequenciesAreIgnored) {
  TinyModel folder({});
  folder.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {
      TensorType::kF32, {1}, test::Narrow(TensorType::kF32, {1.0F})};
  folder.Write();
  EXPECT_EQ(folder.Load().config().num_layers, 2);
}

TEST(ModelErrors, UnsupportedConfigurations) {
  constexpr auto kUnsupported = ErrorCode::kUnsupported;
  ExpectConfigError("model_type", "mistral", kUnsupported);
  ExpectConfigError("architectures", {"GPT2LMHeadModel"}, kUnsupported);
  ExpectConfigError("architectures", 7, kUnsupported);
  ExpectConfigError("hidden_act", "gelu", kUnsupported);
  ExpectConfigError("attention_bias", true, kUnsupported);
  ExpectConfigError("mlp_bias", true, kUnsupported);
  ExpectConfigError(
      "rope_scaling", {{"type", "linear"}, {"factor", 2.0}}, kUnsupported);
  ExpectConfigError("quantization_config", {{"bits", 4}}, kUnsupported);
  ExpectConfigError("sliding_window", 128, kUnsupported);
  ExpectConfigError("partial_rotary_factor", 0.5, kUnsupported);
  TinyModel folder({});
  folder.config["rope_parameters"] = {{"rope_type", "yarn"}};
  folder.Write();
  ExpectLoadError(folder, kUnsupported, {"rope_parameters.rope_type", "yarn"});
}

TEST(ModelErrors, SizesOutOfRange) {
  for (const char* field : {"hidden_size",
                            "intermediate_size",
                            "num_hidden_layers",
                            "num_attention_heads",
                            "num_key_value_heads",
                            "head_dim",
                            "vocab_size",
                            "max_position_embeddings"}) {
    for (const Json& value : {Json(0),
                              Json(-3),
                              Json(2.5),
                              Json("8"),
                              Json(std::int64_t{1} << 31U),
                              Json(~std::uint64_t{0}),
                              Json(1e300),
                              Json::array()}) {
      ExpectConfigError(field, value, ErrorCode::kInvalidArgument);
    }
  }
  constexpr auto kInvalid = ErrorCode::kInvalidArgument;
  ExpectConfigError("num_key_value_heads", 3, kInvalid);
  ExpectConfigError("head_dim", 5, kInvalid);
  ExpectConfigError("bos_token_id", 37, kInvalid);
  ExpectConfigError("bos_token_id", -1, kInvalid);
  ExpectConfigError("rms_norm_eps", -1e-5, kInvalid);
  ExpectConfigError("rms_norm_eps", 1e-60, kInvalid);
  ExpectConfigError("rope_theta", 0.0, kInvalid);
  ExpectConfigError("rope_theta", 1e200, kInvalid);
  ExpectConfigError("rope_theta", "10000", kInvalid);
  ExpectConfigError("tie_word_embeddings", "yes", kInvalid);
  ExpectConfigError("rope_parameters", 5, kInvalid);
}

TEST(ModelErrors, MissingSizes) {
  TinyModel folder({});
  const Json whole = folder.config;
  for (const char* field : {"hidden_size",
                            "intermediate_size",
                            "num_hidden_layers",
                            "num_attention_heads",
                            "vocab_size",
                            "max_position_embeddings",
                            "architectures"}) {
    folder.config.erase(field);
    folder.WriteConfig();
    ExpectLoadError(
        folder, ErrorCode::kInvalidArgument, {"config.json", field});
    folder.config = whole;
  }
}

// A configuration that promises more than the file holds allocates nothing for
// it.
TEST(ModelErrors, HugeSizesFailBeforeMemoryIsTaken) {
  TinyModel folder({});
  folder.config["vocab_size"] = 1 << 24;
  folder.config["hidden_size"] = 1 << 20;
  folder.config["intermediate_size"] = 1 << 20;
  folder.Write();
  ExpectLoadError(folder, ErrorCode::kInvalidArgument, {"[37, 24]"});
}

TEST(ModelErrors, BrokenConfigJson) {
  const TinyModel folder({});
  for (const char* text : {"", "{", "\xff", "{\"a\":1"}) {
    test::WriteWhole(folder.folder() / "config.json", text);
    ExpectLoadError(folder, ErrorCode::kDataLoss, {"config.json"});
  }
  test::WriteWhole(folder.folder() / "config.json", "[]");
  ExpectLoadError(folder, ErrorCode::kInvalidArgument, {"config.json"});
}

TEST(ModelErrors, TruncatedWeights) {
  const TinyModel folder({});
  const auto path = folder.folder() / "model.safetensors";
  const std::string whole = test::ReadWhole(path);
  for (std::size_t length = 0; length < whole.size();
       length += whole.size() / 97 + 1) {
    test::WriteWhole(path, whole.substr(0, length));
    ExpectLoadError(folder, ErrorCode::kDataLoss, {"model.safetensors"});
  }
}

TEST(ModelConfig, MissingFieldsMeanWhatTheyMeanElsewhere) {
  TinyModel folder({});
  for (const char* field : {"num_key_value_heads",
                            "head_dim",
                            "rope_theta",
                            "rms_norm_eps",
                            "tie_word_embeddings",
                            "bos_token_id",
                            "hidden_act",
                            "model_type"}) {
    folder.config.erase(field);
  }
  folder.config["rope_scaling"] = nullptr;
  folder.Write();
  const auto config = ReadModelConfig(folder.folder() / "config.json");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->num_kv_heads, 4);
  EXPECT_EQ(config->head_dim, 6);
  EXPECT_EQ(config->rope_theta, 10000.0F);
  EXPECT_EQ(config->rms_norm_eps, 1e-6F);
  EXPECT_FALSE(config->tied_embeddings);
  EXPECT_EQ(config->bos_token_id, 1);
}

TEST(ModelConfig, ReadsRopeParameters) {
  TinyModel folder({});
  folder.config.erase("rope_theta");
  folder.config["rope_parameters"] = {{"rope_type", "default"},
                                      {"rope_theta", 500000.0}};
  folder.Write();
  const auto config = ReadModelConfig(folder.folder() / "config.json");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->rope_theta, 500000.0F);
}

}  // namespace
}  // namespace bitpact
