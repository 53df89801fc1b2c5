// SPDX-License-Identifier: Apache-2.0
#include "estimators/model_metric.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/threads.h"
#include "models/perplexity.h"
#include "models/reverse_pass.h"

namespace bitpact {

Expected<const ModelEvidence*> NeedEvidence(const EstimatorInput& input,
                                            const std::string& name) {
  if (input.evidence != nullptr) return input.evidence;
  return Fail(ErrorCode::kUnsupported,
              "estimator '" + name +
                  "' looks at the model's weights and activations; with a loss "
                  "from outside there is no model to look at");
}

Expected<Estimate> WithEnds(ValueFunction& game, Estimate estimate) {
  const auto units = static_cast<std::size_t>(game.num_units());
  const std::array<FormatAssignment, 2> ends = {
      FormatAssignment(units, 0),
      FormatAssignment(units, game.num_options() - 1)};
  const auto values = game.Evaluate(ends);
  if (!values) return tl::unexpected(values.error());
  estimate.base_loss = (*values)[0].loss;
  estimate.lowest_loss = (*values)[1].loss;
  return estimate;
}

Estimate EstimateFromCosts(const UnitCosts& costs) {
  Estimate estimate;
  estimate.surrogate.linear = costs;
  for (std::vector<double>& unit : estimate.surrogate.linear) {
    const double reference = unit.front();
    for (double& cost : unit) cost -= reference;
  }
  return estimate;
}

std::vector<std::vector<double>> SquaredErrors(
    const QuantizedVariants& variants) {
  std::vector<std::vector<double>> squares(
      variants.matrices().size(), std::vector<double>(variants.num_options()));
  ParallelFor(std::ssize(squares), [&](std::int64_t index, int) {
    const auto m = static_cast<std::size_t>(index);
    std::vector<float> error(variants.matrices()[m].size());
    for (std::size_t o = 0; o < variants.num_options(); ++o) {
      variants.WeightError(m, o, error);
      for (const float value : error) {
        squares[m][o] +=
            static_cast<double>(value) * static_cast<double>(value);
      }
    }
  });
  return squares;
}

Estimate EstimateFromWindows(const WindowCosts& costs, const TokenSet& tokens) {
  std::vector<double> predicted;
  for (const TokenWindow& window : tokens.windows) {
    predicted.push_back(static_cast<double>(window.predicted()));
  }
  Estimate estimate;
  for (const auto& options : costs) {
    std::vector<double> cost;
    std::vector<double> error;
    for (std::vector<double> rise : options) {
      for (std::size_t w = 0; w < rise.size(); ++w) {
        rise[w] -= options.front()[w];
      }
      const RatioEstimate ratio = EstimateRatio(rise, predicted);
      cost.push_back(ratio.mean);
      error.push_back(ratio.standard_error);
    }
    estimate.surrogate.linear.push_back(std::move(cost));
    estimate.surrogate.linear_standard_error.push_back(std::move(error));
  }
  return estimate;
}

WindowCosts ZeroWindowCosts(const ModelEvidence& evidence) {
  return WindowCosts(
      evidence.units->size(),
      std::vector<std::vector<double>>(
          evidence.formats->size(),
          std::vector<double>(evidence.calibration->windows.size())));
}

Expected<WindowCosts> SumOverGradients(const ModelEvidence& evidence,
                                       const QuantizedVariants& variants,
                                       const GradientMeasure& measure) {
  WindowCosts costs = ZeroWindowCosts(evidence);
  struct Scratch {
    std::vector<float> gradient;
    std::vector<float> error;
  };
  std::vector<Scratch> lanes(static_cast<std::size_t>(ThreadCount()));
  const auto losses = BackpropagateWindows(
      *evidence.model,
      FullPrecisionWeights(*evidence.model),
      *evidence.calibration,
      [&](const WindowBackprop& seen) {
        const std::size_t m = variants.MatrixAt(seen.linear->place());
        if (m == variants.matrices().size()) return;
        Scratch& lane = lanes[static_cast<std::size_t>(seen.worker)];
        const VariantMatrix& matrix = variants.matrices()[m];
        lane.gradient.resize(matrix.size());
        lane.error.resize(matrix.size());
        WeightGradient(*seen.linear, lane.gradient);
        for (std::size_t o = 0; o < variants.num_options(); ++o) {
          variants.WeightError(m, o, lane.error);
          costs[matrix.unit][o][seen.window] +=
              measure(lane.gradient, lane.error);
        }
      });
  if (!losses) return tl::unexpected(losses.error());
  return costs;
}

}  // namespace bitpact
