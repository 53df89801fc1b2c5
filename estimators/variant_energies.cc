// SPDX-License-Identifier: Apache-2.0
#include "estimators/variant_energies.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/threads.h"
#include "models/stage_hessians.h"
#include "quant/error_energy.h"

namespace bitpact {

Expected<VariantEnergies> MeasureEnergies(const ModelEvidence& evidence,
                                          const QuantizedVariants& variants) {
  VariantEnergies energies(
      variants.matrices().size(),
      std::vector<std::vector<double>>(variants.num_options()));
  const auto of_stage = [&](int layer, const LinearStage& stage) {
    std::vector<std::pair<std::size_t, std::size_t>> jobs;
    for (const LinearKind kind : stage.kinds) {
      const std::size_t m =
          variants.MatrixAt(static_cast<std::size_t>(layer) * kLinearsPerBlock +
                            static_cast<std::size_t>(kind));
      if (m == variants.matrices().size()) continue;
      for (std::size_t o = 0; o < variants.num_options(); ++o) {
        jobs.emplace_back(m, o);
      }
    }
    return jobs;
  };
  const Expected<void> done = VisitStageHessians(
      *evidence.model,
      *evidence.calibration,
      [&](int layer, const LinearStage& stage) {
        return !of_stage(layer, stage).empty();
      },
      [&](int layer,
          const LinearStage& stage,
          std::span<const float> hessian) -> Expected<void> {
        const auto jobs = of_stage(layer, stage);
        ParallelFor(std::ssize(jobs), [&](std::int64_t index, int) {
          const auto [m, o] = jobs[static_cast<std::size_t>(index)];
          const VariantMatrix& matrix = variants.matrices()[m];
          std::vector<float> error(matrix.size());
          variants.WeightError(m, o, error);
          energies[m][o] =
              RowErrorEnergies(error, matrix.rows, matrix.cols, hessian);
        });
        return {};
      });
  if (!done) return tl::unexpected(done.error());
  return energies;
}

}  // namespace bitpact
