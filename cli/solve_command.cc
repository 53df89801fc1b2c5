// SPDX-License-Identifier: Apache-2.0
// `bitpact solve`: any problem file through any solver.

#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/interrupt.h"
#include "cli/solve_progress.h"
#include "cli/solve_report.h"
#include "core/atomic_file.h"
#include "solvers/linearization.h"
#include "solvers/model_writers.h"
#include "solvers/plan_checker.h"
#include "solvers/result_file.h"
#include "solvers/solver_factory.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct SolveCommandFlags {
  fs::path file;
  std::string format = "auto";
  SolveFlags solve;
  CommonFlags common;
  fs::path warm_start;
  bool json = false;
  fs::path output;
  fs::path lp;
  fs::path mps;
  std::string linearization = "none";
  bool write_only = false;
  CheckOptions check;
};

Expected<Instance> ReadAs(const fs::path& file, const std::string& name) {
  const Expected<InstanceFormat> format =
      name == "auto" ? DetectInstanceFormat(file) : ParseInstanceFormat(name);
  if (!format) return tl::unexpected(format.error());
  return ReadInstance(file, *format);
}

// The model in the form asked for: quadratic, or one of the linearizations.
Expected<QuadraticModel> OutsideModel(const ReducedProblem& reduced,
                                      const std::string& form) {
  if (form == "none") return MakeQuadraticModel(reduced);
  for (const auto& [name, value] :
       {std::pair("mccormick", LinearForm::kMcCormick),
        std::pair("glover", LinearForm::kGlover),
        std::pair("rlt", LinearForm::kRlt)}) {
    if (form == name) return QuadraticModel{Linearize(value, reduced).milp, {}};
  }
  return InvalidArgument("--linearization '" + form +
                         "' is not one of: none, mccormick, glover, rlt");
}

Expected<void> WriteModels(const SolveCommandFlags& flags,
                           const AllocationProblem& problem) {
  if (flags.lp.empty() && flags.mps.empty()) return {};
  const ReducedProblem reduced = Reduce(problem);
  if (reduced.infeasible) {
    return InvalidArgument("no model to write, as no plan exists: " +
                           *reduced.infeasible);
  }
  const Expected<QuadraticModel> model =
      OutsideModel(reduced, flags.linearization);
  if (!model) return tl::unexpected(model.error());
  for (const auto& [file, write] :
       {std::pair(flags.lp, &WriteLp), std::pair(flags.mps, &WriteMps)}) {
    if (file.empty()) continue;
    std::ostringstream text;
    write(model->linear, model->products, text);
    const Expected<void> done = WriteFileAtomically(file, text.str());
    if (!done) return done;
  }
  return {};
}

Expected<void> ValidateFlags(const SolveCommandFlags& flags) {
  const Expected<void> valid = Validate(flags.solve);
  if (!valid) return valid;
  const bool writes = !flags.lp.empty() || !flags.mps.empty();
  if (!writes && (flags.write_only || flags.linearization != "none")) {
    return InvalidArgument(
        "--write-only and --linearization need --write-lp or --write-mps");
  }
  return {};
}

// Prints and stores the answer; the program's status.
Expected<Exit> Report(const SolveCommandFlags& flags,
                      const Instance& instance,
                      const SolveResult& result) {
  const ResultSource source{.instance = flags.file.filename().string(),
                            .maximises = instance.maximises()};
  if (!flags.output.empty()) {
    const Expected<void> written =
        WriteSolveResult(flags.output, instance.problem, result, source);
    if (!written) return tl::unexpected(written.error());
  }
  if (flags.json) {
    const Expected<std::string> text =
        JsonFileText(ResultHeader(result, source),
                     ResultBody(instance.problem, result, source));
    if (!text) return tl::unexpected(text.error());
    std::cout << *text;
  } else {
    std::cout << RenderInstance(flags.file.string(), instance)
              << RenderSolve(instance, result);
  }
  std::cout.flush();
  if (result.HasIncumbent()) return Exit::kDone;
  if (result.termination == Termination::kInfeasible) {
    return ReportInfeasible(result.detail.empty() ? "proven by " + result.solver
                                                  : result.detail);
  }
  return ReportInfeasible("none found, which proves nothing (limit: " +
                          std::string(LimitName(result.limit)) + ")");
}

Expected<Exit> SolveFile(SolveCommandFlags flags) {
  flags.solve.options.seed = flags.common.seed;
  flags.solve.options.threads = flags.common.threads;
  Expected<void> done = ValidateFlags(flags);
  if (done) done = ApplyCommonFlags(flags.common);
  if (!done) return tl::unexpected(done.error());
  const Expected<Instance> instance = ReadAs(flags.file, flags.format);
  if (!instance) return tl::unexpected(instance.error());
  done = WriteModels(flags, instance->problem);
  if (!done) return tl::unexpected(done.error());
  if (flags.write_only) return Exit::kDone;
  SolveOptions options = flags.solve.options;
  if (!flags.warm_start.empty()) {
    const Expected<Assignment> start =
        ReadWarmStart(flags.warm_start, instance->problem);
    if (!start) return tl::unexpected(start.error());
    options.warm_start = *start;
  }
  const auto solver = MakeSolver(flags.solve.solver);
  if (!solver) return tl::unexpected(solver.error());
  Expected<SolveResult> result = SolveResult{};
  {
    const InterruptGuard interrupt;
    SolveProgress progress("solve", !flags.common.quiet);
    options.stop = interrupt.token();
    options.on_progress = [&](const TracePoint& p) { progress.Update(p); };
    result = SolveAndCheck(**solver, instance->problem, options, flags.check);
  }
  if (!result) return tl::unexpected(result.error());
  return Report(flags, *instance, *result);
}

void AddOutputFlags(CLI::App& command, SolveCommandFlags& flags) {
  command.add_flag("--json", flags.json, "Print the result as JSON");
  command.add_option("-o,--output", flags.output, "Write the result as JSON");
  command.add_option("--write-lp",
                     flags.lp,
                     "Write the problem in CPLEX LP format, after pins and "
                     "ties are folded");
  command.add_option("--write-mps", flags.mps, "The same in free MPS format");
  command
      .add_option("--linearization",
                  flags.linearization,
                  "Of what --write-lp and --write-mps write: none (quadratic "
                  "objective), mccormick, glover or rlt")
      ->capture_default_str();
  command.add_flag(
      "--write-only", flags.write_only, "Write the model and do not solve");
}

}  // namespace

void AddSolveCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<SolveCommandFlags>();
  CLI::App* command = program.add_subcommand(
      "solve", "Solve a problem file with any solver, with a proven bound");
  command
      ->add_option("file",
                   flags->file,
                   "problem.json, a quadratic knapsack (qkp), an unconstrained "
                   "programme (bqp) or a pseudo-Boolean one (opb)")
      ->required();
  command
      ->add_option("--format",
                   flags->format,
                   "problem, qkp, bqp or opb; auto: by content, then extension")
      ->capture_default_str();
  AddSolveFlags(*command, flags->solve);
  command->add_option("--node-limit",
                      flags->solve.options.node_limit,
                      "Cap on counted work; unlike seconds it gives the same "
                      "plan everywhere");
  command
      ->add_option("--pool",
                   flags->solve.options.pool_size,
                   "How many distinct plans to keep")
      ->capture_default_str();
  command->add_option("--warm-start",
                      flags->warm_start,
                      "result.json or plan.json to start from");
  command
      ->add_option("--certify-up-to",
                   flags->check.most_certified_variables,
                   "Derive the root bound again in long double up to so many "
                   "binaries (2,048 take ten seconds)")
      ->capture_default_str();
  AddOutputFlags(*command, *flags);
  AddCommonFlags(*command, flags->common);
  command->footer(
      "Ctrl-C: the best plan so far, status 0 and limit \"stopped\"; twice: "
      "ends at once.\nExit status: 0 a plan, 1 infeasible (or none found), 2 "
      "bad input, 3 internal error.");
  command->callback([flags, &outcome] { outcome.status = SolveFile(*flags); });
}

}  // namespace bitpact
