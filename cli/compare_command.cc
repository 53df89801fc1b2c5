// SPDX-License-Identifier: Apache-2.0
// `bitpact compare`: several solvers on several problem files, one table.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <optional>
#include <set>

#include "cli/commands.h"
#include "cli/comparison.h"
#include "cli/comparison_files.h"
#include "cli/flags.h"
#include "cli/interrupt.h"
#include "cli/solve_progress.h"
#include "core/atomic_file.h"
#include "solvers/best_known.h"
#include "solvers/instance_file.h"
#include "solvers/plan_checker.h"
#include "solvers/solver_factory.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct CompareFlags {
  std::vector<fs::path> files;
  std::vector<std::string> solvers = {"auto"};
  double time_limit_s = 10.0;
  double relative_gap = 1e-7;
  double delta = 1e-6;
  int seeds = 1;
  fs::path output;
  CommonFlags common;
};

Expected<void> ValidateFlags(CompareFlags& flags) {
  if (!(flags.time_limit_s > 0.0)) {
    return InvalidArgument("--time-limit must be above 0");
  }
  if (!(flags.delta >= 0.0 && flags.delta <= 1.0)) {
    return InvalidArgument("--target must be within 0 and 1");
  }
  if (flags.seeds < 1) {
    return InvalidArgument("--seeds = " + std::to_string(flags.seeds) +
                           " violates --seeds >= 1");
  }
  SolveOptions options;
  options.relative_gap = flags.relative_gap;
  const Expected<void> valid = Validate(options);
  if (!valid) return valid;
  if (flags.solvers == std::vector<std::string>{"all"}) {
    flags.solvers = SolverNames();
  }
  std::set<std::string> seen;
  for (const std::string& name : flags.solvers) {
    const auto solver = MakeSolver(name);
    if (!solver) return tl::unexpected(solver.error());
    if (!seen.insert(name).second) {
      return InvalidArgument("--solvers names '" + name + "' twice");
    }
  }
  return {};
}

ComparedRun RunOnce(const CompareFlags& flags,
                    const AllocationProblem& problem,
                    ComparedRun run,
                    const std::stop_token& stop) {
  const std::unique_ptr<Solver> solver = *MakeSolver(run.solver);
  SolveOptions options;
  options.seed = run.seed;
  options.threads = flags.common.threads;
  options.relative_gap = flags.relative_gap;
  options.stop = stop;
  if (solver->capabilities().time_limit) {
    options.time_limit_s = flags.time_limit_s;
  }
  SolveProgress progress(run.instance + ", " + run.solver, !flags.common.quiet);
  options.on_progress = [&](const TracePoint& p) { progress.Update(p); };
  Expected<SolveResult> result = SolveAndCheck(*solver, problem, options);
  if (!result) {
    run.reason = std::string(ErrorCodeName(result.error().code)) + ": " +
                 result.error().message;
    return run;
  }
  const bool is_proof = result->termination == Termination::kOptimal ||
                        result->termination == Termination::kInfeasible;
  if (is_proof) run.time_to_proof_s = result->stats.time_s;
  run.result = std::move(*result);
  return run;
}

// All runs of one instance, and what depends on the best of them.
std::vector<ComparedRun> RunInstance(const CompareFlags& flags,
                                     const fs::path& file,
                                     const Instance& instance,
                                     const std::stop_token& stop) {
  std::vector<ComparedRun> runs;
  std::optional<double> best = FindBestKnown(file);
  if (best && instance.maximises()) best = -*best;
  double best_here = std::numeric_limits<double>::infinity();
  for (const std::string& solver : flags.solvers) {
    for (int s = 0; s < flags.seeds && !stop.stop_requested(); ++s) {
      ComparedRun run{.instance = file.filename().string(),
                      .solver = solver,
                      .seed = flags.common.seed + static_cast<std::uint64_t>(s),
                      .result = std::nullopt};
      runs.push_back(RunOnce(flags, instance.problem, std::move(run), stop));
      if (runs.back().result) {
        best_here = std::min(best_here, runs.back().result->objective);
      }
    }
  }
  const double reference = best.value_or(best_here);
  for (ComparedRun& run : runs) {
    if (!run.result || !std::isfinite(reference)) continue;
    run.time_to_target_s =
        TimeToTarget(run.result->trace, TargetOf(reference, flags.delta));
    run.primal_integral_s =
        PrimalIntegral(run.result->trace, reference, flags.time_limit_s);
  }
  return runs;
}

Expected<Exit> CompareFiles(CompareFlags flags) {
  Expected<void> done = ValidateFlags(flags);
  if (done) done = ApplyCommonFlags(flags.common);
  if (done && !flags.output.empty()) done = MakeWritableFolder(flags.output);
  if (!done) return tl::unexpected(done.error());
  // All files are read before any is solved: a bad one is known at once.
  std::vector<Instance> instances;
  for (const fs::path& file : flags.files) {
    const Expected<InstanceFormat> format = DetectInstanceFormat(file);
    if (!format) return tl::unexpected(format.error());
    Expected<Instance> instance = ReadInstance(file, *format);
    if (!instance) return tl::unexpected(instance.error());
    instances.push_back(std::move(*instance));
  }
  Comparison comparison{.solvers = flags.solvers,
                        .runs = {},
                        .time_limit_s = flags.time_limit_s,
                        .delta = flags.delta};
  const InterruptGuard interrupt;
  for (std::size_t i = 0; i < instances.size(); ++i) {
    std::vector<ComparedRun> runs =
        RunInstance(flags, flags.files[i], instances[i], interrupt.token());
    // An interrupted instance would compare solvers that ran with others that
    // did not.
    if (interrupt.interrupted()) break;
    std::move(runs.begin(), runs.end(), std::back_inserter(comparison.runs));
  }
  std::cout << ComparisonTable(comparison) << "\n"
            << ComparisonSummary(comparison) << "\ntarget: best + "
            << flags.delta
            << " * max(1e-9, |best|), best known of index.csv beside the file, "
               "else best of this run\n"
               "gap: (objective - bound) / max(1e-9, |objective|)\n"
               "integral: of the primal gap |best - x| / max(|best|, |x|) over "
               "the time limit (Berthold 2013)\n";
  if (interrupt.interrupted()) {
    std::cout << "stopped on request; instances not run to the end are left "
                 "out\n";
  }
  if (!flags.output.empty()) {
    const Expected<std::string> note =
        WriteComparison(flags.output, comparison);
    if (!note) return tl::unexpected(note.error());
    std::cout << "wrote runs.csv, comparison.json and performance profiles to "
              << flags.output.string() << "\n"
              << (note->empty() ? "" : *note + "\n");
  }
  const bool is_any_wrong = std::any_of(
      comparison.runs.begin(), comparison.runs.end(), [](const auto& run) {
        return run.reason.starts_with(ErrorCodeName(ErrorCode::kInternal));
      });
  return is_any_wrong ? Exit::kInternal : Exit::kDone;
}

}  // namespace

void AddCompareCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<CompareFlags>();
  CLI::App* command = program.add_subcommand(
      "compare", "Compare solvers on problem files: table, curves, profiles");
  command->add_option("files", flags->files, "As for `bitpact solve`")
      ->required();
  command
      ->add_option("--solvers",
                   flags->solvers,
                   "Names, comma separated, or all: those built in")
      ->delimiter(',')
      ->capture_default_str();
  command
      ->add_option("--time-limit",
                   flags->time_limit_s,
                   "Seconds for each solve, where the solver takes a limit")
      ->capture_default_str();
  command
      ->add_option("--gap",
                   flags->relative_gap,
                   "Relative gap at which a plan counts as optimal")
      ->capture_default_str();
  command
      ->add_option("--target",
                   flags->delta,
                   "How close to the best the target of time-to-target is, "
                   "relative")
      ->capture_default_str();
  command
      ->add_option("--seeds",
                   flags->seeds,
                   "Solves of each instance by each solver, seeds from --seed "
                   "on")
      ->capture_default_str();
  command->add_option("-o,--output",
                      flags->output,
                      "Folder for runs.csv, comparison.json and profiles");
  AddCommonFlags(*command, flags->common);
  command->footer(
      "A solver that cannot take an instance has its reason in the table. "
      "Ctrl-C keeps the instances that are done.\nExit status: 0, 2 bad input, "
      "3 a solver gave a wrong answer.");
  command->callback(
      [flags, &outcome] { outcome.status = CompareFiles(*flags); });
}

}  // namespace bitpact
