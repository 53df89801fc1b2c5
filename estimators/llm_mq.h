// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_LLM_MQ_H_
#define BITPACT_ESTIMATORS_LLM_MQ_H_

// "llm-mq": the sensitivity of LLM-MQ (Li et al., "LLM-MQ: Mixed-precision
// Quantization for Efficient LLM Deployment", NeurIPS 2023 workshop on
// efficient natural language and speech processing), as CoopQ's appendix states
// it:
//
//   s_{i,b} = | g_i^T (W_i - Q_b(W_i)) |
//
// the size of the loss's first-order change when unit i is stored in option b,
// with g the gradient of the mean nll over all calibration tokens at full
// precision. Nats per token. The unit's matrices count as one vector: their
// terms are added before the sign is taken off.
//
// Deviations: the cost of option 0 is taken off (no plan changes). Where a
// model is trained to the end g is close to 0 and what is left is noise of the
// calibration text: the standard errors say how much.
//
// Cost: two evaluations and one reverse pass over the calibration tokens, about
// four forward passes (models/reverse_pass.h), and a pass over each matrix for
// each window and option.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeLlmMqEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_LLM_MQ_H_
