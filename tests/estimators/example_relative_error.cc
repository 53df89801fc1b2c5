// SPDX-License-Identifier: Apache-2.0
// The first metric of docs/adding-a-metric.md. The page shows what stands
// between the marks; a test compares the two, and the suite of the estimators
// runs this one as well.

#include "tests/estimators/example_metrics.h"
// [example]
#include "estimators/model_metric.h"
#include "models/transformer.h"

namespace bitpact {
namespace {

// The squared error of a unit's weights as a share of their squares.
class RelativeErrorEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "relative-error"; }
  [[nodiscard]] bool predicts_loss() const override { return false; }

  [[nodiscard]] Expected<Estimate> Run(const EstimatorInput& input,
                                       const EstimateOptions&) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto variants = QuantizedVariants::Make(**evidence);
    if (!variants) return tl::unexpected(variants.error());
    const WeightSet weights = FullPrecisionWeights(*(*evidence)->model);
    const auto errors = SquaredErrors(*variants);  // [matrix][option]
    UnitCosts costs(variants->num_units(),
                    std::vector<double>(variants->num_options()));
    for (std::size_t m = 0; m < errors.size(); ++m) {
      const VariantMatrix& matrix = variants->matrices()[m];
      double squares = 0.0;
      for (const float w :
           weights[static_cast<std::size_t>(matrix.place)].dense()) {
        squares += static_cast<double>(w) * static_cast<double>(w);
      }
      for (std::size_t o = 0; o < variants->num_options(); ++o) {
        costs[matrix.unit][o] += errors[m][o] / squares;
      }
    }
    return WithEnds(*input.game, EstimateFromCosts(costs));
  }
};
// [/example]
}  // namespace

std::unique_ptr<SensitivityEstimator> MakeRelativeErrorEstimator() {
  return std::make_unique<RelativeErrorEstimator>();
}

}  // namespace bitpact
