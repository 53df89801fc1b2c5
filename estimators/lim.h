// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_LIM_H_
#define BITPACT_ESTIMATORS_LIM_H_

// "lim": layer input modification (Dumitru et al., "Layer-Wise Quantization: A
// Pragmatic and Effective Method for Quantizing LLMs Beyond Integer
// Bit-Levels", arXiv 2406.17415, section 3.1; a baseline of CoopQ): a block
// that changes its input more is more important,
//
//   LIM = -cos(what enters, what leaves)
//
// as the mean of the cosines over positions. importance = 1 + LIM, in 0..2, and
// estimators/block_profile.h makes costs of it: every matrix has the importance
// of its block, and each byte it gives up costs that much.
//
// It only ranks: costs are no losses. Deviations: the authors fill the budget
// block by block in the order of LIM; here that order is a knapsack's, so that
// units of different size compare. Cost: two evaluations and one forward pass.
// Standard errors over windows (ratio of sums of cosines).

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeLimEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_LIM_H_
