// SPDX-License-Identifier: Apache-2.0
#include "models/stage_hessians.h"

#include <cstddef>
#include <vector>

#include "models/transformer.h"

namespace bitpact {

Expected<void> VisitStageHessians(const Model& model,
                                  const TokenSet& tokens,
                                  const StageFilter& wanted,
                                  const StageHessianVisitor& visitor) {
  Calibration calibration(model, tokens);
  const WeightSet weights = FullPrecisionWeights(model);
  for (int layer = 0; layer < model.config().num_layers; ++layer) {
    const auto block = std::span(weights).subspan(
        static_cast<std::size_t>(layer) * kLinearsPerBlock, kLinearsPerBlock);
    for (const LinearStage& stage : LinearStages()) {
      if (wanted && !wanted(layer, stage)) continue;
      const auto hessian = calibration.StageHessian(block, stage);
      if (!hessian) return tl::unexpected(hessian.error());
      const Expected<void> done = visitor(layer, stage, *hessian);
      if (!done) return done;
    }
    calibration.Advance(block);
  }
  return {};
}

}  // namespace bitpact
