// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_MODELS_SAVED_MODEL_H_
#define BITPACT_TESTS_MODELS_SAVED_MODEL_H_

// A quantized model in a folder of its own, and what the tests of quantized
// models share.

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "models/quantized_model.h"
#include "models/token_set.h"
#include "tests/models/tiny_model.h"

namespace bitpact::test {

// Formats with all kinds of scales and zero-points, one after the other.
AllocationPlan MixedPlan(const Model& model, Granularity granularity);

std::unique_ptr<Quantizer> Quanto();

// Windows of ids below 37, the vocabulary of a TinyModel.
TokenSet SomeTokens();

class SavedModel {
 public:
  // MixedPlan at matrix granularity.
  explicit SavedModel(const TinyModel& tiny);

  [[nodiscard]] const std::filesystem::path& folder() const {
    return folder_.path();
  }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const QuantizedModel& quantized() const { return quantized_; }

  // Changes model.safetensors; its metadata stays.
  void Rewrite(
      const std::function<void(std::vector<StoredTensor>&)>& change) const;

 private:
  TemporaryFolder folder_;
  Model model_;
  QuantizedModel quantized_;
};

}  // namespace bitpact::test

#endif  // BITPACT_TESTS_MODELS_SAVED_MODEL_H_
