// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_ZSCORE_H_
#define BITPACT_ESTIMATORS_ZSCORE_H_

// "zscore": the z-score distribution ZD (Dumitru et al., arXiv 2406.17415,
// section 3.2; a baseline of CoopQ): the share of a block's weights with
//
//   z = (w - mean) / deviation > 1
//
// over all its linear weights together, one-sided as printed. The larger share
// is taken for the more important block, as CoopQ's appendix does;
// estimators/block_profile.h makes costs of it, every matrix with the
// importance of its block.
//
// Deviation: the first authors' own abstract reads the other way ("smaller is
// better"); a Gaussian has a share of 0.159, and heavier tails have less. It
// only ranks: costs are no losses. Needs no text. Cost: two evaluations and
// three passes over the weights. No standard error: nothing is sampled.

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

std::unique_ptr<SensitivityEstimator> MakeZscoreEstimator();

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_ZSCORE_H_
