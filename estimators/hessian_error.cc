// SPDX-License-Identifier: Apache-2.0
#include "estimators/hessian_error.h"

#include <numeric>

#include "estimators/model_metric.h"
#include "estimators/variant_energies.h"

namespace bitpact {
namespace {

class HessianErrorEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "hessian-error"; }
  [[nodiscard]] bool predicts_loss() const override { return false; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto variants = QuantizedVariants::Make(**evidence);
    if (!variants) return tl::unexpected(variants.error());
    const auto energies = MeasureEnergies(**evidence, *variants);
    if (!energies) return tl::unexpected(energies.error());
    UnitCosts costs(variants->num_units(),
                    std::vector<double>(variants->num_options()));
    for (std::size_t m = 0; m < energies->size(); ++m) {
      for (std::size_t o = 0; o < variants->num_options(); ++o) {
        const std::vector<double>& rows = (*energies)[m][o];
        costs[variants->matrices()[m].unit][o] +=
            std::accumulate(rows.begin(), rows.end(), 0.0);
      }
    }
    return WithEnds(*input.game, EstimateFromCosts(costs));
  }
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeHessianErrorEstimator() {
  return std::make_unique<HessianErrorEstimator>();
}

}  // namespace bitpact
