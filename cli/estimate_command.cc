// SPDX-License-Identifier: Apache-2.0
// `bitpact estimate`: sensitivities of a model, once for all budgets.

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "cli/plan_choice.h"
#include "cli/report.h"
#include "core/atomic_file.h"
#include "core/hash.h"
#include "estimators/mpi_game.h"
#include "estimators/mpi_ranks.h"
#include "estimators/sensitivity_csv.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct EstimateFlags {
  fs::path model;
  std::optional<fs::path> text;
  std::string budget;  // empty: for no budget in particular
  std::optional<fs::path> sensitivities;
  std::optional<fs::path> pairs;
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

// What every rank of a run makes for itself.
struct Prepared {
  LoadedModel loaded;
  TokenSet calibration;
  Playground playground;
};

// Text is read where the game runs on it, or a quantizer asks for it.
Expected<TokenSet> ReadText(const EstimateFlags& flags,
                            const LoadedModel& loaded) {
  if (!flags.measure.outside.command.empty() && !flags.text) return TokenSet{};
  const auto text =
      FindText(flags.text, "--text", flags.model, "calibration.txt");
  if (!text) return tl::unexpected(text.error());
  const Expected<TokenSetOptions> options = ResolveTextFlags(flags.tokens);
  if (!options) return tl::unexpected(options.error());
  return ReadCalibration(*text, loaded, *options, flags.measure);
}

// The game looks at model and text, so they have to stay where they are.
Expected<std::unique_ptr<Prepared>> Prepare(const EstimateFlags& flags) {
  Expected<LoadedModel> loaded = LoadFolder(flags.model);
  if (!loaded) return tl::unexpected(loaded.error());
  std::unique_ptr<Prepared> prepared(
      new Prepared{std::move(*loaded), TokenSet{}, Playground{}});
  Expected<TokenSet> calibration = ReadText(flags, prepared->loaded);
  if (!calibration) return tl::unexpected(calibration.error());
  prepared->calibration = std::move(*calibration);
  Expected<Playground> playground =
      MakeGame(prepared->loaded.model, prepared->calibration, flags.measure);
  if (!playground) return tl::unexpected(playground.error());
  prepared->playground = std::move(*playground);
  return prepared;
}

// One text for all that the values depend on.
std::string KeyText(const Playground& playground) {
  std::string text;
  for (const auto& [field, value] : playground.key) {
    text += field + "=" + value + "\n";
  }
  return text;
}

Expected<Exit> WriteTable(const EstimateFlags& flags,
                          const SensitivityTable& table,
                          const std::string& how) {
  const fs::path file = flags.output / "sensitivities.json";
  const Expected<void> done = WriteSensitivityTable(file, table);
  if (!done) return tl::unexpected(done.error());
  std::cout << "wrote " << file.string() << ": " << table.units.size()
            << " units, " << how;
  return Exit::kDone;
}

// --sensitivities: the numbers of another tool, in our file.
Expected<Exit> ImportTable(const EstimateFlags& flags) {
  const Expected<Model> model = Model::LoadOutside(flags.model);
  if (!model) return tl::unexpected(model.error());
  const Expected<Granularity> granularity =
      ParseGranularity(flags.measure.granularity);
  if (!granularity) return tl::unexpected(granularity.error());
  SensitivityTable table;
  table.units = MakeUnits(*model, *granularity);
  table.formats = CandidateFormats(flags.measure);
  for (const FormatRule& format : table.formats) {
    const Expected<void> divides = CheckGroupSize(table.units, format);
    if (!divides) return tl::unexpected(divides.error());
  }
  Expected<Surrogate> surrogate = ReadSensitivityCsv(
      *flags.sensitivities, flags.pairs, table.units, table.formats);
  if (!surrogate) return tl::unexpected(surrogate.error());
  const Expected<std::string> print = HashFile(*flags.sensitivities);
  if (!print) return tl::unexpected(print.error());
  table.estimator = "imported";
  table.quantizer = flags.measure.quantizer;
  table.estimate.surrogate = std::move(*surrogate);
  table.options = flags.measure.estimate;
  table.predicts_loss = false;
  table.model_bytes = MeasureBytes(*model, table.units);
  table.inputs = {{"model", model->fingerprint()}, {"sensitivities", *print}};
  const Expected<void> done = MakeWritableFolder(flags.output);
  if (!done) return tl::unexpected(done.error());
  return WriteTable(
      flags, table, "costs from " + flags.sensitivities->string() + "\n");
}

Expected<Exit> EstimateSensitivities(EstimateFlags flags) {
  flags.measure.estimate.seed = flags.common.seed;
  Expected<void> done = Validate(flags.measure);
  if (!done) return tl::unexpected(done.error());
  done = ApplyCommonFlags(flags.common);
  if (!done) return tl::unexpected(done.error());
  if (flags.pairs && !flags.sensitivities) {
    return InvalidArgument("--sensitivity-pairs needs --sensitivities");
  }
  const Expected<std::unique_ptr<MpiRanks>> ranks = MpiRanks::Join();
  if (!ranks) return tl::unexpected(ranks.error());
  if (flags.sensitivities) {
    return (*ranks)->leads() ? ImportTable(flags) : Exit::kDone;
  }
  const Expected<std::unique_ptr<Prepared>> prepared = Prepare(flags);
  done = (*ranks)->Agree(
      prepared ? Expected<std::string>(KeyText((*prepared)->playground))
               : Expected<std::string>(tl::unexpected(prepared.error())));
  if (!done) return tl::unexpected(done.error());
  Playground& playground = (*prepared)->playground;
  if (!(*ranks)->leads()) {
    done = ServeMpiGame(**ranks, *playground.game);
    if (!done) return tl::unexpected(done.error());
    return Exit::kDone;
  }
  done = MakeWritableFolder(flags.output);
  if (!done) return tl::unexpected(done.error());
  done = AimAtBudget(flags, (*prepared)->loaded.model);
  if (!done) return tl::unexpected(done.error());
  done = RememberGame(playground,
                      flags.measure,
                      flags.output / "evaluations.jsonl",
                      ranks->get());
  if (!done) return tl::unexpected(done.error());
  const Expected<SensitivityTable> table = Measure((*prepared)->loaded.model,
                                                   (*prepared)->calibration,
                                                   flags.measure,
                                                   flags.measure.estimator,
                                                   playground);
  if (!table) return tl::unexpected(table.error());
  return WriteTable(flags,
                    *table,
                    std::to_string(playground.memo->evaluations()) +
                        " evaluations, " +
                        std::to_string(playground.memo->recalled()) +
                        " recalled\n" + RenderMeasurement(*table));
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
  command->add_option("--sensitivities",
                      flags->sensitivities,
                      "A table of costs measured elsewhere "
                      "(unit,option,cost[,standard_error]): nothing is run");
  command->add_option("--sensitivity-pairs",
                      flags->pairs,
                      "With --sensitivities: pair costs "
                      "(unit_a,option_a,unit_b,option_b,cost)");
  AddMeasureFlags(*command, flags->measure);
  AddTextFlags(*command, flags->tokens);
  AddCommonFlags(*command, flags->common);
  command->callback(
      [flags, &outcome] { outcome.status = EstimateSensitivities(*flags); });
}

}  // namespace bitpact
