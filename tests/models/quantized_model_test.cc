// SPDX-License-Identifier: Apache-2.0
#include "models/quantized_model.h"

#include <functional>
#include <memory>
#include <string>

#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/packed_tensors.h"
#include "models/perplexity.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::TinyModel;
using testing::HasSubstr;
using testing::Not;

// Formats with all kinds of scales and zero-points, one after the other.
AllocationPlan MixedPlan(const Model& model, Granularity granularity) {
  const std::vector<BitFormat> formats = {
      {.bits = 2, .group_size = 8},
      {.bits = 3,
       .group_size = 0,
       .scale_type = ScaleType::kFloat32,
       .zero_point_type = ZeroPointType::kNone},
      {.bits = 4, .group_size = 16, .zero_point_type = ZeroPointType::kUint8},
      {.bits = 8,
       .group_size = 5,
       .scale_type = ScaleType::kFloat32,
       .zero_point_type = ZeroPointType::kFloat32},
      {.bits = 5, .group_size = 8, .zero_point_type = ZeroPointType::kNone}};
  const std::vector<Unit> units = MakeUnits(model, granularity);
  std::vector<FormatRule> rules;
  for (std::size_t i = 0; i < units.size(); ++i) {
    rules.push_back({formats[i % formats.size()], false});
  }
  return MakePlan(units, rules, "quanto");
}

std::unique_ptr<Quantizer> Quanto() {
  auto quantizer = MakeQuantizer("quanto");
  EXPECT_TRUE(quantizer) << quantizer.error().message;
  return std::move(*quantizer);
}

TokenSet SomeTokens() {
  TokenSet set;
  for (std::uint64_t w = 0; w < 4; ++w) {
    TokenWindow window;
    window.tokens =
        test::RandomTokens(20 + static_cast<int>(w) * 9, 37, 50 + w);
    set.predicted += window.predicted();
    set.windows.push_back(window);
  }
  return set;
}

// A saved folder to spoil.
class SavedModel {
 public:
  explicit SavedModel(const TinyModel& tiny) : model_(tiny.Load()) {
    auto made = QuantizedModel::Make(
        model_, MixedPlan(model_, Granularity::kMatrix), *Quanto());
    EXPECT_TRUE(made) << made.error().message;
    quantized_ = std::move(*made);
    const auto saved = quantized_.Save(model_, folder_.path());
    EXPECT_TRUE(saved) << saved.error().message;
  }

  [[nodiscard]] const std::filesystem::path& folder() const {
    return folder_.path();
  }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const QuantizedModel& quantized() const { return quantized_; }

  // Writes the tensors back after a change, with the plan's true fingerprint.
  void Rewrite(const std::function<void(std::vector<StoredTensor>&)>& change) {
    const auto path = folder_.File("model.safetensors");
    const auto file = SafetensorsFile::Open(path);
    ASSERT_TRUE(file);
    std::vector<StoredTensor> tensors = file->tensors();
    change(tensors);
    ASSERT_TRUE(WriteSafetensors(path, tensors, file->metadata()));
  }

  void ExpectLoadError(ErrorCode code, const std::vector<std::string>& words) {
    const auto loaded = QuantizedCheckpoint::Load(folder());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, code) << loaded.error().message;
    EXPECT_THAT(loaded.error().message, Not(HasSubstr("\n")));
    for (const std::string& word : words) {
      EXPECT_THAT(loaded.error().message, HasSubstr(word));
    }
  }

 private:
  test::TemporaryFolder folder_;
  Model model_;
  QuantizedModel quantized_;
};

StoredTensor& Find(std::vector<StoredTensor>& tensors,
                   const std::string& name) {
  for (StoredTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return tensors.front();
}

constexpr const char* kQuery = "model.layers.0.self_attn.q_proj.weight";

TEST(QuantizedModel, PacksWhatThePlanNames) {
  const Model model = TinyModel({}).Load();
  const AllocationPlan plan = MixedPlan(model, Granularity::kFused);
  const auto quantized = QuantizedModel::Make(model, plan, *Quanto());
  ASSERT_TRUE(quantized) << quantized.error().message;
  EXPECT_EQ(quantized->packed_bytes(), plan.size_bytes);
  for (const LinearWeight& weight : quantized->weights()) {
    ASSERT_NE(weight.packed(), nullptr);
  }
  // Units are qkv, o, gate_up, down; formats follow in turn.
  EXPECT_EQ(quantized->weights()[2].packed()->format().bits, 2);
  EXPECT_EQ(quantized->weights()[3].packed()->format().bits, 3);
  EXPECT_EQ(quantized->weights()[5].packed()->format().bits, 4);
  EXPECT_EQ(quantized->weights()[6].packed()->format().bits, 8);
}

TEST(QuantizedModel, KeepsWhatThePlanDoesNotName) {
  const Model model = TinyModel({}).Load();
  const std::vector<Unit> units = MakeUnits(model, Granularity::kMatrix);
  const AllocationPlan plan =
      MakeUniformPlan({units[8]}, {{.bits = 4}, false}, "quanto");
  const auto quantized = QuantizedModel::Make(model, plan, *Quanto());
  ASSERT_TRUE(quantized) << quantized.error().message;
  for (std::size_t i = 0; i < quantized->weights().size(); ++i) {
    EXPECT_EQ(quantized->weights()[i].packed() != nullptr, i == 8) << i;
  }
}

TEST(QuantizedModel, RefusesPlansOfAnotherModel) {
  const Model model = TinyModel({}).Load();
  const auto quanto = Quanto();
  const AllocationPlan good = MixedPlan(model, Granularity::kMatrix);
  const auto expect =
      [&](const AllocationPlan& plan, ErrorCode code, const std::string& word) {
        const auto made = QuantizedModel::Make(model, plan, *quanto);
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().code, code);
        EXPECT_THAT(made.error().message, HasSubstr(word));
      };
  AllocationPlan plan = good;
  plan.units[0].unit.matrices[0].tensor = "model.layers.9.mlp.up_proj.weight";
  expect(plan, ErrorCode::kNotFound, "layers.9");
  plan = good;
  plan.units[0].unit.matrices[0].rows = 25;
  expect(plan, ErrorCode::kInvalidArgument, "[25, 24]");
  plan = good;
  plan.units[1] = plan.units[0];
  expect(plan, ErrorCode::kInvalidArgument, "another unit");
  plan = good;
  plan.units[0].size_bytes += 1;
  expect(plan, ErrorCode::kInvalidArgument, "size_bytes");
}

TEST(QuantizedModel, DoesNotDependOnThreads) {
  const TinyModel tiny({});
  SetThreadCount(1);
  const SavedModel one(tiny);
  SetThreadCount(3);
  const SavedModel three(tiny);
  SetThreadCount(0);
  EXPECT_EQ(test::ReadWhole(one.folder() / "model.safetensors"),
            test::ReadWhole(three.folder() / "model.safetensors"));
}

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

TEST(QuantizedModel, SaveRefusesTheModelsOwnFolder) {
  const TinyModel tiny({});
  const std::string before =
      test::ReadWhole(tiny.folder() / "model.safetensors");
  const SavedModel saved(tiny);
  const auto done = saved.quantized().Save(saved.model(), tiny.folder());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(test::ReadWhole(tiny.folder() / "model.safetensors"), before);
}

TEST(QuantizedModel, SaveToAPlaceThatIsNoFolder) {
  const TinyModel tiny({});
  const SavedModel saved(tiny);
  const auto done =
      saved.quantized().Save(saved.model(), tiny.folder() / "config.json");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
}

TEST(QuantizedCheckpointErrors, EveryMissingArray) {
  SavedModel saved(TinyModel({}));
  const std::string whole =
      test::ReadWhole(saved.folder() / "model.safetensors");
  for (const char* name : {".codes", ".scales", ".zero_points"}) {
    saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
      std::erase_if(tensors, [&](const StoredTensor& tensor) {
        return tensor.name == std::string(kQuery) + name;
      });
    });
    saved.ExpectLoadError(ErrorCode::kNotFound, {std::string(kQuery) + name});
    test::WriteWhole(saved.folder() / "model.safetensors", whole);
  }
}

TEST(QuantizedCheckpointErrors, WrongTypesAndShapes) {
  SavedModel saved(TinyModel({}));
  const std::string whole =
      test::ReadWhole(saved.folder() / "model.safetensors");
  const auto spoil = [&](const std::string& name,
                         const std::function<void(StoredTensor&)>& change) {
    saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
      change(Find(tensors, kQuery + name));
    });
    saved.ExpectLoadError(ErrorCode::kDataLoss,
                          {kQuery + name, "plan.json asks for"});
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
  SavedModel saved(TinyModel({}));
  std::vector<std::byte> bytes;
  saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
    StoredTensor& scales = Find(tensors, std::string(kQuery) + ".scales");
    bytes.assign(scales.bytes.begin(), scales.bytes.end());
    bytes[2] = std::byte{0xff};
    bytes[3] = std::byte{0x7f};
    scales.bytes = bytes;
  });
  saved.ExpectLoadError(ErrorCode::kDataLoss, {kQuery});
}

TEST(QuantizedCheckpointErrors, ArraysThatNobodyAskedFor) {
  SavedModel saved(TinyModel({}));
  const std::vector<std::byte> bytes(4);
  const std::string whole =
      test::ReadWhole(saved.folder() / "model.safetensors");
  saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
    tensors.push_back(
        {std::string(kQuery) + ".order", TensorType::kU8, {4}, bytes});
  });
  saved.ExpectLoadError(ErrorCode::kDataLoss, {".order"});
  test::WriteWhole(saved.folder() / "model.safetensors", whole);
  saved.Rewrite([&](std::vector<StoredTensor>& tensors) {
    tensors.push_back({kQuery, TensorType::kF32, {1}, bytes});
  });
  saved.ExpectLoadError(ErrorCode::kUnsupported, {kQuery});
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
  SavedModel saved(TinyModel({}));
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
  saved.ExpectLoadError(ErrorCode::kNotFound, {"plan.json", "layers.7"});
  replace("\"rows\": 24", "\"rows\": 1073741824");
  saved.ExpectLoadError(ErrorCode::kInvalidArgument, {"plan.json"});
  replace("\"rows\": 24", "\"rows\": -24");
  saved.ExpectLoadError(ErrorCode::kInvalidArgument, {"plan.json", "rows"});
  test::WriteWhole(path, plan.substr(0, plan.size() / 2));
  saved.ExpectLoadError(ErrorCode::kDataLoss, {"plan.json"});
  std::filesystem::remove(path);
  saved.ExpectLoadError(ErrorCode::kNotFound, {"plan.json"});
}

TEST(QuantizedCheckpointErrors, ConfigurationOfAnotherModel) {
  TinyModel tiny({});
  SavedModel saved(tiny);
  tiny.config["num_hidden_layers"] = 1;
  test::WriteWhole(saved.folder() / "config.json", tiny.config.dump());
  saved.ExpectLoadError(ErrorCode::kNotFound, {"layers.1"});
  tiny.config["num_hidden_layers"] = 3;
  test::WriteWhole(saved.folder() / "config.json", tiny.config.dump());
  saved.ExpectLoadError(ErrorCode::kNotFound, {"layers.2"});
}

TEST(QuantizedCheckpointErrors, TruncatedWeights) {
  SavedModel saved(TinyModel({}));
  const auto path = saved.folder() / "model.safetensors";
  const std::string whole = test::ReadWhole(path);
  for (std::size_t length = 0; length < whole.size();
       length += whole.size() / 50 + 1) {
    test::WriteWhole(path, whole.substr(0, length));
    saved.ExpectLoadError(ErrorCode::kDataLoss, {"model.safetensors"});
    EXPECT_FALSE(QuantizedCheckpoint::IsOne(saved.folder()));
  }
}

}  // namespace
}  // namespace bitpact
