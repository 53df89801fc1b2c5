// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_GPTQ_CHECKPOINT_H_
#define BITPACT_MODELS_GPTQ_CHECKPOINT_H_

// Folders in the format of GPTQ checkpoints, as AutoGPTQ and GPTQModel define
// it and Transformers and vLLM read it: model.safetensors with MODULE.qweight,
// .qzeros, .scales and .g_idx (quant/gptq_layout.h, version 1) beside the
// tensors that stay as they are, and in config.json a "quantization_config",
// written to quantize_config.json as well:
//
//   bits, group_size, sym   the most frequent format (-1: the whole row)
//   dynamic                 GPTQModel's exceptions, "+:REGEX" -> bits,
//                           group_size, sym for a module, "-:REGEX" for one
//                           that is not quantized; the first match at the start
//                           of the module's name counts
//   checkpoint_format       "gptq" (v1); "gptq_v2" is read too
//
// desc_act is false: our activation order keeps groups where they are
// (quant/gptq_quantizer.h), so g_idx is input / group_size.

#include <filesystem>
#include <string>
#include <vector>

#include "core/allocation_plan.h"
#include "core/error.h"
#include "models/quantized_model.h"

namespace bitpact {

struct GptqPlan {
  AllocationPlan plan;
  // What was changed and what that means, a sentence each.
  std::vector<std::string> notes;
};

// The plan in formats that such a checkpoint has: float shifts become integer
// zero-points and float32 scales float16 (smaller, another rounding than the
// one a plan was measured with). kUnsupported names a unit or tensor: a width
// other than 2, 3, 4, 8; rows or columns that are no multiple of 32; a group
// size that does not divide the row.
Expected<GptqPlan> PlanForGptq(const AllocationPlan& plan);

// Writes the folder; model.safetensors comes last. quantized: made by a plan of
// PlanForGptq. Returns notes. Memory: one matrix's arrays once more.
// kInvalidArgument, kUnavailable: as QuantizedModel::Save.
Expected<std::vector<std::string>> SaveGptqFolder(
    const QuantizedModel& quantized,
    const Model& model,
    const std::filesystem::path& folder);

// True for a folder whose config.json or quantize_config.json says so.
bool IsGptqFolder(const std::filesystem::path& folder);

// Reads such a folder, whoever wrote it; the model may have full-precision
// linear matrices too. Weights are repacked in memory. Errors: Model::Load's,
// FromGptqArrays', kNotFound for a missing array, kInvalidArgument for a
// configuration that is broken, kUnsupported for one of another method.
Expected<QuantizedCheckpoint> LoadGptqFolder(
    const std::filesystem::path& folder);

}  // namespace bitpact

#endif  // BITPACT_MODELS_GPTQ_CHECKPOINT_H_
