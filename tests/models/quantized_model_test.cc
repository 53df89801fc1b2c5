// SPDX-License-Identifier: Apache-2.0
#include "models/quantized_model.h"

#include <string>

#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/models/saved_model.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using test::MixedPlan;
using test::Quanto;
using test::SavedModel;
using test::TinyModel;
using testing::HasSubstr;

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

}  // namespace
}  // namespace bitpact
