// SPDX-License-Identifier: Apache-2.0
#include "estimators/zscore.h"

#include <cmath>
#include <cstdint>
#include <span>

#include "core/threads.h"
#include "estimators/block_profile.h"

namespace bitpact {
namespace {

// Calls body(weight) for all linear weights of the block.
template <typename Body>
void VisitBlock(const Model& model, int layer, const Body& body) {
  for (int kind = 0; kind < kLinearsPerBlock; ++kind) {
    for (const float weight :
         model.linear(layer, static_cast<LinearKind>(kind))) {
      body(static_cast<double>(weight));
    }
  }
}

double ShareAboveOneDeviation(const Model& model, int layer) {
  double count = 0.0;
  double sum = 0.0;
  VisitBlock(model, layer, [&](double weight) {
    count += 1.0;
    sum += weight;
  });
  const double mean = sum / count;
  double squares = 0.0;
  VisitBlock(model, layer, [&](double weight) {
    squares += (weight - mean) * (weight - mean);
  });
  const double limit = mean + std::sqrt(squares / count);
  double above = 0.0;
  VisitBlock(model, layer, [&](double weight) {
    above += weight > limit ? 1.0 : 0.0;
  });
  return above / count;
}

class ZscoreEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "zscore"; }
  [[nodiscard]] bool predicts_loss() const override { return false; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto blocks = BlockOfUnits(**evidence);
    if (!blocks) return tl::unexpected(blocks.error());
    const Model& model = *(*evidence)->model;
    std::vector<double> share(
        static_cast<std::size_t>(model.config().num_layers));
    ParallelFor(std::ssize(share), [&](std::int64_t layer, int) {
      share[static_cast<std::size_t>(layer)] =
          ShareAboveOneDeviation(model, static_cast<int>(layer));
    });
    std::vector<double> importance;
    for (const std::size_t block : *blocks) importance.push_back(share[block]);
    return WithEnds(*input.game,
                    EstimateFromImportance(**evidence, importance, {}));
  }
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeZscoreEstimator() {
  return std::make_unique<ZscoreEstimator>();
}

}  // namespace bitpact
