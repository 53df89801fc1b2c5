// SPDX-License-Identifier: Apache-2.0
// `bitpact quantize`: a folder with packed weights, from a model and plan.json.

#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/flags.h"
#include "core/allocation_plan.h"
#include "core/atomic_file.h"
#include "core/budget.h"
#include "models/quantized_model.h"
#include "quant/quantizer.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct QuantizeFlags {
  fs::path model;
  fs::path plan;
  fs::path output;
  CommonFlags common;
};

Expected<Exit> Quantize(const QuantizeFlags& flags) {
  Expected<void> done = ApplyCommonFlags(flags.common);
  if (!done) return tl::unexpected(done.error());
  const Expected<AllocationPlan> plan = ReadPlan(flags.plan);
  if (!plan) return tl::unexpected(plan.error());
  const Expected<Model> model = Model::Load(flags.model);
  if (!model) return tl::unexpected(model.error());
  const auto quantizer = MakeQuantizer(plan->quantizer);
  if (!quantizer) return tl::unexpected(quantizer.error());
  done = MakeWritableFolder(flags.output);
  if (!done) return tl::unexpected(done.error());
  const auto quantized = QuantizedModel::Make(*model, *plan, **quantizer);
  if (!quantized) return tl::unexpected(quantized.error());
  done = quantized->Save(*model, flags.output);
  if (!done) return tl::unexpected(done.error());
  std::cout << "wrote " << flags.output.string() << ": "
            << FormatCount(quantized->packed_bytes()) << " bytes in "
            << plan->units.size() << " packed units, "
            << FormatCount(model->kept_bytes()) << " bytes kept as they are\n";
  return Exit::kDone;
}

}  // namespace

void AddQuantizeCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<QuantizeFlags>();
  CLI::App* command = program.add_subcommand(
      "quantize", "Write a model with packed weights as a plan says");
  command->add_option("model", flags->model, "Hugging Face folder")->required();
  command->add_option("plan", flags->plan, "plan.json")->required();
  command->add_option("-o,--output", flags->output, "Folder to write")
      ->required();
  AddCommonFlags(*command, flags->common);
  command->callback([flags, &outcome] { outcome.status = Quantize(*flags); });
}

}  // namespace bitpact
