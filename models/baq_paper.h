// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_BAQ_PAPER_H_
#define BITPACT_MODELS_BAQ_PAPER_H_

// BAQ as its authors run it (arXiv:2506.05664 and the released code): two
// passes over the model, the same reference rate for every matrix.
//
//   1. GPTQ with equal columns of 2^R levels, in sequence; what is kept of it
//      are the losses of each column.
//   2. quant/baq_theory.h makes numbers of levels from these, and the
//      unquantized model is rounded again with them.
//
// The rate they report is the mean log2 of the levels; whole levels, ranges of
// rows and levels of columns take more, and that is counted here: the plan's
// formats are of the bytes that the second pass stores.
//
// Deviations: inside a block, too, later matrices read what rounded earlier
// ones give them (the released code collects a block's inputs before it rounds
// any of it); losses and levels in original column order (the released code
// mixes two orders with --act-order); ranges of rows in float16; a floor
// relative to the mean in place of 1e-8; at most 256 levels (theirs has no
// limit); dead columns as in quant/baq_quantizer.h.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/allocation_plan.h"
#include "core/error.h"
#include "models/model.h"
#include "models/token_set.h"
#include "quant/quantizer.h"

namespace bitpact {

struct BaqPaperOptions {
  // Bits a weight, 1..8: the reported rate R, or, when `stored`, a limit on the
  // stored bytes of the model's matrices together, for which the reference rate
  // of the second pass is found by bisection.
  double rate = 2.0;
  bool stored = false;
  double exponent = 1.95;  // 0.1..10; 2 in theory, 1.95 in their code
  QuantizerOptions quantizer = {};
};
// kInvalidArgument names the field, its value and the rule.
Expected<void> Validate(const BaqPaperOptions& options);

struct BaqPaperPlan {
  AllocationPlan plan;  // of kRange columns, for quantizer "baq"
  // By tensor, in original column order: for BaqOptions::range_levels.
  std::map<std::string, std::vector<int>> levels;
  double reference_rate = 0.0;  // R of the second pass
  double reported_rate = 0.0;   // mean log2 of all levels
};

// The first pass and the allocation. model: with its matrices readable
// (Model::LoadOutside). Errors of QuantizeMatrices; kInvalidArgument when not
// even one level a column fits a stored rate. Takes the time of one GPTQ.
Expected<BaqPaperPlan> PlanBaqPaper(const Model& model,
                                    const TokenSet& calibration,
                                    const BaqPaperOptions& options);

// BaqOptions::range_levels of a plan, which must outlive it.
std::function<Expected<std::vector<int>>(const std::string& tensor,
                                         std::int64_t cols)>
LevelsOf(const BaqPaperPlan& plan);

}  // namespace bitpact

#endif  // BITPACT_MODELS_BAQ_PAPER_H_
