// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_refinement.h"

#include <string>
#include <utility>

#include "cli/plan_finals.h"

namespace bitpact {
namespace {

bool PairsAreCheap(const Playground& playground) {
  constexpr std::size_t kMostEvaluations = 1500;
  const std::size_t indicators =
      playground.units.size() * (playground.formats.size() - 1);
  return indicators * indicators / 2 <= kMostEvaluations;
}

// Metrics of a few passes over the text.
bool LooksInside(const std::string& name) {
  return name == "fisher" || name == "gradient-error" || name == "hawq";
}

std::vector<std::string> OtherMetrics(const MeasureOptions& options,
                                      const Playground& playground) {
  std::vector<std::string> names = {"isolated"};
  if (!playground.fit) return names;
  for (const std::string name : {"isolated-both",
                                 "shapley",
                                 "quadratic",
                                 "pairs",
                                 "fisher",
                                 "gradient-error",
                                 "hawq"}) {
    if (name == options.estimator) continue;
    if (LooksInside(name) && playground.outside) continue;
    if (name == "pairs" && !PairsAreCheap(playground)) continue;
    names.push_back(name);
  }
  return names;
}

}  // namespace

Expected<void> Validate(const RefineOptions& options) {
  if (options.pool < 1) {
    return InvalidArgument("--pool = " + std::to_string(options.pool) +
                           " violates --pool >= 1");
  }
  if (options.finals < 0) {
    return InvalidArgument("--finals = " + std::to_string(options.finals) +
                           " violates --finals >= 0");
  }
  if (options.finals_tokens && *options.finals_tokens < 0) {
    return InvalidArgument(
        "--finals-tokens = " + std::to_string(*options.finals_tokens) +
        " violates --finals-tokens >= 0");
  }
  return Validate(options.search);
}

void AddRefineFlags(CLI::App& app, RefineOptions& options) {
  app.add_option("--pool", options.pool, "Plans of the solver to measure")
      ->capture_default_str();
  app.add_option("--search",
                 options.search.max_evaluations,
                 "Swaps to measure at most; 0: none")
      ->capture_default_str();
  app.add_option("--finals",
                 options.finals,
                 "So many of the best plans are quantized as they will be "
                 "stored and run on further text before one is taken; 0: none")
      ->capture_default_str();
  app.add_option("--finals-tokens",
                 options.finals_tokens,
                 "Predicted tokens behind the calibration text to run them on, "
                 "where it goes on; default " +
                     std::to_string(kFinalsShare) +
                     " times the calibration tokens; 0: none");
}

Expected<std::vector<SensitivityTable>> MeasureOthers(
    const Model& model,
    const TokenSet& calibration,
    const MeasureOptions& options,
    bool further,
    Playground& playground) {
  MeasureOptions other = options;
  other.held_out = 0;
  std::vector<SensitivityTable> tables;
  for (const std::string& name : OtherMetrics(options, playground)) {
    Expected<SensitivityTable> table =
        Measure(model,
                calibration,
                other,
                name,
                playground,
                further && LooksInside(name) ? MeasuredWindows::kAll
                                             : MeasuredWindows::kFitting);
    if (!table) return tl::unexpected(table.error());
    tables.push_back(std::move(*table));
  }
  return tables;
}

Expected<PlanSearchResult> RefinePlan(const RefineInputs& inputs,
                                      const TargetBudget& target,
                                      ChoiceOptions solve,
                                      const RefineOptions& options,
                                      Playground& playground) {
  solve.pool = options.pool;
  solve.search = options.search;
  std::vector<NamedSurrogate> surrogates = {
      {inputs.table->estimator, &inputs.table->estimate.surrogate}};
  for (const SensitivityTable& other : *inputs.others) {
    surrogates.push_back({other.estimator,
                          &other.estimate.surrogate,
                          other.estimator == "isolated"});
  }
  Expected<PlanSearchResult> choice =
      ChoosePlan(*playground.fit, *playground.judge, target, surrogates, solve);
  if (!choice || playground.outside) return choice;
  const Expected<void> played =
      PlayFinals({.model = inputs.model,
                  .units = &playground.units,
                  .formats = &playground.formats,
                  .quantizer = playground.quantizer.get(),
                  .calibration = inputs.calibration,
                  .text = inputs.further,
                  .count = options.finals},
                 *choice);
  if (!played) return tl::unexpected(played.error());
  return choice;
}

}  // namespace bitpact
