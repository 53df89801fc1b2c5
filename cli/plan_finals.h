// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_PLAN_FINALS_H_
#define BITPACT_CLI_PLAN_FINALS_H_

// The last round of a plan search, for quantizers that look at their inputs.
// The game judges a plan by variants that were made alone, with inputs of the
// full-precision model; what is stored is quantized in sequence
// (models/sequential_quantizer.h), so that later matrices make up for earlier
// ones, and plans may change places. Here the best plans are quantized as they
// will be stored, and the one with the least loss is taken.

#include "core/error.h"
#include "core/unit.h"
#include "estimators/plan_search.h"
#include "models/model.h"
#include "models/token_set.h"
#include "quant/quantizer.h"

namespace bitpact {

struct PlanFinals {
  const Model* model = nullptr;
  const std::vector<Unit>* units = nullptr;
  const std::vector<FormatRule>* formats = nullptr;  // the game's options
  const Quantizer* quantizer = nullptr;
  // Hessians and losses are of all of it, as they are in the end.
  const TokenSet* calibration = nullptr;
  // Plans to quantize: half of them the search's best, all text counted, then
  // the first plan of each metric in that order, then what is left.
  int count = 16;
};

// Sets result.best, result.finals, and adds a pass over all text for every
// final. Without effect when the quantizer needs no Hessians or count < 2.
// Errors: QuantizedModel::Make's. Time: count quantizations of the model.
Expected<void> PlayFinals(const PlanFinals& finals, PlanSearchResult& result);

// The plans that would be quantized, best first: places in result.judged.
std::vector<std::size_t> ChooseFinalists(const PlanSearchResult& result,
                                         std::size_t count);

}  // namespace bitpact

#endif  // BITPACT_CLI_PLAN_FINALS_H_
