// SPDX-License-Identifier: Apache-2.0
// `bitpact allocate`: the best plan for a budget, from sensitivities.json.

#include <iostream>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "cli/report.h"
#include "cli/text_table.h"
#include "core/atomic_file.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct AllocateFlags {
  fs::path sensitivities;
  std::string budget;
  fs::path output = "out";
  CommonFlags common;
  SolveFlags solve;
};

Expected<Exit> AllocatePlan(AllocateFlags flags) {
  flags.solve.options.seed = flags.common.seed;
  flags.solve.options.threads = flags.common.threads;
  Expected<void> done = Validate(flags.solve);
  if (!done) return tl::unexpected(done.error());
  done = ApplyCommonFlags(flags.common);
  if (!done) return tl::unexpected(done.error());
  const Expected<Budget> budget = ParseBudget(flags.budget);
  if (!budget) return tl::unexpected(budget.error());
  const Expected<SensitivityTable> table =
      ReadSensitivityTable(flags.sensitivities);
  if (!table) return tl::unexpected(table.error());
  const ByteLimit limit =
      ResolveBudget(*budget, table->model_bytes, table->units, table->formats);
  if (!limit.infeasible.empty()) return ReportInfeasible(limit.infeasible);
  done = MakeWritableFolder(flags.output);
  if (!done) return tl::unexpected(done.error());
  const Expected<Allocation> allocation =
      Allocate(*table, limit.limit, flags.solve);
  if (!allocation) return tl::unexpected(allocation.error());
  done = WriteAllocation(flags.output, *table, *allocation);
  if (!done) return tl::unexpected(done.error());
  const SolveResult& result = allocation->result;
  const std::optional<AllocationPlan>& plan = allocation->plan;
  if (!plan) {
    return ReportInfeasible(std::string(TerminationName(result.termination)) +
                            ": " + result.detail);
  }
  std::cout << RenderBitMap(*plan) << "\nsolver " << result.solver << ": "
            << TerminationName(result.termination) << ", objective "
            << FormatNumber(result.objective, 6) << ", gap "
            << FormatSmall(result.RelativeGap()) << "\n"
            << FormatCount(plan->size_bytes) << " of "
            << FormatCount(limit.limit) << " bytes, "
            << FormatNumber(plan->bits_per_weight(), 3)
            << " bits a weight; wrote problem.json, result.json and plan.json "
               "to "
            << flags.output.string() << "\n";
  return Exit::kDone;
}

}  // namespace

void AddAllocateCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<AllocateFlags>();
  CLI::App* command = program.add_subcommand(
      "allocate", "Solve the allocation for a budget, from sensitivities.json");
  command
      ->add_option("sensitivities",
                   flags->sensitivities,
                   "File that `bitpact estimate` wrote")
      ->required();
  command
      ->add_option("--budget",
                   flags->budget,
                   "3.0bpw, 1.2MB, 900KiB or 60% (see bitpact --help)")
      ->required();
  command
      ->add_option("-o,--output",
                   flags->output,
                   "Folder for problem.json, result.json and plan.json")
      ->capture_default_str();
  AddSolveFlags(*command, flags->solve);
  AddCommonFlags(*command, flags->common);
  command->callback(
      [flags, &outcome] { outcome.status = AllocatePlan(*flags); });
}

}  // namespace bitpact
