// SPDX-License-Identifier: Apache-2.0
#include "estimators/gradient_error.h"

#include "estimators/model_metric.h"
#include "estimators/variant_energies.h"
#include "models/reverse_pass.h"

namespace bitpact {
namespace {

// sum over tokens of dy^2 for each output.
std::vector<double> RowSquares(const LinearBackprop& linear) {
  const auto rows = static_cast<std::size_t>(linear.rows);
  std::vector<double> squares(rows);
  for (std::size_t i = 0; i < linear.dy.size(); ++i) {
    const auto value = static_cast<double>(linear.dy[i]);
    squares[i % rows] += value * value;
  }
  return squares;
}

Expected<WindowCosts> Weigh(const ModelEvidence& evidence,
                            const QuantizedVariants& variants,
                            const VariantEnergies& energies) {
  WindowCosts costs = ZeroWindowCosts(evidence);
  const auto losses = BackpropagateWindows(
      *evidence.model,
      FullPrecisionWeights(*evidence.model),
      *evidence.calibration,
      [&](const WindowBackprop& seen) {
        const std::size_t m = variants.MatrixAt(seen.linear->place());
        if (m == variants.matrices().size()) return;
        const std::vector<double> squares = RowSquares(*seen.linear);
        for (std::size_t o = 0; o < variants.num_options(); ++o) {
          double sum = 0.0;
          for (std::size_t r = 0; r < squares.size(); ++r) {
            sum += squares[r] * energies[m][o][r];
          }
          costs[variants.matrices()[m].unit][o][seen.window] += 0.5 * sum;
        }
      });
  if (!losses) return tl::unexpected(losses.error());
  return costs;
}

class GradientErrorEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "gradient-error"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& /*options*/) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto variants = QuantizedVariants::Make(**evidence);
    if (!variants) return tl::unexpected(variants.error());
    const auto energies = MeasureEnergies(**evidence, *variants);
    if (!energies) return tl::unexpected(energies.error());
    const auto costs = Weigh(**evidence, *variants, *energies);
    if (!costs) return tl::unexpected(costs.error());
    return WithEnds(*input.game,
                    EstimateFromWindows(*costs, *(*evidence)->calibration));
  }
};

}  // namespace

std::unique_ptr<SensitivityEstimator> MakeGradientErrorEstimator() {
  return std::make_unique<GradientErrorEstimator>();
}

}  // namespace bitpact
