// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "CLI/CLI.hpp"
#include "cli/commands.h"
#include "core/version.h"
#include "estimators/mpi_ranks.h"

namespace bitpact {

Exit ReportInfeasible(const std::string& reason) {
  std::cerr << "bitpact: no feasible plan: " << reason << '\n';
  return Exit::kNoFeasiblePlan;
}

namespace {

constexpr const char* kAbout =
    "bitpact decides how many bits each part of a language model gets: it "
    "measures "
    "what few bits cost where, solves the choice as a binary quadratic "
    "programme "
    "under a byte budget, and proves the plan by running the quantized model.";

constexpr const char* kFooter =
    "Budgets: 3.0bpw (bits per weight of the units, scales included), 1.2MB "
    "or\n"
    "900KiB (bytes of the whole model), 60% (of the whole checkpoint).\n"
    "Exit status: 0 done, 1 no feasible plan, 2 bad input, 3 internal "
    "error.\n\n"
    "The whole way:   bitpact run MODEL --budget 3.0bpw -o out\n"
    "Step by step:    bitpact estimate MODEL --text calibration.txt -o out\n"
    "                 bitpact allocate out/sensitivities.json --budget 3.0bpw "
    "-o out\n"
    "                 bitpact quantize MODEL out/plan.json -o out/quantized\n"
    "                 bitpact eval out/quantized --eval valid.txt --reference "
    "MODEL";

// mpirun starts the program several times; only `estimate` shares its work.
Expected<void> CheckLaunch(int argc, char** argv) {
  const LaunchedAs launch = ReadLaunch();
  if (launch.size == 1 || (argc > 1 && argv[1] == std::string("estimate"))) {
    return {};
  }
  return InvalidArgument("mpirun started " + std::to_string(launch.size) +
                         " processes; only 'estimate' shares its work");
}

// Ranks other than 0 are silent, and leave the exit status to rank 0, which
// hears of their errors.
int Report(const CommandOutcome& outcome) {
  if (ReadLaunch().rank > 0) return 0;
  if (outcome.status) return static_cast<int>(*outcome.status);
  std::cerr << "bitpact: " << outcome.status.error().message << '\n';
  return static_cast<int>(outcome.status.error().code == ErrorCode::kInternal
                              ? Exit::kInternal
                              : Exit::kBadInput);
}

int Main(int argc, char** argv) {
  CLI::App program(kAbout, "bitpact");
  program.set_version_flag("--version", kToolVersion);
  program.footer(kFooter);
  program.require_subcommand(1);
  CommandOutcome outcome;
  const Expected<void> launch = CheckLaunch(argc, argv);
  if (!launch) {
    outcome.status = tl::unexpected(launch.error());
    return Report(outcome);
  }
  AddRunCommand(program, outcome);
  AddEstimateCommand(program, outcome);
  AddAllocateCommand(program, outcome);
  AddQuantizeCommand(program, outcome);
  AddEvalCommand(program, outcome);
  AddSolveCommand(program, outcome);
  AddCompareCommand(program, outcome);
  AddHiprCommand(program, outcome);
  AddInfoCommand(program, outcome);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& failure) {
    if (ReadLaunch().rank > 0) return 0;
    const int status = program.exit(failure);
    return status == 0 ? 0 : static_cast<int>(Exit::kBadInput);
  }
  return Report(outcome);
}

}  // namespace
}  // namespace bitpact

int main(int argc, char** argv) { return bitpact::Main(argc, argv); }
