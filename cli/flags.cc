// SPDX-License-Identifier: Apache-2.0
#include "cli/flags.h"

#include <algorithm>
#include <map>

#include "core/progress.h"
#include "core/threads.h"
#include "estimators/mpi_ranks.h"
#include "estimators/sensitivity_estimator.h"
#include "quant/quantizer.h"
#include "solvers/solver_factory.h"

namespace bitpact {
namespace {

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

void AddCommonFlags(CLI::App& app, CommonFlags& flags) {
  app.add_option("--seed",
                 flags.seed,
                 "Seed of every random choice; same seed, same result, for any "
                 "number of threads")
      ->capture_default_str();
  app.add_option("--threads",
                 flags.threads,
                 "Threads to use; 0: one for each processor core")
      ->capture_default_str();
  app.add_flag("--quiet", flags.quiet, "No progress bars");
}

Expected<void> ApplyCommonFlags(const CommonFlags& flags) {
  if (flags.threads < 0) {
    return InvalidArgument("--threads = " + std::to_string(flags.threads) +
                           " violates --threads >= 0");
  }
  const LaunchedAs launch = ReadLaunch();
  int threads = flags.threads;
  if (threads == 0 && launch.size_on_this_machine > 1) {
    // The ranks of a machine share its cores.
    SetThreadCount(0);
    threads = std::max(1, ThreadCount() / launch.size_on_this_machine);
  }
  SetThreadCount(threads);
  Progress::SetEnabled(!flags.quiet && launch.rank == 0);
  return {};
}

void AddQuantizerFlags(CLI::App& app, QuantizerOptions& options) {
  app.add_option("--damping",
                 options.damping,
                 "gptq: added to the diagonal of the Hessian, relative to its "
                 "mean; more trusts the calibration text less")
      ->capture_default_str();
  app.add_flag("--act-order,!--no-act-order",
               options.activation_order,
               "gptq: columns with the largest inputs first (the default), or "
               "as they stand");
}

void AddMeasureFlags(CLI::App& app, MeasureOptions& options) {
  app.add_option("--bits",
                 options.bits,
                 "Candidate widths, comma separated, 2 to 8: every unit gets "
                 "one of them; of baq stored rates, e.g. 2,2.25,2.5")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--group-size",
                 options.group_size,
                 "Weights of a row that share a scale; 0: the whole row. "
                 "Default: 128, reduced by 32 until it divides the row");
  app.add_flag("--symmetric",
               options.symmetric,
               "Scales without zero-points (smaller, less precise)");
  app.add_option("--granularity",
                 options.granularity,
                 "What gets one width: block, fused (q/k/v and gate/up "
                 "together) or matrix")
      ->capture_default_str();
  app.add_option("--quantizer",
                 options.quantizer,
                 "How weights become codes: " + Joined(QuantizerNames()))
      ->capture_default_str();
  AddQuantizerFlags(app, options.quantizer_options);
  app.add_option("--estimator",
                 options.estimator,
                 "How sensitivities are measured: " + Joined(EstimatorNames()))
      ->capture_default_str();
  app.add_option("--permutations",
                 options.estimate.permutations,
                 "Random orders for coopq and shapley, in antithetic pairs")
      ->capture_default_str();
  app.add_option("--orders",
                 options.estimate.orders,
                 "shapley: shared (every order on all windows) or own (each "
                 "window has --permutations orders of its own)")
      ->transform(CLI::CheckedTransformer(std::map<std::string, OrderDesign>{
          {"shared", OrderDesign::kShared}, {"own", OrderDesign::kPerWindow}}));
  app.add_option("--stop-error",
                 options.estimate.stop_error,
                 "shapley, coopq: stop once the standard errors of the values "
                 "are below this share of them; 0: never")
      ->capture_default_str();
  app.add_option("--stop-plan",
                 options.estimate.stop_plan,
                 "shapley, coopq: stop once the plan at --budget stays the "
                 "same for so many rounds; 0: never")
      ->capture_default_str();
  app.add_option("--exact-players",
                 options.estimate.exact_players,
                 "shapley, coopq: enumerate games of at most so many players")
      ->capture_default_str();
  app.add_option("--coalitions",
                 options.estimate.coalitions,
                 "quadratic: coalitions to evaluate; 0: twice the unknowns, at "
                 "most 1500")
      ->capture_default_str();
  app.add_flag("--pairs-in-block",
               options.estimate.pairs_in_block,
               "pairs: only units of the same block");
  app.add_flag("--sign-as-printed",
               options.estimate.sign_as_printed,
               "coopq: the sign of the paper's eq. 5 taken literally");
  app.add_option("--alpha",
                 options.estimate.alpha,
                 "coopq: 0 keeps all interactions, 1 none")
      ->capture_default_str();
  app.add_option("--calibration-tokens",
                 options.calibration_tokens,
                 "Predicted tokens of the calibration text to use; default " +
                     std::to_string(kCalibrationTokens) +
                     ", or the whole text where it has fewer");
  app.add_option("--value",
                 options.value,
                 "What the game's loss is: nll (of the text) or kl (from the "
                 "full-precision model)")
      ->capture_default_str();
  app.add_option("--products",
                 options.products,
                 "What the game multiplies: float32, or bfloat16 where the "
                 "processor has it (faster; what is reported is float32)")
      ->capture_default_str();
  app.add_option(
      "--value-function",
      options.outside.command,
      "A program that answers the loss of an assignment, one JSON "
      "line a question (docs/outside-metrics.md); run by /bin/sh -c");
  app.add_option("--workers",
                 options.outside.workers,
                 "Copies of the --value-function program that answer at once")
      ->capture_default_str();
  app.add_option("--answer-timeout",
                 options.outside.answer_timeout_s,
                 "Seconds that it may take for an answer or its greeting; then "
                 "it is started again")
      ->capture_default_str();
  app.add_option("--on-nan",
                 options.on_nan,
                 "A loss that is not finite: stop, or inf (count it as "
                 "infinitely bad and go on)")
      ->capture_default_str();
  app.add_option("--game-memory",
                 options.game_memory,
                 "Most bytes for the activations that the game keeps, beside "
                 "model and packed variants, e.g. 500MB; less is slower, "
                 "results are the same")
      ->capture_default_str();
  app.add_flag("--resume",
               options.resume,
               "Insist on the evaluations of an earlier run in the output "
               "folder; without it they are used when they are there");
  app.add_option("--held-out",
                 options.held_out,
                 "Random assignments to judge the surrogate by")
      ->capture_default_str();
}

void AddSolveFlags(CLI::App& app, SolveFlags& flags) {
  app.add_option("--solver",
                 flags.solver,
                 "Who solves the allocation: " + Joined(SolverNames()))
      ->capture_default_str();
  app.add_option("--time-limit",
                 flags.options.time_limit_s,
                 "Seconds for the solver; unset: until it is done");
  app.add_option("--gap",
                 flags.options.relative_gap,
                 "Relative gap at which a plan counts as optimal")
      ->capture_default_str();
}

void AddTextFlags(CLI::App& app, TextFlags& flags) {
  app.add_option("--window",
                 flags.options.window,
                 "Predicted tokens of a window at most; 0: the model's context")
      ->capture_default_str();
  app.add_option("--stride",
                 flags.options.stride,
                 "Tokens from window to window of running text; 0: no overlap")
      ->capture_default_str();
  app.add_option("--text-mode",
                 flags.mode,
                 "documents (split at <|endoftext|>), windows (running text) "
                 "or auto")
      ->capture_default_str();
}

Expected<TokenSetOptions> ResolveTextFlags(const TextFlags& flags) {
  TokenSetOptions options = flags.options;
  if (flags.mode == "documents") {
    options.mode = TextMode::kDocuments;
  } else if (flags.mode == "windows") {
    options.mode = TextMode::kWindows;
  } else if (flags.mode != "auto") {
    return InvalidArgument("--text-mode '" + flags.mode +
                           "' is not one of: auto, documents, windows");
  }
  return options;
}

}  // namespace bitpact
