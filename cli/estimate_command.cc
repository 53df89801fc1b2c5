// SPDX-License-Identifier: Apache-2.0
// `bitpact estimate`: sensitivities of a model, once for all budgets.

#include <iostream>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "core/atomic_file.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct EstimateFlags {
  fs::path model;
  std::optional<fs::path> text;
  fs::path output = "out";
  CommonFlags common;
  MeasureOptions measure;
  TextFlags tokens;
};

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
            << playground->memo->recalled() << " recalled\n";
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
