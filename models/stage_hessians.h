// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_STAGE_HESSIANS_H_
#define BITPACT_MODELS_STAGE_HESSIANS_H_

// The Hessians of all linear stages of the full-precision model on calibration
// tokens, one after the other: only one is held at a time.

#include <functional>
#include <span>

#include "core/error.h"
#include "models/calibration.h"
#include "models/model.h"
#include "models/token_set.h"

namespace bitpact {

// Called once a stage, layer by layer in the order of LinearStages(). hessian:
// [cols, cols] of the stage's input (quant/hessian.h), valid during the call.
using StageHessianVisitor = std::function<Expected<void>(
    int layer, const LinearStage& stage, std::span<const float> hessian)>;
// Stages for which this is false are passed by, without a Hessian.
using StageFilter = std::function<bool(int layer, const LinearStage& stage)>;

// Stops at the first error, the visitor's or Calibration's. Memory and threads:
// models/calibration.h. `wanted` null: all.
Expected<void> VisitStageHessians(const Model& model,
                                  const TokenSet& tokens,
                                  const StageFilter& wanted,
                                  const StageHessianVisitor& visitor);

}  // namespace bitpact

#endif  // BITPACT_MODELS_STAGE_HESSIANS_H_
