// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_QUANTIZED_MODEL_H_
#define BITPACT_MODELS_QUANTIZED_MODEL_H_

// A model whose linear matrices are packed as a plan says. The packed matrices
// are what inference multiplies from; no dense copy of them exists.

#include <filesystem>
#include <memory>
#include <vector>

#include "core/allocation_plan.h"
#include "core/error.h"
#include "models/model.h"
#include "models/sequential_quantizer.h"
#include "models/transformer.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"

namespace bitpact {

class QuantizedModel {
 public:
  // Quantizes each matrix to the format its unit has in the plan, in memory.
  // Matrices that no unit names stay in full precision. calibration: for
  // quantizers that need Hessians, null otherwise. Errors, order and threads:
  // JobsOfPlan and QuantizeMatrices (models/sequential_quantizer.h).
  static Expected<QuantizedModel> Make(const Model& model,
                                       const AllocationPlan& plan,
                                       const Quantizer& quantizer,
                                       const TokenSet* calibration = nullptr);

  // From matrices that are there: one a place of the WeightSet, in the plan's
  // formats, null where the plan has none.
  static QuantizedModel FromMatrices(const Model& model,
                                     const AllocationPlan& plan,
                                     std::vector<SharedMatrix> packed);

  // The weights to run; valid as long as this object and the model.
  [[nodiscard]] const WeightSet& weights() const { return weights_; }
  // Bytes of all packed arrays; equals the plan's size_bytes.
  [[nodiscard]] std::int64_t packed_bytes() const { return packed_bytes_; }
  [[nodiscard]] const AllocationPlan& plan() const { return plan_; }
  // One a place of the WeightSet; null where the matrix is not packed.
  [[nodiscard]] const std::vector<SharedMatrix>& packed() const {
    return packed_;
  }

  // Writes a folder: model.safetensors (packed arrays as NAME.codes,
  // NAME.scales, NAME.zero_points; all other tensors byte by byte as they are
  // in the checkpoint), plan.json, config.json and tokenizer files copied.
  // Every file appears whole or not at all; model.safetensors comes last and
  // carries the fingerprint of plan.json, so that a mixture of two saves is
  // noticed. `model`: the one this was made from. kInvalidArgument: the folder
  // is the model's own; kUnavailable: it cannot be written.
  //
  // Arrays: codes U8 [rows, RowCodeBytes]; scales F16 or F32 [rows, groups];
  // zero-points U8, F16 or F32 [rows, groups], absent when the format is
  // symmetric. Layout: quant/packed_matrix.h.
  Expected<void> Save(const Model& model,
                      const std::filesystem::path& folder) const;

 private:
  friend struct QuantizedCheckpoint;
  AllocationPlan plan_;
  std::vector<SharedMatrix> packed_;
  WeightSet weights_;
  std::int64_t packed_bytes_ = 0;
};

// A folder that Save wrote. The model holds the full-precision rest (embedding,
// norms, matrices that no unit names); its linear() is empty where the
// quantized model has the matrix packed.
struct QuantizedCheckpoint {
  Model model;
  QuantizedModel quantized;

  // True for a folder with a plan.json beside packed tensors.
  static bool IsOne(const std::filesystem::path& folder);
  // Nothing in the folder is believed: plan, configuration and tensors are held
  // against each other. Errors of ReadPlan, Model::Load and
  // PackedMatrix::FromStored; kNotFound: a packed array is missing; kDataLoss:
  // an array of the wrong type or shape, an unknown one, or a plan.json that is
  // not the one model.safetensors was written with.
  static Expected<QuantizedCheckpoint> Load(
      const std::filesystem::path& folder);
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_QUANTIZED_MODEL_H_
