// SPDX-License-Identifier: Apache-2.0
#include "tests/models/saved_model.h"

#include <utility>

#include "gtest/gtest.h"
#include "models/safetensors.h"

namespace bitpact::test {

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
    window.tokens = RandomTokens(20 + static_cast<int>(w) * 9, 37, 50 + w);
    set.predicted += window.predicted();
    set.windows.push_back(window);
  }
  return set;
}

SavedModel::SavedModel(const TinyModel& tiny) : model_(tiny.Load()) {
  auto made = QuantizedModel::Make(
      model_, MixedPlan(model_, Granularity::kMatrix), *Quanto());
  EXPECT_TRUE(made) << made.error().message;
  quantized_ = std::move(*made);
  const auto saved = quantized_.Save(model_, folder_.path());
  EXPECT_TRUE(saved) << saved.error().message;
}

void SavedModel::Rewrite(
    const std::function<void(std::vector<StoredTensor>&)>& change) const {
  const auto path = folder_.File("model.safetensors");
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file);
  std::vector<StoredTensor> tensors = file->tensors();
  change(tensors);
  ASSERT_TRUE(WriteSafetensors(path, tensors, file->metadata()));
}

}  // namespace bitpact::test
