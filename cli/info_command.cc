// SPDX-License-Identifier: Apache-2.0
// `bitpact info`: what a model consists of and what it would take in few bits,
// before any work is done.

#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "cli/text_table.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct InfoFlags {
  fs::path model;
  MeasureOptions measure;
  bool list_units = false;
};

Expected<Exit> Info(InfoFlags flags) {
  flags.measure.bits = {2, 3, 4, 5, 6, 8};
  const Expected<void> valid = Validate(flags.measure);
  if (!valid) return tl::unexpected(valid.error());
  const Expected<Model> model = Model::Load(flags.model);
  if (!model) return tl::unexpected(model.error());
  const auto granularity = ParseGranularity(flags.measure.granularity);
  const std::vector<Unit> units = MakeUnits(*model, *granularity);
  const ModelBytes bytes = MeasureBytes(*model, units);
  const ModelConfig& config = model->config();
  std::cout << config.architecture << ": " << config.num_layers
            << " blocks, hidden " << config.hidden_size << ", mlp "
            << config.intermediate_size << ", " << config.num_heads << "/"
            << config.num_kv_heads << " heads of " << config.head_dim
            << ", vocabulary " << config.vocab_size << ", context "
            << config.context
            << (config.tied_embeddings ? ", tied embeddings" : "") << "\n"
            << FormatCount(bytes.stored) << " bytes stored, "
            << FormatCount(bytes.kept)
            << " of them kept as they are (embedding, head, norms); "
            << units.size() << " units with " << FormatCount(bytes.unit_weights)
            << " weights\n\n";
  std::vector<std::vector<std::string>> rows = {
      {"format", "unit bytes", "bits/weight", "model bytes", "of stored"}};
  for (const FormatRule& rule : CandidateFormats(flags.measure)) {
    std::int64_t size = 0;
    for (const Unit& unit : units) size += StoredBytes(rule, unit);
    const auto total = static_cast<double>(size + bytes.kept);
    rows.push_back(
        {"all " + OptionName(rule),
         FormatCount(size),
         FormatNumber(8.0 * static_cast<double>(size) /
                          static_cast<double>(bytes.unit_weights),
                      3),
         FormatCount(size + bytes.kept),
         FormatNumber(100.0 * total / static_cast<double>(bytes.stored), 1) +
             "%"});
  }
  std::cout << RenderTable(rows);
  if (!flags.list_units) return Exit::kDone;
  rows = {{"unit", "matrices", "weights"}};
  for (const Unit& unit : units) {
    rows.push_back({unit.name,
                    std::to_string(unit.matrices.size()),
                    FormatCount(WeightCount(unit))});
  }
  std::cout << "\n" << RenderTable(rows);
  return Exit::kDone;
}

}  // namespace

void AddInfoCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<InfoFlags>();
  CLI::App* command = program.add_subcommand(
      "info", "What a model consists of and its size at each width");
  command->add_option("model", flags->model, "Hugging Face folder")->required();
  command
      ->add_option("--granularity",
                   flags->measure.granularity,
                   "What gets one width: block, fused or matrix")
      ->capture_default_str();
  command->add_option("--group-size",
                      flags->measure.group_size,
                      "Weights of a row that share a scale; 0: the whole row");
  command->add_flag(
      "--symmetric", flags->measure.symmetric, "Scales without zero-points");
  command->add_flag("--units", flags->list_units, "List every unit");
  command->callback([flags, &outcome] { outcome.status = Info(*flags); });
}

}  // namespace bitpact
