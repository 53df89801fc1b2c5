// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_PLAN_FINALS_H_
#define BITPACT_CLI_PLAN_FINALS_H_

// The last round of a plan search. Few plans are left, so each may cost more:
// they are quantized as they will be stored and run on more text than the
// search could afford, text that no part of the search has seen, and the one
// with the least loss is taken. In two rounds: all of them on a part of the
// text, the best quarter on the rest as well.
//
// Both matter. Plans near the best differ by less than a few thousand tokens
// can tell, and a search takes what its own text flatters. And the game judges
// a plan of a quantizer that looks at its inputs by variants that were made
// alone, with inputs of the full-precision model; what is stored is quantized
// in sequence (models/sequential_quantizer.h), so that later matrices make up
// for earlier ones, and plans change places.

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
  // What Hessians are of, as they are in the end.
  const TokenSet* calibration = nullptr;
  // What losses are of; null where there is no further text: the calibration
  // text then judges what it has not judged yet, plans in sequence.
  const TokenSet* text = nullptr;
  // Plans to quantize: half of them the search's best, all text counted, then
  // the first plan of each metric in that order, then what is left.
  int count = 32;
};

// Sets result.best and result.finals. Without effect when count <
// 2, or when there is no further text and the quantizer needs no Hessians.
// Errors: QuantizedModel::Make's. Time: count quantizations of the model and
// passes over the text.
Expected<void> PlayFinals(const PlanFinals& finals, PlanSearchResult& result);

// The plans that would be quantized, best first: places in result.judged.
std::vector<std::size_t> ChooseFinalists(const PlanSearchResult& result,
                                         std::size_t count);

}  // namespace bitpact

#endif  // BITPACT_CLI_PLAN_FINALS_H_
