// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "tests/models/saved_model.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::Quanto;
using test::SavedModel;
using test::SomeTokens;
using test::TinyModel;
using testing::HasSubstr;
using testing::Not;

void ExpectLoadError(const SavedModel& saved,
                     ErrorCode code,
                     const std::vector<std::string>& words) {
  const auto loaded = QuantizedCheckpoint::Load(saved.folder());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, code) << loaded.error().message;
  EXPECT_THAT(loaded.error().message, Not(HasSubstr("\n")));
  for (const std::string& word : words) {
    EXPECT_THAT(loaded.error().message, HasSubstr(word));
  }
}

StoredTensor& Find(std::vector<StoredTensor>& tensors,
                   const std::string& name) {
  for (StoredTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return tensors.front();
}

constexpr const char* kQuery = "model.layers.0.self_attn.q_proj.weight";

TEST(QuantizedCheckpoint, GivesTheSameLossToTheLastBit) {
  for (const bool tied : {false, true}) {
    const SavedModel saved(
        TinyModel({.tied = tied, .type = TensorType::kBF16}));
    const auto loaded = QuantizedCheckpoint::Load(saved.folder());
    ASSERT_TRUE(loaded) << loaded.error().message;
    const TokenSet tokens = SomeTokens();
    EXPECT_EQ(EvaluateLoss(loaded->model, loaded->quantized.weights(), tokens)
                  .window_nll,
              EvaluateLoss(saved.model(), saved.quantized().weights(), tokens)
                  .window_nll);
    EXPECT_EQ(loaded->quantized.packed_bytes(),
              saved.quantized().packed_bytes());
    EXPECT_EQ(loaded->quantized.plan().size_bytes,
              saved.quantized().plan().size_bytes);
    EXPECT_TRUE(loaded->model.linear(0, LinearKind::kQ).empty());
  }
}

TEST(QuantizedCheckpoint, BytesOfTheArraysAreThePackedBytes) {
  const SavedModel saved(TinyModel({}));
  const auto file = SafetensorsFile::Open(saved.folder() / "model.safetensors");
  ASSERT_TRUE(file);
  std::int64_t packed = 0;
  std::int64_t kept = 0;
  for (const StoredTensor& tensor : file->tensors()) {
    const bool array = tensor.name.ends_with(".codes") ||
                       tensor.name.ends_with(".scales") ||
                       tensor.name.ends_with(".zero_points");
    (array ? packed : kept) += std::ssize(tensor.bytes);
  }
  EXPECT_EQ(packed, saved.quantized().packed_bytes());
  EXPECT_EQ(packed, saved.quantized().plan().size_bytes);
  EXPECT_EQ(kept, saved.model().kept_bytes());
  const auto loaded = QuantizedCheckpoint::Load(saved.folder());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->model.kept_bytes(), kept);
  EXPECT_EQ(loaded->model.stored_bytes(), kept + packed);
}

TEST(QuantizedCheckpoint, OtherTensorsAreCopiedByteByByte) {
  const TinyModel tiny({.type = TensorType::kF16});
  test::WriteWhole(tiny.folder() / "tokenizer.json", "{\"a\": 1}");
  const SavedModel saved(tiny);
  const auto file = SafetensorsFile::Open(saved.folder() / "model.safetensors");
  ASSERT_TRUE(file);
  int kept = 0;
  for (const StoredTensor& tensor : file->tensors()) {
    const auto original = tiny.tensors.find(tensor.name);
    if (original == tiny.tensors.end()) continue;
    EXPECT_EQ(tensor.type, TensorType::kF16);
    EXPECT_THAT(tensor.bytes,
                testing::ElementsAreArray(original->second.bytes));
    ++kept;
  }
  EXPECT_EQ(kept, 7);  // embedding, head, final norm, two norms a layer
  for (const char* name : {"config.json", "tokenizer.json"}) {
    EXPECT_EQ(test::ReadWhole(saved.folder() / name),
              test::ReadWhole(tiny.folder() / name));
  }
}

TEST(QuantizedCheckpoint, MatricesOutsideOfThePlanStayAsTheyAre) {
  const TinyModel tiny({});
  const Model model = tiny.Load();
  const std::vector<Unit> units = MakeUnits(model, Granularity::kMatrix);
  const auto quantized = QuantizedModel::Make(
      model,
      MakeUniformPlan({units[0]}, {{.bits = 4}, false}, "quanto"),
      *Quanto());
  ASSERT_TRUE(quantized) << quantized.error().message;
  const test::TemporaryFolder folder;
  ASSERT_TRUE(quantized->Save(model, folder.path()));
  const auto loaded = QuantizedCheckpoint::Load(folder.path());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE(loaded->model.linear(0, LinearKind::kQ).empty());
  EXPECT_THAT(loaded->model.linear(1, LinearKind::kUp),
              testing::ElementsAreArray(model.linear(1, LinearKind::kUp)));
  const TokenSet tokens = SomeTokens();
  EXPECT_EQ(EvaluateLoss(loaded->model, loaded->quantized.weights(), tokens)
                .window_nll,
            EvaluateLoss(model, quantized->weights(), tokens).window_nll);
}

TEST(QuantizedCheckpoint, CanBeSavedAgain) {
  const SavedModel saved(TinyModel({}));
  const auto loaded = QuantizedCheckpoint::Load(saved.folder());
  ASSERT_TRUE(loaded) << loaded.error().message;
  const test::TemporaryFolder folder;
  ASSERT_TRUE(loaded->quantized.Save(loaded->model, folder.path()));
  const auto again = QuantizedCheckpoint::Load(folder.path());
  ASSERT_TRUE(again) << again.error().message;
  const TokenSet tokens = SomeTokens();
  EXPECT_EQ(
      EvaluateLoss(again->model, again->quantized.weights(), tokens).window_nll,
      EvaluateLoss(loaded->model, loaded->quantized.weights(), tokens)
          .window_nll);
  const auto packed_twice =
      QuantizedModel::Make(loaded->model, loaded->quantized.plan(), *Quanto());
  ASSERT_FALSE(packed_twice);
  EXPECT_THAT(packed_twice.error().message, HasSubstr("packed already"));
}

TEST(QuantizedCheckpoint, IsOneLooksForPlanAndPackedTensors) {
  const TinyModel tiny({});
  const SavedModel saved(tiny);
  EXPECT_TRUE(QuantizedCheckpoint::IsOne(saved.folder()));
  EXPECT_FALSE(QuantizedCheckpoint::IsOne(tiny.folder()));
  std::filesystem::copy_file(saved.folder() / "plan.json",
                             tiny.folder() / "plan.json");
  EXPECT_FALSE(QuantizedCheckpoint::IsOne(tiny.folder()));
  EXPECT_FALSE(QuantizedCheckpoint::IsOne(tiny.folder() / "nowhere"));
}

TEST(QuantizedCheckpoint, FullPrecisionLoadRefusesPackedFolders) {
  const SavedModel saved(TinyModel({}));
  const auto model = Model::Load(saved.folder());
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kNotFound);
}

TEST(QuantizedCheckpointErrors, EveryMissingArray) {
  const SavedModel saved(TinyModel({}));
  const std::string whole =
      test::ReadWhole(saved.folder() / "model.safetensors");
  for (const char* name : {".codes", ".scales", ".zero_points"}) {
    saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
      std::erase_if(tensors, [&](const StoredTensor& tensor) {
        return tensor.name == std::string(kQuery) + name;
      });
    });
    ExpectLoadError(saved, ErrorCode::kNotFound, {std::string(kQuery) + name});
    test::WriteWhole(saved.folder() / "model.safetensors", whole);
  }
}

TEST(QuantizedCheckpointErrors, WrongTypesAndShapes) {
  const SavedModel saved(TinyModel({}));
  const std::string whole =
      test::ReadWhole(saved.folder() / "model.safetensors");
  const auto spoil = [&](const std::string& name,
                         const std::function<void(StoredTensor&)>& change) {
    saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
      change(Find(tensors, kQuery + name));
    });
    ExpectLoadError(
        saved, ErrorCode::kDataLoss, {kQuery + name, "the plan asks for"});
    test::WriteWhole(saved.folder() / "model.safetensors", whole);
  };
  spoil(".codes", [](StoredTensor& t) { std::swap(t.shape[0], t.shape[1]); });
  spoil(".codes", [](StoredTensor& t) { t.type = TensorType::kI8; });
  spoil(".codes", [](StoredTensor& t) {
    t.shape[0] -= 1;
    t.bytes = t.bytes.first(static_cast<std::size_t>(t.shape[0] * t.shape[1]));
  });
  spoil(".scales", [](StoredTensor& t) { t.type = TensorType::kBF16; });
  spoil(".zero_points", [](StoredTensor& t) { t.shape.push_back(1); });
}

TEST(QuantizedCheckpointErrors, NanScale) {
  const SavedModel saved(TinyModel({}));
  std::vector<std::byte> bytes;
  saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
    StoredTensor& scales = Find(tensors, std::string(kQuery) + ".scales");
    bytes.assign(scales.bytes.begin(), scales.bytes.end());
    bytes[2] = std::byte{0xff};
    bytes[3] = std::byte{0x7f};
    scales.bytes = bytes;
  });
  ExpectLoadError(saved, ErrorCode::kDataLoss, {kQuery});
}

TEST(QuantizedCheckpointErrors, ArraysThatNobodyAskedFor) {
  const SavedModel saved(TinyModel({}));
  const std::vector<std::byte> bytes(4);
  const std::string whole =
      test::ReadWhole(saved.folder() / "model.safetensors");
  saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
    tensors.push_back(
        {std::string(kQuery) + ".order", TensorType::kU8, {4}, bytes});
  });
  ExpectLoadError(saved, ErrorCode::kDataLoss, {".order"});
  test::WriteWhole(saved.folder() / "model.safetensors", whole);
  saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
    tensors.push_back({kQuery, TensorType::kF32, {1}, bytes});
  });
  ExpectLoadError(saved, ErrorCode::kUnsupported, {kQuery});
}

TEST(QuantizedCheckpointErrors, PlanOfAnotherSave) {
  const SavedModel saved(TinyModel({}));
  const auto path = saved.folder() / "plan.json";
  const std::string plan = test::ReadWhole(path);
  test::WriteWhole(path, plan + " ");
  const auto loaded = QuantizedCheckpoint::Load(saved.folder());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(loaded.error().message, HasSubstr("plan.json"));
}

TEST(QuantizedCheckpointErrors, PlanAgainstConfiguration) {
  const SavedModel saved(TinyModel({}));
  const auto path = saved.folder() / "plan.json";
  const std::string plan = test::ReadWhole(path);
  const auto replace = [&](const std::string& from, const std::string& to) {
    std::string text = plan;
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    test::WriteWhole(path, text.replace(at, from.size(), to));
  };
  replace("layers.0.self_attn.q_proj.weight",
          "layers.7.self_attn.q_proj.weight");
  ExpectLoadError(saved, ErrorCode::kNotFound, {"plan.json", "layers.7"});
  replace("\"rows\": 24", "\"rows\": 1073741824");
  ExpectLoadError(saved, ErrorCode::kInvalidArgument, {"plan.json"});
  replace("\"rows\": 24", "\"rows\": -24");
  ExpectLoadError(saved, ErrorCode::kInvalidArgument, {"plan.json", "rows"});
  test::WriteWhole(path, plan.substr(0, plan.size() / 2));
  ExpectLoadError(saved, ErrorCode::kDataLoss, {"plan.json"});
  std::filesystem::remove(path);
  ExpectLoadError(saved, ErrorCode::kNotFound, {"plan.json"});
}

TEST(QuantizedCheckpointErrors, ConfigurationOfAnotherModel) {
  TinyModel tiny({});
  const SavedModel saved(tiny);
  tiny.config["num_hidden_layers"] = 1;
  test::WriteWhole(saved.folder() / "config.json", tiny.config.dump());
  ExpectLoadError(saved, ErrorCode::kNotFound, {"layers.1"});
  tiny.config["num_hidden_layers"] = 3;
  test::WriteWhole(saved.folder() / "config.json", tiny.config.dump());
  ExpectLoadError(saved, ErrorCode::kNotFound, {"layers.2"});
}

TEST(QuantizedCheckpointErrors, TruncatedWeights) {
  const SavedModel saved(TinyModel({}));
  const auto path = saved.folder() / "model.safetensors";
  const std::string whole = test::ReadWhole(path);
  for (std::size_t length = 0; length < whole.size();
       length += whole.size() / 50 + 1) {
    test::WriteWhole(path, whole.substr(0, length));
    ExpectLoadError(saved, ErrorCode::kDataLoss, {"model.safetensors"});
    EXPECT_FALSE(QuantizedCheckpoint::IsOne(saved.folder()));
  }
}

}  // namespace
}  // namespace bitpact
