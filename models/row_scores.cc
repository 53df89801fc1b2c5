// SPDX-License-Identifier: Apache-2.0
#include "models/row_scores.h"

#include <algorithm>
#include <optional>
#include <string>

#include "core/threads.h"
#include "models/gradient_statistics.h"
#include "models/stage_hessians.h"
#include "models/transformer.h"

namespace bitpact {
namespace {

int LayerOf(int place) { return place / kLinearsPerBlock; }
LinearKind KindOf(int place) {
  return static_cast<LinearKind>(place % kLinearsPerBlock);
}

bool Reads(const LinearStage& stage, int layer, int place) {
  return LayerOf(place) == layer &&
         std::ranges::count(stage.kinds, KindOf(place)) > 0;
}

}  // namespace

Expected<RowScores> RowScores::Measure(const Model& model,
                                       std::span<const PlacedFormat> wanted,
                                       const Quantizer& quantizer,
                                       const TokenSet* tokens) {
  const auto mix = std::ranges::find_if(
      wanted, [](const PlacedFormat& one) { return one.format.row_mix(); });
  if (mix == wanted.end()) return RowScores();
  const std::optional<RowRanking> ranking = quantizer.row_ranking();
  if (ranking) return Measure(model, wanted, *ranking, tokens);
  return Fail(ErrorCode::kUnsupported,
              "quantizer '" + quantizer.name() +
                  "' makes no rows of two widths, as in " +
                  FormatName(mix->format));
}

Expected<RowScores> RowScores::Measure(const Model& model,
                                       std::span<const PlacedFormat> wanted,
                                       RowRanking ranking,
                                       const TokenSet* tokens) {
  RowScores result;
  std::string named;
  for (const PlacedFormat& one : wanted) {
    if (!one.format.row_mix()) continue;
    if (named.empty()) named = FormatName(one.format);
    result.scores_[{one.place, LowFormat(one.format)}] = {};
  }
  if (named.empty()) return result;
  if (tokens == nullptr) {
    return InvalidArgument(
        named + " needs calibration tokens, to tell which rows matter");
  }
  std::optional<Model> loaded;
  if (model.linear(0, LinearKind::kQ).empty()) {
    Expected<Model> whole = Model::Load(model.folder());
    if (!whole) return tl::unexpected(whole.error());
    loaded = std::move(*whole);
  }
  const Model& dense = loaded ? *loaded : model;
  if (ranking != RowRanking::kFisher) {
    const auto added = result.AddEnergies(dense, *tokens);
    if (!added) return tl::unexpected(added.error());
  }
  if (ranking != RowRanking::kError) {
    const auto added = result.AddGradients(dense, *tokens, ranking);
    if (!added) return tl::unexpected(added.error());
  }
  return result;
}

std::span<const double> RowScores::Of(int place,
                                      const BitFormat& format) const {
  if (!format.row_mix()) return {};
  const auto found = scores_.find({place, LowFormat(format)});
  return found == scores_.end() ? std::span<const double>() : found->second;
}

Expected<void> RowScores::AddEnergies(const Model& model,
                                      const TokenSet& tokens) {
  return VisitStageHessians(
      model,
      tokens,
      [&](int layer, const LinearStage& stage) {
        return std::ranges::any_of(scores_, [&](const auto& entry) {
          return Reads(stage, layer, entry.first.first);
        });
      },
      [&](int layer,
          const LinearStage& stage,
          std::span<const float> hessian) -> Expected<void> {
        std::vector<Key> keys;
        for (const auto& entry : scores_) {
          if (Reads(stage, layer, entry.first.first)) {
            keys.push_back(entry.first);
          }
        }
        std::vector<std::optional<Error>> errors(keys.size());
        ParallelFor(std::ssize(keys), [&](std::int64_t index, int) {
          const auto& [place, format] = keys[static_cast<std::size_t>(index)];
          const UnitMatrix matrix = model.linear_matrix(layer, KindOf(place));
          auto energies = RoundingEnergies(model.linear(layer, KindOf(place)),
                                           matrix.rows,
                                           matrix.cols,
                                           format,
                                           hessian);
          if (energies) {
            scores_.at({place, format}) = std::move(*energies);
          } else {
            errors[static_cast<std::size_t>(index)] = {
                energies.error().code,
                "tensor " + QuotedName(matrix.tensor) + ": " +
                    energies.error().message};
          }
        });
        for (const std::optional<Error>& error : errors) {
          if (error) return tl::unexpected(*error);
        }
        return {};
      });
}

Expected<void> RowScores::AddGradients(const Model& model,
                                       const TokenSet& tokens,
                                       RowRanking ranking) {
  const auto seen =
      MeasureGradients(model, FullPrecisionWeights(model), tokens);
  if (!seen) return tl::unexpected(seen.error());
  for (auto& [key, scores] : scores_) {
    const auto place = static_cast<std::size_t>(key.first);
    if (ranking == RowRanking::kFisher) {
      scores = seen->row_fisher[place];
      continue;
    }
    for (std::size_t row = 0; row < scores.size(); ++row) {
      scores[row] *= seen->row_gradient_squares[place][row];
    }
  }
  return {};
}

}  // namespace bitpact
