// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_SEQUENTIAL_QUANTIZER_H_
#define BITPACT_MODELS_SEQUENTIAL_QUANTIZER_H_

// Quantizes the matrices of a plan, in the order of the computation.
//
// A quantizer that needs Hessians gets those of calibration tokens that ran
// through everything before the matrix as it will be: earlier blocks quantized,
// and inside a block earlier layers too ("true sequential" in
// IST-DASLab/gptq): q, k and v share one Hessian, then o, then gate and up
// share one, then down. Others need no order and are spread over threads.
//
// Memory beside the model's embedding, norms and the store: with Hessians the
// matrices of one block in float32, one Hessian and what models/calibration.h
// says; otherwise one matrix in float32 for every thread; before, with row
// mixes, what models/row_scores.h says. The model may be one
// of Model::LoadOutside: matrices are read when it is their turn.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/allocation_plan.h"
#include "core/error.h"
#include "models/model.h"
#include "models/token_set.h"
#include "models/transformer.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"

namespace bitpact {

// One matrix to quantize and where it goes in a WeightSet.
struct LinearJob {
  UnitMatrix matrix;
  BitFormat format;
  int place = 0;
};

// The plan's matrices by rising place. kNotFound, kInvalidArgument: plan and
// model do not fit each other (a tensor that the model lacks, has in another
// shape, holds packed already, or that two units name; stated sizes that are
// wrong).
Expected<std::vector<LinearJob>> JobsOfPlan(const Model& model,
                                            const AllocationPlan& plan);

// kInvalidArgument names the first linear matrix of the model that the jobs
// leave out, and how many they do.
Expected<void> CheckAllPlanned(const Model& model,
                               const std::vector<LinearJob>& jobs);

using SharedMatrix = std::shared_ptr<const PackedMatrix>;

// Where results are kept. Both are called by several threads at once, for
// different jobs.
struct PackedStore {
  // The result of an earlier run, or null.
  std::function<Expected<SharedMatrix>(const LinearJob& job)> find;
  // Keeps a result and returns the one to go on with.
  std::function<Expected<SharedMatrix>(const LinearJob& job,
                                       PackedMatrix packed)>
      put;
};
// Finds nothing and keeps results in memory.
PackedStore MemoryStore();

struct QuantizedMatrices {
  // One a place of the WeightSet; null where no job was.
  std::vector<SharedMatrix> packed;
  // What quantizers say they did other than asked, tensors named.
  std::vector<std::string> notes;
};

// calibration: null if there is none; kInvalidArgument if the quantizer needs
// it, or a format does (row mixes). Other errors: of RowScores::Measure, of the
// quantizer, of Model::ReadLinear (both name the
// tensor), of Calibration, of the store. Nothing depends on the number of
// threads. A progress bar counts matrices.
Expected<QuantizedMatrices> QuantizeMatrices(const Model& model,
                                             const std::vector<LinearJob>& jobs,
                                             const Quantizer& quantizer,
                                             const TokenSet* calibration,
                                             const PackedStore& store);

}  // namespace bitpact

#endif  // BITPACT_MODELS_SEQUENTIAL_QUANTIZER_H_
