// SPDX-License-Identifier: Apache-2.0
#include "estimators/llm_mq.h"

#include <numeric>

#include "estimators/model_metric.h"

namespace bitpact {
namespace {

class LlmMqEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "llm-mq"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto variants = QuantizedVariants::Make(**evidence);
    if (!variants) return tl::unexpected(variants.error());
    auto costs = SumOverGradients(
        **evidence,
        *variants,
        [](std::span<const float> gradient, std::span<const float> error) {
          double sum = 0.0;
          for (std::size_t i = 0; i < gradient.size(); ++i) {
            sum += static_cast<double>(gradient[i]) *
                   static_cast<double>(error[i]);
          }
          return sum;
        });
    if (!costs) return tl::unexpected(costs.error());
    // |sum over windows| = sum over windows of (sign of the sum) * window.
    for (auto& unit : *costs) {
      for (std::vector<double>& windows : unit) {
        if (std::accumulate(windows.begin(), windows.end(), 0.0) >= 0.0) {
          continue;
        }
        for (double& window : windows) window = -window;
      }
    }
    return WithEnds(*input.game,
                    EstimateFromWindows(*costs, *(*evidence)->calibration));
  }
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeLlmMqEstimator() {
  return std::make_unique<LlmMqEstimator>();
}

}  // namespace bitpact
