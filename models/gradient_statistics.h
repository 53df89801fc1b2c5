// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_GRADIENT_STATISTICS_H_
#define BITPACT_MODELS_GRADIENT_STATISTICS_H_

// What the gradients of the language-model loss say about the output rows
// ("channels") of every linear matrix: the scores that HIPR (arXiv 2511.17801,
// section 3, eq. 4) ranks rows by, and the weights of a row's error energy.
//
// With g_w = d(summed nll of window w)/dW and N the predicted tokens of all
// windows,
//
//   F = sum_w g_w^2 / N        the empirical Fisher's diagonal, a token's
//
// A window's gradient is the sum of its tokens' scores, whose expectation given
// the text before is 0 under the model itself; cross terms then vanish in the
// mean, and windows (a handful of matrix products each) stand for tokens. HIPR
// does not say what its samples are.

#include <vector>

#include "core/error.h"
#include "models/model.h"
#include "models/token_set.h"
#include "models/transformer.h"

namespace bitpact {

// By place in a WeightSet, then by row.
struct GradientStatistics {
  // Mean of F over the weights of the row, nats per token and squared weight.
  std::vector<std::vector<double>> row_fisher;
  // sum over tokens of (dL/dy_r)^2 / N, nats per token and squared output:
  // 1/2 * this * the row's error energy (quant/error_energy.h) is the loss
  // increase that a diagonal Fisher of the outputs predicts.
  std::vector<std::vector<double>> row_gradient_squares;
};

// One reverse pass over the tokens. Deterministic for any number of threads.
// Memory: 16 bytes a row of the model for each of 32 windows, one gradient of
// the largest matrix for every thread, and models/reverse_pass.h's. Errors:
// BackpropagateWindows'.
Expected<GradientStatistics> MeasureGradients(const Model& model,
                                              const WeightSet& weights,
                                              const TokenSet& tokens);

}  // namespace bitpact

#endif  // BITPACT_MODELS_GRADIENT_STATISTICS_H_
