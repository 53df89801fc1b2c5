// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_MODEL_METRIC_H_
#define BITPACT_ESTIMATORS_MODEL_METRIC_H_

// What metrics that look inside the model have in common.
//
// A metric gives a number for each unit and option; the surrogate's linear part
// is that number minus the number of option 0, so that option 0 costs 0. A
// constant a unit changes no plan. The game is asked for its two ends only, all
// units at option 0 and all at the last one.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "estimators/quantized_variants.h"
#include "estimators/sensitivity_estimator.h"

namespace bitpact {

// kUnsupported, with the metric's name and the reason, where the loss comes
// from outside.
Expected<const ModelEvidence*> NeedEvidence(const EstimatorInput& input,
                                            const std::string& name);

// Adds the losses of the two ends to the estimate.
Expected<Estimate> WithEnds(ValueFunction& game, Estimate estimate);

// [unit][option], before option 0 is taken off.
using UnitCosts = std::vector<std::vector<double>>;
Estimate EstimateFromCosts(const UnitCosts& costs);

// [matrix of the variants][option]: sum of (stored - W)^2. Spread over threads.
std::vector<std::vector<double>> SquaredErrors(
    const QuantizedVariants& variants);

// [unit][option][window]: the part of each calibration window, summed over its
// tokens.
using WindowCosts = std::vector<std::vector<std::vector<double>>>;
// Costs are sums over windows per predicted token; standard errors treat
// windows as the draws (models/perplexity.h, ratio estimate) and are those of
// the difference to option 0.
Estimate EstimateFromWindows(const WindowCosts& costs, const TokenSet& tokens);
WindowCosts ZeroWindowCosts(const ModelEvidence& evidence);

// Sums of a function of a window's gradient and an option's error, over the
// matrices of each unit: `measure` sees dL/dW of one matrix under one window
// and stored - W of one option, both [rows, cols], and is called by several
// threads at once. The gradient's L is the window's summed nll.
using GradientMeasure = std::function<double(std::span<const float> gradient,
                                             std::span<const float> error)>;
Expected<WindowCosts> SumOverGradients(const ModelEvidence& evidence,
                                       const QuantizedVariants& variants,
                                       const GradientMeasure& measure);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_MODEL_METRIC_H_
