// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_PLAN_REFINEMENT_H_
#define BITPACT_CLI_PLAN_REFINEMENT_H_

// From one metric's table to the plan of a run: other metrics are measured
// beside it, plan_choice.h measures what all of them propose, and plan_finals.h
// quantizes the best where that changes them.

#include <cstdint>
#include <optional>
#include <vector>

#include "CLI/CLI.hpp"
#include "cli/pipeline.h"
#include "cli/plan_choice.h"
#include "cli/playground.h"
#include "core/error.h"
#include "estimators/plan_search.h"
#include "estimators/sensitivity_table.h"
#include "models/model.h"
#include "models/token_set.h"

namespace bitpact {

// Every field is a flag of AddRefineFlags.
struct RefineOptions {
  int pool = 8;  // plans of each metric to measure
  PlanSearchOptions search;
  int finals = 32;  // plans of the last round; below 2: none
  // Text behind the calibration text for the last round, at most; unset:
  // kFinalsShare times as much as that. 0: none.
  std::optional<std::int64_t> finals_tokens;
};
// kInvalidArgument names the flag.
Expected<void> Validate(const RefineOptions& options);
void AddRefineFlags(CLI::App& app, RefineOptions& options);

// Metrics whose plans stand beside the main one's: on their own text none of
// them leads at every budget. The first is "isolated". Without windows to judge
// by there are no others. "pairs", whose cost grows with the square of the
// units, only where it is cheap; those that look inside the model only where
// the game runs on it. `further`: there is text for the last round; what costs
// next to nothing is then measured on all calibration windows, since the plans
// are judged on others.
Expected<std::vector<SensitivityTable>> MeasureOthers(
    const Model& model,
    const TokenSet& calibration,
    const MeasureOptions& options,
    bool further,
    Playground& playground);

struct RefineInputs {
  const Model* model = nullptr;
  const TokenSet* calibration = nullptr;
  const TokenSet* further = nullptr;        // see ReadFurther; may be null
  const SensitivityTable* table = nullptr;  // of the main metric
  const std::vector<SensitivityTable>* others = nullptr;
};

// playground: split (SplitPlayground). solve: solver and its options; the rest
// comes from `options`.
Expected<PlanSearchResult> RefinePlan(const RefineInputs& inputs,
                                      const TargetBudget& target,
                                      ChoiceOptions solve,
                                      const RefineOptions& options,
                                      Playground& playground);

}  // namespace bitpact

#endif  // BITPACT_CLI_PLAN_REFINEMENT_H_
