// SPDX-License-Identifier: Apache-2.0
#include "estimators/unit_variants.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/threads.h"
#include "models/calibration.h"
#include "models/row_scores.h"

namespace bitpact {

struct UnitVariants::Variant {
  UnitMatrix matrix;
  int place;
  std::size_t option;
  BitFormat format;
};

struct UnitVariants::Sources {
  const Quantizer& quantizer;
  const RowScores& row_scores;
  std::span<const float> hessian;
};

namespace {

// The stage within its block that reads the matrix at `place`.
int StageOf(int place) {
  const auto kind = static_cast<LinearKind>(place % kLinearsPerBlock);
  const std::span<const LinearStage> stages = LinearStages();
  const auto found = std::ranges::find_if(stages, [&](const auto& stage) {
    return std::ranges::count(stage.kinds, kind) > 0;
  });
  return static_cast<int>(found - stages.begin());
}

}  // namespace

Expected<UnitVariants> UnitVariants::Create(
    const Model& model,
    const std::vector<Unit>& units,
    const std::vector<FormatRule>& formats,
    const Quantizer& quantizer,
    const TokenSet& tokens) {
  BITPACT_CHECK(!units.empty() && !formats.empty(), "an empty game");
  UnitVariants variants;
  variants.packed_.resize(formats.size());
  for (auto& option : variants.packed_) {
    option.resize(static_cast<std::size_t>(model.config().num_layers) *
                  kLinearsPerBlock);
  }
  std::vector<Variant> all;
  for (std::size_t u = 0; u < units.size(); ++u) {
    const Expected<void> added = variants.AddUnit(model, units[u]);
    if (!added) return tl::unexpected(added.error());
    for (std::size_t m = 0; m < units[u].matrices.size(); ++m) {
      const UnitMatrix& matrix = units[u].matrices[m];
      for (std::size_t o = 0; o < formats.size(); ++o) {
        all.push_back({matrix,
                       variants.places_[u][m],
                       o,
                       FormatFor(formats[o], matrix.cols)});
      }
    }
  }
  const Expected<void> done =
      variants.QuantizeAll(model, all, quantizer, tokens);
  if (!done) return tl::unexpected(done.error());
  return variants;
}

std::int64_t UnitVariants::bytes() const {
  std::int64_t sum = 0;
  for (const auto& option : packed_) {
    for (const auto& matrix : option) {
      if (matrix) sum += matrix->size_bytes();
    }
  }
  return sum;
}

Expected<void> UnitVariants::AddUnit(const Model& model, const Unit& unit) {
  Expected<std::vector<int>> places = WeightIndices(model, unit);
  if (!places) return tl::unexpected(places.error());
  const int layer = places->front() / kLinearsPerBlock;
  for (const int place : *places) {
    if (place / kLinearsPerBlock != layer) {
      return InvalidArgument("unit '" + unit.name +
                             "' spans two blocks; a unit lies in one");
    }
    for (const std::vector<int>& other : places_) {
      if (std::find(other.begin(), other.end(), place) != other.end()) {
        return InvalidArgument("unit '" + unit.name +
                               "' shares a matrix with another unit");
      }
    }
  }
  stages_.push_back(layer * kStagesPerBlock +
                    StageOf(*std::ranges::min_element(*places)));
  places_.push_back(std::move(*places));
  return {};
}

Expected<void> UnitVariants::QuantizeSome(const Model& model,
                                          const std::vector<Variant>& variants,
                                          const Sources& from) {
  std::vector<std::optional<Error>> errors(variants.size());
  ParallelFor(std::ssize(variants), [&](std::int64_t index, int) {
    const Variant& variant = variants[static_cast<std::size_t>(index)];
    const MatrixView view{
        model.linear(variant.place / kLinearsPerBlock,
                     static_cast<LinearKind>(variant.place % kLinearsPerBlock)),
        variant.matrix.rows,
        variant.matrix.cols};
    Expected<PackedMatrix> packed = from.quantizer.Quantize(
        view,
        {.hessian = from.hessian,
         .row_scores = from.row_scores.Of(variant.place, variant.format)},
        variant.format);
    if (!packed) {
      errors[static_cast<std::size_t>(index)] = {
          packed.error().code,
          variant.matrix.tensor + ": " + packed.error().message};
      return;
    }
    packed_[variant.option][static_cast<std::size_t>(variant.place)] =
        std::make_shared<const PackedMatrix>(std::move(*packed));
  });
  for (const std::optional<Error>& error : errors) {
    if (error) return tl::unexpected(*error);
  }
  return {};
}

Expected<void> UnitVariants::QuantizeAll(const Model& model,
                                         const std::vector<Variant>& all,
                                         const Quantizer& quantizer,
                                         const TokenSet& tokens) {
  std::vector<PlacedFormat> placed;
  for (const Variant& variant : all) {
    placed.push_back({variant.place, variant.format});
  }
  const auto scores = RowScores::Measure(model, placed, quantizer, &tokens);
  if (!scores) return tl::unexpected(scores.error());
  if (!quantizer.needs_hessian()) {
    return QuantizeSome(model, all, {quantizer, *scores, {}});
  }
  Calibration calibration(model, tokens);
  const WeightSet weights = FullPrecisionWeights(model);
  for (int layer = 0; layer < model.config().num_layers; ++layer) {
    const auto block = std::span(weights).subspan(
        static_cast<std::size_t>(layer) * kLinearsPerBlock, kLinearsPerBlock);
    for (const LinearStage& stage : LinearStages()) {
      std::vector<Variant> some;
      std::ranges::copy_if(
          all, std::back_inserter(some), [&](const Variant& variant) {
            const auto kind =
                static_cast<LinearKind>(variant.place % kLinearsPerBlock);
            return variant.place / kLinearsPerBlock == layer &&
                   std::ranges::count(stage.kinds, kind) > 0;
          });
      if (some.empty()) continue;
      const auto hessian = calibration.StageHessian(block, stage);
      if (!hessian) return tl::unexpected(hessian.error());
      const auto done =
          QuantizeSome(model, some, {quantizer, *scores, *hessian});
      if (!done) return done;
    }
    calibration.Advance(block);
  }
  return {};
}

}  // namespace bitpact
