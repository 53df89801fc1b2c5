// SPDX-License-Identifier: Apache-2.0
#include "estimators/weight_mse.h"

#include "estimators/model_metric.h"

namespace bitpact {
namespace {

class WeightMseEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "weight-mse"; }
  [[nodiscard]] bool predicts_loss() const override { return false; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto variants = QuantizedVariants::Make(**evidence);
    if (!variants) return tl::unexpected(variants.error());
    const auto squares = SquaredErrors(*variants);
    UnitCosts costs(variants->num_units(),
                    std::vector<double>(variants->num_options()));
    for (std::size_t m = 0; m < squares.size(); ++m) {
      for (std::size_t o = 0; o < variants->num_options(); ++o) {
        costs[variants->matrices()[m].unit][o] += squares[m][o];
      }
    }
    return WithEnds(*input.game, EstimateFromCosts(costs));
  }
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeWeightMseEstimator() {
  return std::make_unique<WeightMseEstimator>();
}

}  // namespace bitpact
