// SPDX-License-Identifier: Apache-2.0
// `bitpact hipr`: which share of each matrix's rows gets a wider code. Measures
// the quadratic model of HIPR, solves it, and compares the plan with others of
// the same bytes.

#include <memory>
#include <utility>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/hipr_run.h"
#include "cli/learned_flags.h"
#include "cli/pipeline.h"
#include "cli/ratio_plans.h"
#include "cli/row_mix_flags.h"

namespace bitpact {
namespace {

Expected<void> ValidateWidths(const HiprFlags& flags) {
  if (flags.bits < 2 || flags.bits > 7) {
    return InvalidArgument("--bits = " + std::to_string(flags.bits) +
                           " violates 2 <= --bits <= 7");
  }
  std::vector<int> wide = flags.compare_bits;
  wide.push_back(flags.high_bits);
  for (const int width : wide) {
    const char* flag = width == flags.high_bits ? "--high-bits" : "--compare";
    if ((width > flags.bits && width <= 8) || width == kFloat16Bits) continue;
    return InvalidArgument(std::string(flag) + " = " + std::to_string(width) +
                           " violates --bits < " + flag + " <= 8, or 16");
  }
  return {};
}

Expected<void> ValidateFlags(HiprFlags& flags) {
  Expected<void> done = ValidateWidths(flags);
  if (!done) return done;
  done = ValidateRatios(flags.ratios);
  if (!done) return done;
  if (flags.ratios.front() != 0.0) {
    return InvalidArgument("--ratios: the first is " +
                           std::to_string(flags.ratios.front()) +
                           "; 0 has to be among the candidates");
  }
  if (!HiprAllocations().contains(flags.allocation)) {
    return InvalidArgument("--allocation '" + flags.allocation +
                           "' is not one of: quadratic, continuous, uniform, "
                           "none");
  }
  if (flags.pairs != "block" && flags.pairs != "model") {
    return InvalidArgument("--pairs '" + flags.pairs +
                           "' is not one of: block, model");
  }
  if (!flags.solver_given && flags.pairs == "block") {
    flags.solve.solver = "block-dp";
  }
  if (flags.eval_tokens < 0) {
    return InvalidArgument(
        "--eval-tokens = " + std::to_string(flags.eval_tokens) +
        " violates --eval-tokens >= 0");
  }
  if (flags.measure.quantizer == "baq") {
    return InvalidArgument("--quantizer 'baq' makes no matrices of two widths");
  }
  // The checks of what both commands share; widths were checked above.
  MeasureOptions shared = flags.measure;
  done = Validate(shared);
  if (!done) return done;
  done = Validate(flags.learning);
  if (!done) return done;
  done = Validate(flags.solve);
  if (!done) return done;
  return ApplyCommonFlags(flags.common);
}

Expected<HiprTexts> ReadTexts(const HiprFlags& flags,
                              const LoadedModel& loaded) {
  const auto text =
      FindText(flags.text, "--text", flags.model, "calibration.txt");
  if (!text) return tl::unexpected(text.error());
  const auto eval =
      FindText(flags.eval, "--eval", flags.model, "evaluation.txt");
  if (!eval) return tl::unexpected(eval.error());
  Expected<TokenSetOptions> options = ResolveTextFlags(flags.tokens);
  if (!options) return tl::unexpected(options.error());
  Expected<TokenSet> calibration =
      ReadCalibration(*text, loaded, *options, flags.measure);
  if (!calibration) return tl::unexpected(calibration.error());
  options->max_predicted = flags.eval_tokens;
  Expected<TokenSet> evaluation = ReadTokenSet(
      *eval, loaded.tokenizer, loaded.model.config().context, *options);
  if (!evaluation) return tl::unexpected(evaluation.error());
  const Expected<void> disjoint =
      CheckDisjoint(*calibration, text->string(), *evaluation, eval->string());
  if (!disjoint) return tl::unexpected(disjoint.error());
  return HiprTexts{
      std::move(*calibration), std::move(*evaluation), eval->string()};
}

Expected<Exit> Hipr(HiprFlags flags) {
  flags.solve.options.seed = flags.common.seed;
  flags.solve.options.threads = flags.common.threads;
  flags.learning.seed = flags.common.seed;
  const Expected<void> valid = ValidateFlags(flags);
  if (!valid) return tl::unexpected(valid.error());
  const Expected<LoadedModel> loaded = LoadFolder(flags.model);
  if (!loaded) return tl::unexpected(loaded.error());
  const Expected<HiprTexts> texts = ReadTexts(flags, *loaded);
  if (!texts) return tl::unexpected(texts.error());
  return RunHipr(flags, loaded->model, *texts);
}

void AddWidthFlags(CLI::App& command, HiprFlags& flags) {
  command.add_option("--bits", flags.bits, "Width of most rows")
      ->capture_default_str();
  command
      .add_option("--high-bits",
                  flags.high_bits,
                  "Width of the rows that matter most; 16: float16")
      ->capture_default_str();
  command
      .add_option("--ratios",
                  flags.ratios,
                  "Candidate shares of such rows, ascending from 0")
      ->delimiter(',')
      ->capture_default_str();
  command
      .add_option("--compare",
                  flags.compare_bits,
                  "Other widths to measure at one ratio and the same bytes; "
                  "16: float16")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--group-size",
                     flags.measure.group_size,
                     "Weights of a row that share a scale; 0: the whole row. "
                     "Default: 128, reduced by 32 until it divides the row");
  command.add_flag("--symmetric",
                   flags.measure.symmetric,
                   "Scales without zero-points (smaller, less precise)");
  command
      .add_option("--quantizer",
                  flags.measure.quantizer,
                  "How weights become codes, in the measurement and in the "
                  "end: quanto, hqq or gptq")
      ->capture_default_str();
  AddQuantizerFlags(command, flags.measure.quantizer_options);
  AddRowRankingFlag(command, flags.measure.quantizer_options);
}

void AddModelFlags(CLI::App& command, HiprFlags& flags) {
  command
      .add_option("--pairs",
                  flags.pairs,
                  "Pairs of matrices that are measured: block (zero between "
                  "blocks, as in the paper) or model")
      ->capture_default_str();
  command
      .add_option("--pair-ratios",
                  flags.pair_ratios,
                  "Candidates at which pairs are measured; the others are "
                  "interpolated. Default: all")
      ->delimiter(',');
  command
      .add_option("--allocation",
                  flags.allocation,
                  "The plan to take: quadratic, continuous, uniform or none; "
                  "all are measured")
      ->capture_default_str();
  command.add_flag("--hybrid",
                   flags.hybrid,
                   "Learn the rounding of wide rows and the ranges of the "
                   "others, block by block, in the plan that is taken");
  AddLearnedFlags(command, flags.learning);
}

}  // namespace

void AddHiprCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<HiprFlags>();
  CLI::App* command = program.add_subcommand(
      "hipr", "Store the rows that matter most in wider codes (HIPR)");
  command->add_option("model", flags->model, "Hugging Face folder")->required();
  command
      ->add_option("--budget",
                   flags->budget,
                   "2.2bpw, 1.2MB, 900KiB or 60% (see bitpact --help)")
      ->required();
  command->add_option(
      "--text", flags->text, "Calibration text; default MODEL/calibration.txt");
  command->add_option("--eval",
                      flags->eval,
                      "Evaluation text, another one; default "
                      "MODEL/evaluation.txt");
  command
      ->add_option("--eval-tokens",
                   flags->eval_tokens,
                   "Predicted tokens of the evaluation text; 0: all")
      ->capture_default_str();
  command->add_option("--calibration-tokens",
                      flags->measure.calibration_tokens,
                      "Predicted tokens of the calibration text; default " +
                          std::to_string(kCalibrationTokens) +
                          ", or the whole text where it has fewer");
  command
      ->add_option("--value",
                   flags->measure.value,
                   "The loss of the quadratic model: nll (of the text) or kl "
                   "(from full precision)")
      ->capture_default_str();
  AddWidthFlags(*command, *flags);
  AddModelFlags(*command, *flags);
  AddSolveFlags(*command, flags->solve);
  command->add_option("-o,--output", flags->output, "Folder for all results")
      ->capture_default_str();
  AddTextFlags(*command, flags->tokens);
  AddCommonFlags(*command, flags->common);
  command->callback([flags, command, &outcome] {
    flags->solver_given = command->count("--solver") > 0;
    outcome.status = Hipr(*flags);
  });
}

}  // namespace bitpact
