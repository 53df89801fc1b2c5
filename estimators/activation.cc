// SPDX-License-Identifier: Apache-2.0
#include "estimators/activation.h"

#include <algorithm>
#include <cmath>

#include "estimators/block_profile.h"
#include "models/perplexity.h"

namespace bitpact {
namespace {

class ActivationEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "activation"; }
  [[nodiscard]] bool predicts_loss() const override { return false; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto blocks = BlockOfUnits(**evidence);
    if (!blocks) return tl::unexpected(blocks.error());
    const BlockProfile profile = MeasureBlocks(**evidence);
    // Mean squares: the number of positions is the same for all blocks.
    std::vector<RatioEstimate> squares;
    double most = 0.0;
    for (const std::vector<double>& windows : profile.square) {
      squares.push_back(EstimateRatio(windows, profile.positions));
      most = std::max(most, squares.back().mean);
    }
    std::vector<double> importance;
    std::vector<double> error;
    for (const std::size_t block : *blocks) {
      const RatioEstimate& square = squares[block];
      const double share = most > 0.0 ? std::sqrt(square.mean / most) : 0.0;
      importance.push_back(share);
      // d sqrt(s) = ds / (2 sqrt(s))
      error.push_back(square.mean > 0.0
                          ? 0.5 * share * square.standard_error / square.mean
                          : 0.0);
    }
    return WithEnds(*input.game,
                    EstimateFromImportance(**evidence, importance, error));
  }
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeActivationEstimator() {
  return std::make_unique<ActivationEstimator>();
}

}  // namespace bitpact
