// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_VARIANT_ENERGIES_H_
#define BITPACT_ESTIMATORS_VARIANT_ENERGIES_H_

// Squared output errors of every variant under the calibration inputs.

#include <vector>

#include "core/error.h"
#include "estimators/quantized_variants.h"
#include "estimators/sensitivity_estimator.h"

namespace bitpact {

// [matrix of the variants][option][row]: mean over the calibration tokens that
// the model runs of (stored row - row, times input)^2, the inputs those of the
// full-precision model.
using VariantEnergies = std::vector<std::vector<std::vector<double>>>;

// One forward pass with Hessians, one held at a time (models/stage_hessians.h);
// rows * cols^2 for each matrix and option, spread over threads; memory: two
// dense copies of a matrix for every thread.
Expected<VariantEnergies> MeasureEnergies(const ModelEvidence& evidence,
                                          const QuantizedVariants& variants);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_VARIANT_ENERGIES_H_
