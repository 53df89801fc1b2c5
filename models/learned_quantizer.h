// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_LEARNED_QUANTIZER_H_
#define BITPACT_MODELS_LEARNED_QUANTIZER_H_

// HIPR's hybrid quantizer (arXiv 2511.17801, section 3) over a whole model:
// block after block learns its rounding (models/block_reconstruction.h) on what
// the quantized blocks before it make of the calibration text. Takes the place
// of QuantizeMatrices (models/sequential_quantizer.h), with its jobs and its
// stores; formats are plain or row mixes.
//
// Memory beside the model's embedding, norms and the store: two activations a
// calibration token, 8 * hidden_size bytes each; one block in float32 with what
// it learns, about 33 bytes a weight, and models/block_reconstruction.h's.

#include <string>
#include <vector>

#include "core/error.h"
#include "models/block_reconstruction.h"
#include "models/model.h"
#include "models/sequential_quantizer.h"
#include "models/token_set.h"
#include "quant/row_ranking.h"

namespace bitpact {

inline constexpr const char* kHybridName = "hybrid";

struct LearnedMatrices {
  QuantizedMatrices matrices;
  // Of the blocks that were learned now, not found in the store.
  std::vector<ReconstructionOutcome> outcomes;
};

// A block whose matrices are all in the store is not learned again; one of
// which some are is learned as a whole, to the same bits. Notes say which
// blocks stopped early or kept the start. kInvalidArgument: options out of
// range, too few windows, activations that are not finite; kUnsupported: mixed
// columns. Other errors: of RowScores::Measure, Model::ReadLinear,
// LearnedMatrix::Create (both name the tensor), the store. Nothing depends on
// the number of threads.
Expected<LearnedMatrices> LearnMatrices(const Model& model,
                                        const std::vector<LinearJob>& jobs,
                                        RowRanking ranking,
                                        const TokenSet& calibration,
                                        const ReconstructionOptions& options,
                                        const PackedStore& store);

// One line for files that must not mix results of different options.
std::string OptionsText(const ReconstructionOptions& options,
                        RowRanking ranking);

}  // namespace bitpact

#endif  // BITPACT_MODELS_LEARNED_QUANTIZER_H_
