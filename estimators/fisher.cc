// SPDX-License-Identifier: Apache-2.0
#include "estimators/fisher.h"

#include "estimators/model_metric.h"

namespace bitpact {
namespace {

class FisherEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "fisher"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto variants = QuantizedVariants::Make(**evidence);
    if (!variants) return tl::unexpected(variants.error());
    const auto costs = SumOverGradients(
        **evidence,
        *variants,
        [](std::span<const float> gradient, std::span<const float> error) {
          double sum = 0.0;
          for (std::size_t i = 0; i < gradient.size(); ++i) {
            const double product = static_cast<double>(gradient[i]) *
                                   static_cast<double>(error[i]);
            sum += product * product;
          }
          return 0.5 * sum;
        });
    if (!costs) return tl::unexpected(costs.error());
    return WithEnds(*input.game,
                    EstimateFromWindows(*costs, *(*evidence)->calibration));
  }
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeFisherEstimator() {
  return std::make_unique<FisherEstimator>();
}

}  // namespace bitpact
