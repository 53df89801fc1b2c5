// SPDX-License-Identifier: Apache-2.0
#include "estimators/hawq.h"

#include <cmath>
#include <cstddef>

#include "core/random.h"
#include "core/threads.h"
#include "estimators/model_metric.h"
#include "models/elementwise.h"
#include "models/reverse_pass.h"

namespace bitpact {
namespace {

// logits become B v, v of random signs: sqrt(p) v - p (sqrt(p) . v).
void Probe(RandomStream& random, std::span<float> logits) {
  const auto shift = static_cast<float>(LogSumExp(logits));
  double product = 0.0;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i % 64 == 0) bits = random.engine()();
    const float root = std::exp(0.5F * (logits[i] - shift));
    logits[i] = (bits >> (i % 64)) & 1U ? root : -root;
    product += static_cast<double>(logits[i]);
  }
  const auto along = static_cast<float>(product);
  for (float& value : logits) value -= value * value * along;
}

class HawqEstimator final : public SensitivityEstimator {
 public:
  [[nodiscard]] std::string name() const override { return "hawq"; }

  [[nodiscard]] Expected<Estimate> Run(
      const EstimatorInput& input,
      const EstimateOptions& options) const override {
    const auto evidence = NeedEvidence(input, name());
    if (!evidence) return tl::unexpected(evidence.error());
    const auto variants = QuantizedVariants::Make(**evidence);
    if (!variants) return tl::unexpected(variants.error());
    const auto traces = GaussNewtonTraces(
        *(*evidence)->model, *(*evidence)->calibration, options.seed);
    if (!traces) return tl::unexpected(traces.error());
    const auto squares = SquaredErrors(*variants);
    WindowCosts costs = ZeroWindowCosts(**evidence);
    for (std::size_t m = 0; m < squares.size(); ++m) {
      const VariantMatrix& matrix = variants->matrices()[m];
      const std::vector<double>& windows =
          (*traces)[static_cast<std::size_t>(matrix.place)];
      for (std::size_t o = 0; o < variants->num_options(); ++o) {
        const double factor =
            0.5 * squares[m][o] / static_cast<double>(matrix.size());
        for (std::size_t w = 0; w < windows.size(); ++w) {
          costs[matrix.unit][o][w] += factor * windows[w];
        }
      }
    }
    return WithEnds(*input.game,
                    EstimateFromWindows(costs, *(*evidence)->calibration));
  }
};

}  // namespace

Expected<std::vector<std::vector<double>>> GaussNewtonTraces(
    const Model& model, const TokenSet& tokens, std::uint64_t seed) {
  const WeightSet weights = FullPrecisionWeights(model);
  std::vector<std::vector<double>> traces(
      weights.size(), std::vector<double>(tokens.windows.size()));
  std::vector<std::vector<float>> scratch(
      static_cast<std::size_t>(ThreadCount()));
  const auto losses = BackpropagateWindows(
      model,
      weights,
      tokens,
      [&](const WindowBackprop& seen) {
        const LinearBackprop& linear = *seen.linear;
        std::vector<float>& gradient =
            scratch[static_cast<std::size_t>(seen.worker)];
        gradient.resize(static_cast<std::size_t>(linear.rows * linear.cols));
        WeightGradient(linear, gradient);
        double sum = 0.0;
        for (const float value : gradient) {
          sum += static_cast<double>(value) * static_cast<double>(value);
        }
        traces[linear.place()][seen.window] = sum;
      },
      {.first = 0,
       .count = tokens.windows.size(),
       .head =
           [&](std::size_t window, std::size_t token, std::span<float> logits) {
             // A stream for each token: signs do not depend on the order.
             RandomStream random(
                 seed, "hawq/probe", (std::uint64_t{window} << 32U) | token);
             Probe(random, logits);
             return 0.0;
           }});
  if (!losses) return tl::unexpected(losses.error());
  return traces;
}

std::unique_ptr<SensitivityEstimator> MakeHawqEstimator() {
  return std::make_unique<HawqEstimator>();
}

}  // namespace bitpact
