// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_ACTIVATION_H_
#define BITPACT_ESTIMATORS_ACTIVATION_H_

// "activation": the activation score among CoopQ's baselines (arXiv 2509.15455,
// appendix): a block whose hidden states have the larger Frobenius norm is the
// more important one. importance = ||H_i|| / max_j ||H_j||, with H_i what
// leaves block i over all positions of the calibration windows (there is no
// padding to mask); estimators/block_profile.h makes costs of it, every matrix
// with the importance of its block.
//
// Deviation: the paper prints s_i = 100 min_j ||H_j|| / ||H_i||, which gives
// the larger norm the smaller score, against its own text; the text is
// followed.
//
// It only ranks: costs are no losses. Cost: two evaluations and one forward
// pass. Standard errors over windows, of ||H_i||; the largest norm counts as
// known.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeActivationEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_ACTIVATION_H_
