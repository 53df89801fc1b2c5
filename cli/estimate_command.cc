// SPDX-License-Identifier: Apache-2.0
// `bitpact estimate`: sensitivities of a model, once for all budgets.

#include <iostream>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "cli/plan_choice.h"
#include "cli/report.h"
#include "core/atomic_file.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct EstimateFlags {
  fs::path model;
  std::optional<fs::path> text;
  std::string budget;  // empty: for no budget in particular
  fs::path output = "out";
  CommonFlags common;
  MeasureOptions measure;
  TextFlags tokens;
};

// Sets the target of the estimate.
Expected<void> AimAtBudget(EstimateFlags& flags, const Model& model) {
  if (flags.budget.empty()) return {};
  const Expected<Budget> budget = ParseBudget(flags.budget);
  if (!budget) return tl::unexpected(budget.error());
  const auto granularity = ParseGranularity(flags.measure.granularity);
  if (!granularity) return tl::unexpected(granularity.error());
  const std::vector<Unit> units = MakeUnits(model, *granularity);
  const auto formats = CandidateFormats(flags.measure);
  const ByteLimit limit =
      ResolveBudget(*budget, MeasureBytes(model, units), units, formats);
  if (!limit.infeasible.empty()) return InvalidArgument(limit.infeasible);
  flags.measure.estimate.target = MakeTarget(units, formats, limit.limit);
  return {};
}

Expected<Exit> EstimateSensitivities(EstimateFlags flags) {
  flags.measure.estimate.seed = flags.common.seed;
  Expected<void> done = Validate(flags.measure);
  if (!done) return tl::unexpected(done.error());
  done = ApplyCommonFlags(flags.common);
  if (!done) return tl::unexpected(done.error());
  const Expected<LoadedModel> loaded = LoadFolder(flags.model);
  if (!loaded) return tl::unexpected(loaded.error());
  const auto text =
      FindText(flags.text, "--text", flags.model, "calibration.txt");
  if (!text) return tl::unexpected(text.error());
  Expected<TokenSetOptions> options = ResolveTextFlags(flags.tokens);
  if (!options) return tl::unexpected(options.error());
  options->max_predicted = flags.measure.calibration_tokens;
  const Expected<TokenSet> calibration = ReadTokenSet(
      *text, loaded->tokenizer, loaded->model.config().context, *options);
  if (!calibration) return tl::unexpected(calibration.error());
  done = MakeWritableFolder(flags.output);
  if (!done) return tl::unexpected(done.error());
  done = AimAtBudget(flags, loaded->model);
  if (!done) return tl::unexpected(done.error());
  Expected<Playground> playground =
      MakePlayground(loaded->model,
                     *calibration,
                     flags.measure,
                     flags.output / "evaluations.jsonl");
  if (!playground) return tl::unexpected(playground.error());
  const Expected<SensitivityTable> table = Measure(loaded->model,
                                                   *calibration,
                                                   flags.measure,
                                                   flags.measure.estimator,
                                                   *playground);
  if (!table) return tl::unexpected(table.error());
  const fs::path file = flags.output / "sensitivities.json";
  done = WriteSensitivityTable(file, *table);
  if (!done) return tl::unexpected(done.error());
  std::cout << "wrote " << file.string() << ": " << table->units.size()
            << " units, " << playground->memo->evaluations() << " evaluations, "
            << playground->memo->recalled() << " recalled\n"
            << RenderMeasurement(*table);
  return Exit::kDone;
}

}  // namespace

void AddEstimateCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<EstimateFlags>();
  CLI::App* command = program.add_subcommand(
      "estimate", "Measure what few bits cost in each part of a model");
  command->add_option("model", flags->model, "Hugging Face folder")->required();
  command->add_option(
      "--text", flags->text, "Calibration text; default MODEL/calibration.txt");
  command->add_option("--budget",
                      flags->budget,
                      "Fit best at this budget (3.0bpw, 1.2MB, 60%); the table "
                      "still serves others");
  command
      ->add_option("-o,--output",
                   flags->output,
                   "Folder for sensitivities.json and evaluations.jsonl")
      ->capture_default_str();
  AddMeasureFlags(*command, flags->measure);
  AddTextFlags(*command, flags->tokens);
  AddCommonFlags(*command, flags->common);
  command->callback(
      [flags, &outcome] { outcome.status = EstimateSensitivities(*flags); });
}

}  // namespace bitpact
