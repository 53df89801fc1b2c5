// SPDX-License-Identifier: Apache-2.0
#include "estimators/quantized_variants.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/threads.h"
#include "models/row_scores.h"
#include "models/stage_hessians.h"

namespace bitpact {

struct QuantizedVariants::Job {
  std::size_t matrix = 0;
  std::size_t option = 0;
};

std::size_t QuantizedVariants::MatrixAt(std::size_t place) const {
  return at_place_[place];
}

Expected<void> QuantizedVariants::Quantize(std::span<const Job> jobs,
                                           const ModelEvidence& evidence,
                                           const RowScores& row_scores,
                                           std::span<const float> hessian) {
  std::vector<std::optional<Error>> errors(jobs.size());
  ParallelFor(std::ssize(jobs), [&](std::int64_t index, int) {
    const Job& job = jobs[static_cast<std::size_t>(index)];
    const VariantMatrix& matrix = matrices_[job.matrix];
    const auto kind = static_cast<LinearKind>(matrix.place % kLinearsPerBlock);
    const BitFormat format =
        FormatFor((*evidence.formats)[job.option], matrix.cols);
    Expected<PackedMatrix> packed = evidence.quantizer->Quantize(
        {model_->linear(matrix.layer(), kind), matrix.rows, matrix.cols},
        {.hessian = hessian, .row_scores = row_scores.Of(matrix.place, format)},
        format);
    if (packed) {
      packed_[job.matrix][job.option] = std::move(*packed);
    } else {
      errors[static_cast<std::size_t>(index)] = {
          packed.error().code,
          model_->linear_matrix(matrix.layer(), kind).tensor + ": " +
              packed.error().message};
    }
  });
  for (const std::optional<Error>& error : errors) {
    if (error) return tl::unexpected(*error);
  }
  return {};
}

Expected<QuantizedVariants> QuantizedVariants::Make(
    const ModelEvidence& evidence) {
  QuantizedVariants made;
  made.model_ = evidence.model;
  made.num_units_ = evidence.units->size();
  made.num_options_ = evidence.formats->size();
  for (std::size_t u = 0; u < made.num_units_; ++u) {
    const Unit& unit = (*evidence.units)[u];
    const auto places = WeightIndices(*evidence.model, unit);
    if (!places) return tl::unexpected(places.error());
    for (std::size_t m = 0; m < unit.matrices.size(); ++m) {
      made.matrices_.push_back(
          {u, (*places)[m], unit.matrices[m].rows, unit.matrices[m].cols});
    }
  }
  made.at_place_.resize(
      static_cast<std::size_t>(evidence.model->config().num_layers) *
          kLinearsPerBlock,
      made.matrices_.size());
  made.packed_.resize(made.matrices_.size());
  std::vector<Job> all;
  std::vector<PlacedFormat> placed;
  for (std::size_t m = 0; m < made.matrices_.size(); ++m) {
    made.at_place_[static_cast<std::size_t>(made.matrices_[m].place)] = m;
    made.packed_[m].resize(made.num_options_);
    for (std::size_t o = 0; o < made.num_options_; ++o) {
      all.push_back({m, o});
      placed.push_back(
          {made.matrices_[m].place,
           FormatFor((*evidence.formats)[o], made.matrices_[m].cols)});
    }
  }
  const auto scores = RowScores::Measure(
      *evidence.model, placed, *evidence.quantizer, evidence.calibration);
  if (!scores) return tl::unexpected(scores.error());
  if (!evidence.quantizer->needs_hessian()) {
    const Expected<void> done = made.Quantize(all, evidence, *scores, {});
    if (!done) return tl::unexpected(done.error());
    return made;
  }
  const auto of_stage = [&](int layer, const LinearStage& stage) {
    std::vector<Job> some;
    for (const LinearKind kind : stage.kinds) {
      const std::size_t m =
          made.MatrixAt(static_cast<std::size_t>(layer) * kLinearsPerBlock +
                        static_cast<std::size_t>(kind));
      if (m == made.matrices_.size()) continue;
      for (std::size_t o = 0; o < made.num_options_; ++o) {
        some.push_back({m, o});
      }
    }
    return some;
  };
  const Expected<void> done = VisitStageHessians(
      *evidence.model,
      *evidence.calibration,
      [&](int layer, const LinearStage& stage) {
        return !of_stage(layer, stage).empty();
      },
      [&](int layer, const LinearStage& stage, std::span<const float> hessian) {
        return made.Quantize(
            of_stage(layer, stage), evidence, *scores, hessian);
      });
  if (!done) return tl::unexpected(done.error());
  return made;
}

void QuantizedVariants::WeightError(std::size_t matrix,
                                    std::size_t option,
                                    std::span<float> error) const {
  const VariantMatrix& which = matrices_[matrix];
  packed_[matrix][option].Dequantize(0, which.rows, error);
  const std::span<const float> exact = model_->linear(
      which.layer(), static_cast<LinearKind>(which.place % kLinearsPerBlock));
  for (std::size_t i = 0; i < error.size(); ++i) error[i] -= exact[i];
}

}  // namespace bitpact
