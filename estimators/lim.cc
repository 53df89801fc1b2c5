// SPDX-License-Identifier: Apache-2.0
#include "estimators/lim.h"

#include "estimators/block_profile.h"
#include "models/perplexity.h"

namespace bitpact {
namespace {

class LimEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "lim"; }
  [[nodiscard]] bool predicts_loss() const override { return false; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto blocks = BlockOfUnits(**evidence);
    if (!blocks) return tl::unexpected(blocks.error());
    const BlockProfile profile = MeasureBlocks(**evidence);
    std::vector<double> importance;
    std::vector<double> error;
    for (const std::size_t block : *blocks) {
      const RatioEstimate cosine =
          EstimateRatio(profile.cosine[block], profile.positions);
      importance.push_back(1.0 - cosine.mean);
      error.push_back(cosine.standard_error);
    }
    return WithEnds(*input.game,
                    EstimateFromImportance(**evidence, importance, error));
  }
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeLimEstimator() {
  return std::make_unique<LimEstimator>();
}

}  // namespace bitpact
