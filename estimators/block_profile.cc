// SPDX-License-Identifier: Apache-2.0
#include "estimators/block_profile.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <span>

#include "core/threads.h"
#include "models/transformer.h"

namespace bitpact {
namespace {

// One window through all blocks.
void ProfileWindow(const ModelEvidence& evidence,
                   const WeightSet& weights,
                   std::size_t window,
                   Transformer& transformer,
                   BlockProfile& profile) {
  const ModelConfig& config = evidence.model->config();
  const auto width = static_cast<std::size_t>(config.hidden_size);
  const auto& tokens = evidence.calibration->windows[window].tokens;
  // The last token is only predicted.
  const auto run = std::span(tokens).first(tokens.size() - 1);
  std::vector<float> hidden(run.size() * width);
  transformer.Embed(run, hidden);
  for (std::size_t layer = 0; layer < profile.cosine.size(); ++layer) {
    const std::vector<float> entering = hidden;
    transformer.RunBlock(
        static_cast<int>(layer),
        std::span(weights).subspan(layer * kLinearsPerBlock, kLinearsPerBlock),
        hidden);
    for (std::size_t at = 0; at < hidden.size(); at += width) {
      double product = 0.0;
      double before = 0.0;
      double after = 0.0;
      for (std::size_t i = at; i < at + width; ++i) {
        const auto x = static_cast<double>(entering[i]);
        const auto y = static_cast<double>(hidden[i]);
        product += x * y;
        before += x * x;
        after += y * y;
      }
      const double norms = std::sqrt(before * after);
      profile.cosine[layer][window] += norms > 0.0 ? product / norms : 0.0;
      profile.square[layer][window] += after;
    }
  }
}

}  // namespace

BlockProfile MeasureBlocks(const ModelEvidence& evidence) {
  const auto layers =
      static_cast<std::size_t>(evidence.model->config().num_layers);
  const std::size_t windows = evidence.calibration->windows.size();
  BlockProfile profile;
  profile.cosine.assign(layers, std::vector<double>(windows));
  profile.square.assign(layers, std::vector<double>(windows));
  for (const TokenWindow& window : evidence.calibration->windows) {
    profile.positions.push_back(static_cast<double>(window.tokens.size() - 1));
  }
  const WeightSet weights = FullPrecisionWeights(*evidence.model);
  std::vector<std::unique_ptr<Transformer>> lanes(
      static_cast<std::size_t>(ThreadCount()));
  ParallelFor(
      static_cast<std::int64_t>(windows), [&](std::int64_t index, int worker) {
        auto& lane = lanes[static_cast<std::size_t>(worker)];
        if (!lane) lane = std::make_unique<Transformer>(*evidence.model);
        ProfileWindow(
            evidence, weights, static_cast<std::size_t>(index), *lane, profile);
      });
  return profile;
}

Expected<std::vector<std::size_t>> BlockOfUnits(const ModelEvidence& evidence) {
  std::vector<std::size_t> blocks;
  for (const Unit& unit : *evidence.units) {
    const auto places = WeightIndices(*evidence.model, unit);
    if (!places) return tl::unexpected(places.error());
    blocks.push_back(
        static_cast<std::size_t>(places->front() / kLinearsPerBlock));
  }
  return blocks;
}

UnitCosts CostsFromImportance(const ModelEvidence& evidence,
                              const std::vector<double>& importance) {
  const std::vector<FormatRule>& formats = *evidence.formats;
  double total = 0.0;
  for (const Unit& unit : *evidence.units) {
    total += static_cast<double>(StoredBytes(formats.front(), unit));
  }
  UnitCosts costs;
  for (std::size_t u = 0; u < evidence.units->size(); ++u) {
    const Unit& unit = (*evidence.units)[u];
    const std::int64_t most = StoredBytes(formats.front(), unit);
    std::vector<double> cost;
    for (const FormatRule& format : formats) {
      const std::int64_t given_up = most - StoredBytes(format, unit);
      cost.push_back(importance[u] * static_cast<double>(given_up) / total);
    }
    costs.push_back(std::move(cost));
  }
  return costs;
}

Estimate EstimateFromImportance(const ModelEvidence& evidence,
                                const std::vector<double>& importance,
                                const std::vector<double>& error) {
  Estimate estimate =
      EstimateFromCosts(CostsFromImportance(evidence, importance));
  if (!error.empty()) {
    estimate.surrogate.linear_standard_error =
        CostsFromImportance(evidence, error);
  }
  return estimate;
}

}  // namespace bitpact
