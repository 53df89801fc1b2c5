// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_QUANTIZE_FOLDER_H_
#define BITPACT_MODELS_QUANTIZE_FOLDER_H_

// From a model's folder and a plan to a folder with packed weights, without
// ever holding the model: matrices are read when it is their turn, results go
// to the disk at once, and the final file is written from these.
//
// While it works, results lie in OUTPUT/unfinished (models/part_files.h). A run
// that was interrupted, killed included, is taken up again by the same request
// where it stopped. A run that ends with bad input leaves nothing behind; one
// that ends because the disk is full or the like keeps its parts.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/allocation_plan.h"
#include "core/error.h"
#include "models/block_reconstruction.h"
#include "models/model.h"
#include "models/token_set.h"
#include "quant/quantizer.h"

namespace bitpact {

enum class FolderFormat {
  kBitpact,  // models/quantized_model.h
  kGptq,     // models/gptq_checkpoint.h
};

// models/learned_quantizer.h; needs calibration.
struct LearnedRequest {
  ReconstructionOptions options;
  RowRanking ranking = RowRanking::kGradientError;
};

struct QuantizeRequest {
  const Model* model = nullptr;  // Model::LoadOutside is enough
  // Covers every linear matrix; for kGptq one of PlanForGptq.
  AllocationPlan plan;
  const Quantizer* quantizer = nullptr;
  // Not null: learned block by block instead of by `quantizer`.
  const LearnedRequest* learned = nullptr;
  // Everything about the quantizer that changes results; part of the key.
  std::string quantizer_options;
  const TokenSet* calibration = nullptr;
  FolderFormat format = FolderFormat::kBitpact;
  std::filesystem::path output;
};

struct QuantizeOutcome {
  std::int64_t packed_bytes = 0;
  std::vector<std::string> notes;
};

// Errors of JobsOfPlan, CheckAllPlanned, PartFiles::Open, QuantizeMatrices and
// of the format's writer. All that can be known is checked before any work.
Expected<QuantizeOutcome> QuantizeFolder(const QuantizeRequest& request);

}  // namespace bitpact

#endif  // BITPACT_MODELS_QUANTIZE_FOLDER_H_
