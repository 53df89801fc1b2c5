// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_BLOCK_PROFILE_H_
#define BITPACT_ESTIMATORS_BLOCK_PROFILE_H_

// What blocks do to the hidden states, and how a block's importance becomes
// costs of its units' options.
//
// Metrics that only rank ("the more important block gets more bits") leave open
// what an option costs. Here an option costs
//
//   importance * (bytes of option 0 - bytes of the option) / (bytes of all
//   units at option 0)
//
// so that each byte that a unit gives up costs its importance, and filling a
// byte budget raises the units in the order of importance: the papers' rule,
// for units of any size and any number of options. Every unit of a block has
// the block's importance. Importances only have to be comparable; adding a
// constant to all adds the same cost to every plan that spends the same bytes.

#include <cstddef>
#include <vector>

#include "core/error.h"
#include "estimators/model_metric.h"
#include "estimators/sensitivity_estimator.h"

namespace bitpact {

// Over the positions that the model runs, in full precision.
struct BlockProfile {
  // [layer][window]: sum over positions of the cosine of what enters and what
  // leaves the block.
  std::vector<std::vector<double>> cosine;
  // [layer][window]: sum over positions of the squared norm of what leaves.
  std::vector<std::vector<double>> square;
  std::vector<double> positions;  // [window]
};
// One forward pass, windows spread over threads. Memory: models/transformer.h
// and two hidden states of a window for every thread.
BlockProfile MeasureBlocks(const ModelEvidence& evidence);

// The block of each unit: of its first matrix. Errors: of WeightIndices.
Expected<std::vector<std::size_t>> BlockOfUnits(const ModelEvidence& evidence);

// The rule above. importance: [unit].
UnitCosts CostsFromImportance(const ModelEvidence& evidence,
                              const std::vector<double>& importance);

// An estimate by the rule. importance, error (a standard error): [unit]; error
// empty: not known.
Estimate EstimateFromImportance(const ModelEvidence& evidence,
                                const std::vector<double>& importance,
                                const std::vector<double>& error);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_BLOCK_PROFILE_H_
