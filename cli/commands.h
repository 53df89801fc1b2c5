// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_COMMANDS_H_
#define BITPACT_CLI_COMMANDS_H_

// One subcommand a file. Each adds itself to the program and, when chosen,
// leaves its outcome in `outcome`.

#include "CLI/CLI.hpp"
#include "core/error.h"

namespace bitpact {

// The program's exit status.
enum class Exit {
  kDone = 0,
  kNoFeasiblePlan = 1,
  kBadInput = 2,
  kInternal = 3
};

struct CommandOutcome {
  Expected<Exit> status = Exit::kDone;
};

void AddRunCommand(CLI::App& program, CommandOutcome& outcome);
void AddEstimateCommand(CLI::App& program, CommandOutcome& outcome);
void AddAllocateCommand(CLI::App& program, CommandOutcome& outcome);
void AddQuantizeCommand(CLI::App& program, CommandOutcome& outcome);
void AddEvalCommand(CLI::App& program, CommandOutcome& outcome);
void AddSolveCommand(CLI::App& program, CommandOutcome& outcome);
void AddCompareCommand(CLI::App& program, CommandOutcome& outcome);
void AddHiprCommand(CLI::App& program, CommandOutcome& outcome);
void AddInfoCommand(CLI::App& program, CommandOutcome& outcome);

// "bitpact: no feasible plan: REASON" on standard error; returns the status.
Exit ReportInfeasible(const std::string& reason);

}  // namespace bitpact

#endif  // BITPACT_CLI_COMMANDS_H_
