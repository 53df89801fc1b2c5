// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_PERPLEXITY_H_
#define BITPACT_MODELS_PERPLEXITY_H_

// How well a model, quantized or not, predicts a token set (models/token_set.h
// states windows, stride, BOS, first token and document borders).
//
//   nll         mean over predicted tokens of -log p(token | before), nats
//   perplexity  exp(nll)
//   kl          mean over the same positions of KL(p_reference || p_model) over
//               the whole vocabulary, nats; p_reference is the full precision
//
// Standard errors treat windows, not tokens, as the independent draws: the mean
// is the ratio sum_d L_d / sum_d n_d over windows d, and
//   se = sqrt( D/(D-1) * sum_d (L_d - mean * n_d)^2 ) / sum_d n_d
// (Cochran, Sampling Techniques, section 6.4). Perplexity's is perplexity * se.
// One window gives no standard error (0, `windows` says so). Sums are in
// double.

#include <cstdint>
#include <span>
#include <vector>

#include "models/model.h"
#include "models/token_set.h"
#include "models/transformer.h"

namespace bitpact {

struct RatioEstimate {
  double mean = 0.0;
  double standard_error = 0.0;
};

// sums[d] over weights[d] draws each; sizes equal, weights > 0.
RatioEstimate EstimateRatio(std::span<const double> sums,
                            std::span<const double> weights);

struct LossReport {
  RatioEstimate nll;  // nats per predicted token
  RatioEstimate perplexity;
  RatioEstimate kl;  // 0 when no reference was given
  std::int64_t predicted_tokens = 0;
  std::int64_t windows = 0;
  // Per window, in the set's order: sums of nll and kl, nats.
  std::vector<double> window_nll;
  std::vector<double> window_kl;
};

// Runs every window through `weights` and, when `reference` is not null,
// through it too. Windows are spread over threads (core/threads.h) and summed
// in order, so the result has the same bits for any number of threads. Memory:
// threads * window * vocab * 4 bytes (twice with a reference).
LossReport EvaluateLoss(const Model& model,
                        const WeightSet& weights,
                        const TokenSet& tokens,
                        const WeightSet* reference = nullptr);

}  // namespace bitpact

#endif  // BITPACT_MODELS_PERPLEXITY_H_
