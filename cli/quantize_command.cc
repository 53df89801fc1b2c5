// SPDX-License-Identifier: Apache-2.0
// `bitpact quantize`: a folder with packed weights, from a model and a plan or
// one width for all.

#include <cmath>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/baq_flags.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/learned_flags.h"
#include "cli/row_mix_flags.h"
#include "cli/text_table.h"
#include "core/allocation_plan.h"
#include "core/budget.h"
#include "models/baq_paper.h"
#include "models/gptq_checkpoint.h"
#include "models/learned_quantizer.h"
#include "models/quantize_folder.h"
#include "quant/baq_quantizer.h"
#include "quant/quantizer.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct QuantizeFlags {
  fs::path model;
  std::optional<fs::path> plan;
  std::optional<double> bits;
  BaqFlags baq;
  std::optional<int> group_size;
  bool symmetric = false;
  bool integer_zero_points = false;
  RowMixFlags row_mix;
  std::optional<std::string> quantizer;
  QuantizerOptions options;
  std::optional<fs::path> text;
  std::int64_t calibration_tokens = 16384;
  std::string format = "bitpact";
  fs::path output;
  CommonFlags common;
  TextFlags tokens;
  // Flags that only mean something to quantizers that need Hessians, to formats
  // with rows of two widths, or to either, as given.
  std::vector<std::string> hessian_flags;
  std::vector<std::string> ranking_flags;
  std::vector<std::string> text_flags;
  // And those of 'hybrid'.
  ReconstructionOptions learning;
  std::vector<std::string> learned_flags;
};

Expected<FolderFormat> ParseFormat(const std::string& name) {
  if (name == "bitpact") return FolderFormat::kBitpact;
  if (name == "gptq") return FolderFormat::kGptq;
  return InvalidArgument("--format '" + name +
                         "' is not one of: bitpact, gptq");
}

bool IsBaq(const QuantizeFlags& flags) { return flags.quantizer == "baq"; }

// The flags of quantizer 'baq', and those it has no use for.
Expected<void> ValidateBaq(const QuantizeFlags& flags) {
  auto valid = ValidateBaqFlags(
      flags.baq, IsBaq(flags), flags.bits, flags.plan.has_value());
  if (!valid || !IsBaq(flags)) return valid;
  if (flags.format != "bitpact") {
    return InvalidArgument("--format " + flags.format +
                           " does not hold what quantizer 'baq' makes");
  }
  if (flags.group_size || flags.symmetric || flags.integer_zero_points ||
      flags.row_mix.given()) {
    return InvalidArgument(
        "--group-size, --symmetric, --integer-zero-points and --high-bits have "
        "no effect on quantizer 'baq'");
  }
  return {};
}

Expected<void> ValidateBits(const QuantizeFlags& flags) {
  if (!flags.bits || IsBaq(flags)) return {};
  const double bits = *flags.bits;
  if (bits >= 2.0 && bits <= 8.0 && bits == std::floor(bits)) return {};
  return InvalidArgument("--bits = " + FormatNumber(bits, 4) +
                         " violates 2 <= bits <= 8, a whole number");
}

Expected<void> Validate(const QuantizeFlags& flags) {
  if (flags.bits && flags.baq.rate) {
    return InvalidArgument("--bits and --rate exclude each other");
  }
  if (flags.plan.has_value() == (flags.bits || flags.baq.rate)) {
    return InvalidArgument(
        "either --plan plan.json or --bits N says how many bits");
  }
  if (flags.plan && (flags.group_size || flags.symmetric ||
                     flags.integer_zero_points || flags.row_mix.given())) {
    return InvalidArgument(
        "--group-size, --symmetric, --integer-zero-points, --high-bits and "
        "--high-rows go with --bits; a plan states its formats");
  }
  if (const auto valid = ValidateBits(flags); !valid) return valid;
  if (const auto valid = ValidateBaq(flags); !valid) return valid;
  if (flags.group_size && *flags.group_size < 0) {
    return InvalidArgument(
        "--group-size = " + std::to_string(*flags.group_size) +
        " violates --group-size >= 0 (0: whole rows)");
  }
  if (flags.symmetric && flags.integer_zero_points) {
    return InvalidArgument(
        "--symmetric has no zero-points for --integer-zero-points");
  }
  if (flags.calibration_tokens < 1) {
    return InvalidArgument(
        "--calibration-tokens = " + std::to_string(flags.calibration_tokens) +
        " violates --calibration-tokens >= 1");
  }
  return ApplyCommonFlags(flags.common);
}

Expected<FormatRule> UniformFormat(const QuantizeFlags& flags) {
  FormatRule rule;
  if (IsBaq(flags)) {
    const double rate = flags.baq.rate ? *flags.baq.rate : *flags.bits;
    rule.base = MixedColumns(static_cast<int>(std::lround(rate * kRateUnits)));
    return rule;
  }
  rule.base.bits = static_cast<int>(*flags.bits);
  rule.base.group_size = flags.group_size.value_or(128);
  const bool whole = flags.integer_zero_points || flags.format == "gptq";
  rule.base.zero_point_type = flags.symmetric ? ZeroPointType::kNone
                              : whole         ? ZeroPointType::kUint8
                                              : ZeroPointType::kFloat16;
  rule.fit_group_size = !flags.group_size;
  const Expected<BitFormat> mixed = WithHighRows(rule.base, flags.row_mix);
  if (!mixed) return tl::unexpected(mixed.error());
  rule.base = *mixed;
  return rule;
}

Expected<AllocationPlan> FindPlan(const QuantizeFlags& flags,
                                  const Model& model) {
  if (flags.plan) {
    Expected<AllocationPlan> plan = ReadPlan(*flags.plan);
    if (plan && flags.quantizer) plan->quantizer = *flags.quantizer;
    return plan;
  }
  const std::vector<Unit> units = MakeUnits(model, Granularity::kMatrix);
  const Expected<FormatRule> format = UniformFormat(flags);
  if (!format) return tl::unexpected(format.error());
  const auto divides = CheckGroupSize(units, *format);
  if (!divides) return tl::unexpected(divides.error());
  return MakeUniformPlan(units, *format, flags.quantizer.value_or("quanto"));
}

Expected<void> CheckTextFlags(const QuantizeFlags& flags,
                              const Quantizer& quantizer,
                              bool row_mix) {
  const bool hessian = quantizer.needs_hessian();
  const auto refuse = [](const std::vector<std::string>& given,
                         const std::string& why) -> Expected<void> {
    if (given.empty()) return {};
    return InvalidArgument(given.front() + " has no effect on " + why);
  };
  if (!hessian && !row_mix) {
    const auto fine =
        refuse(flags.text_flags,
               "quantizer '" + quantizer.name() + "', which reads no text");
    if (!fine) return fine;
  }
  if (!hessian) {
    const auto fine =
        refuse(flags.hessian_flags, "quantizer '" + quantizer.name() + "'");
    if (!fine) return fine;
  }
  return row_mix
             ? Expected<void>()
             : refuse(flags.ranking_flags, "formats whose rows have one width");
}

Expected<TokenSet> ReadText(const QuantizeFlags& flags, const Model& model) {
  const auto text =
      FindText(flags.text, "--text", flags.model, "calibration.txt");
  if (!text) return tl::unexpected(text.error());
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(flags.model);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  Expected<TokenSetOptions> options = ResolveTextFlags(flags.tokens);
  if (!options) return tl::unexpected(options.error());
  options->max_predicted = flags.calibration_tokens;
  return ReadTokenSet(*text, *tokenizer, model.config().context, *options);
}

// Empty where nothing reads text.
Expected<std::optional<TokenSet>> ReadCalibration(const QuantizeFlags& flags,
                                                  const Model& model,
                                                  const AllocationPlan& plan,
                                                  const Quantizer& quantizer) {
  const bool row_mix = HasRowMix(plan);
  const auto fine = CheckTextFlags(flags, quantizer, row_mix);
  if (!fine) return tl::unexpected(fine.error());
  if (!quantizer.needs_hessian() && !row_mix) {
    return std::optional<TokenSet>();
  }
  Expected<TokenSet> tokens = ReadText(flags, model);
  if (!tokens) return tl::unexpected(tokens.error());
  return std::optional<TokenSet>(std::move(*tokens));
}

Expected<Exit> Write(const QuantizeFlags& flags,
                     const Model& model,
                     const QuantizeRequest& request,
                     std::vector<std::string> notes) {
  const auto outcome = QuantizeFolder(request);
  if (!outcome) return tl::unexpected(outcome.error());
  notes.insert(notes.end(), outcome->notes.begin(), outcome->notes.end());
  for (const std::string& note : notes) {
    std::cerr << "bitpact: note: " << note << '\n';
  }
  std::cout << "wrote " << flags.output.string() << ": "
            << FormatCount(outcome->packed_bytes) << " bytes in "
            << request.plan.units.size() << " packed units, "
            << FormatCount(model.kept_bytes()) << " bytes kept as they are\n";
  return Exit::kDone;
}

// Both forms, and what became of every matrix.
Expected<Exit> QuantizeByBaq(const QuantizeFlags& flags,
                             const Model& model,
                             QuantizeRequest request) {
  const auto drawable = CheckBaqPlot(flags.baq, request.plan);
  if (!drawable) return tl::unexpected(drawable.error());
  std::vector<BaqOutcome> outcomes;
  BaqOptions options = BaqOptionsOf(flags.baq);
  options.damping = flags.options.damping;
  options.activation_order = flags.options.activation_order;
  options.on_matrix = [&](const BaqOutcome& outcome) {
    outcomes.push_back(outcome);
  };
  if (const auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  const auto tokens =
      ReadCalibration(flags, model, request.plan, *MakeBaqQuantizer(options));
  if (!tokens) return tl::unexpected(tokens.error());
  request.calibration = &**tokens;
  BaqPaperPlan paper;
  if (flags.baq.is_paper()) {
    auto planned =
        PlanBaqPaper(model,
                     **tokens,
                     {.rate = flags.baq.rate ? *flags.baq.rate : *flags.bits,
                      .stored = flags.baq.rate.has_value(),
                      .exponent = flags.baq.exponent.value_or(1.95),
                      .quantizer = flags.options});
    if (!planned) return tl::unexpected(planned.error());
    paper = std::move(*planned);
    options.range_levels = LevelsOf(paper);
    request.plan = paper.plan;
  }
  request.quantizer_options = OptionsText(flags.options) + " " +
                              BaqOptionsText(flags.baq, paper.reference_rate);
  const auto quantizer = MakeBaqQuantizer(options);
  request.quantizer = quantizer.get();
  auto done = Write(flags, model, request, {});
  if (!done) return done;
  const auto reported =
      ReportOnBaq(flags.baq, outcomes, std::ssize(request.plan.units));
  if (!reported) return tl::unexpected(reported.error());
  return done;
}

// Learned block by block; a finished block is not learned again.
Expected<Exit> QuantizeLearned(const QuantizeFlags& flags,
                               const Model& model,
                               QuantizeRequest request,
                               std::vector<std::string> notes) {
  if (!flags.hessian_flags.empty()) {
    return InvalidArgument(flags.hessian_flags.front() +
                           " has no effect on quantizer 'hybrid'");
  }
  LearnedRequest learned{flags.learning, flags.options.row_ranking};
  learned.options.seed = flags.common.seed;
  const Expected<void> valid = Validate(learned.options);
  if (!valid) return tl::unexpected(valid.error());
  const Expected<TokenSet> tokens = ReadText(flags, model);
  if (!tokens) return tl::unexpected(tokens.error());
  request.calibration = &*tokens;
  request.learned = &learned;
  request.quantizer_options = OptionsText(learned.options, learned.ranking);
  return Write(flags, model, request, std::move(notes));
}

Expected<Exit> Quantize(const QuantizeFlags& flags) {
  const Expected<void> valid = Validate(flags);
  if (!valid) return tl::unexpected(valid.error());
  QuantizeRequest request;
  const auto format = ParseFormat(flags.format);
  if (!format) return tl::unexpected(format.error());
  request.format = *format;
  request.output = flags.output;
  const Expected<Model> model = Model::LoadOutside(flags.model);
  if (!model) return tl::unexpected(model.error());
  request.model = &*model;
  Expected<AllocationPlan> plan = FindPlan(flags, *model);
  if (!plan) return tl::unexpected(plan.error());
  request.plan = std::move(*plan);
  std::vector<std::string> notes;
  if (request.format == FolderFormat::kGptq) {
    Expected<GptqPlan> fitting = PlanForGptq(request.plan);
    if (!fitting) return tl::unexpected(fitting.error());
    request.plan = std::move(fitting->plan);
    notes = std::move(fitting->notes);
  }
  if (request.plan.quantizer == "baq") {
    return QuantizeByBaq(flags, *model, std::move(request));
  }
  if (request.plan.quantizer == kHybridName) {
    return QuantizeLearned(flags, *model, std::move(request), std::move(notes));
  }
  if (!flags.learned_flags.empty()) {
    return InvalidArgument(flags.learned_flags.front() +
                           " has no effect on quantizer '" +
                           request.plan.quantizer + "'");
  }
  const auto quantizer = MakeQuantizer(request.plan.quantizer, flags.options);
  if (!quantizer) return tl::unexpected(quantizer.error());
  request.quantizer = quantizer->get();
  const auto tokens = ReadCalibration(flags, *model, request.plan, **quantizer);
  if (!tokens) return tl::unexpected(tokens.error());
  if (*tokens) request.calibration = &**tokens;
  if ((*quantizer)->needs_hessian()) {
    request.quantizer_options = OptionsText(flags.options);
  }
  if (HasRowMix(request.plan)) {
    request.quantizer_options += RankingText(flags.options);
  }
  return Write(flags, *model, request, std::move(notes));
}

void AddFormatFlags(CLI::App& command, QuantizeFlags& flags) {
  command.add_option("plan,--plan", flags.plan, "plan.json");
  command.add_option(
      "--bits",
      flags.bits,
      "Instead of a plan: this width everywhere, 2 to 8; baq: bits a weight, "
      "fractions too (exact: stored; paper: as it reports them)");
  AddBaqFlags(command, flags.baq);
  command.add_option("--group-size",
                     flags.group_size,
                     "With --bits: weights of a row that share a scale, a "
                     "divisor of every row's length; 0: the whole row. "
                     "Default: 128, reduced by 32 until it divides the row");
  command.add_flag("--symmetric",
                   flags.symmetric,
                   "With --bits: scales without zero-points");
  command.add_flag("--integer-zero-points",
                   flags.integer_zero_points,
                   "With --bits: zero-points that are codes, as in GPTQ "
                   "checkpoints, instead of float16 shifts");
  command
      .add_option("--format",
                  flags.format,
                  "bitpact (all widths, mapped when loaded) or gptq (a "
                  "checkpoint that other programs read; 2, 3, 4, 8 bits)")
      ->capture_default_str();
}

}  // namespace

void AddQuantizeCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<QuantizeFlags>();
  CLI::App* command = program.add_subcommand(
      "quantize",
      "Write a model with packed weights, as a plan says or all "
      "alike; interrupted work goes on where it stopped");
  command->add_option("model", flags->model, "Hugging Face folder")->required();
  AddFormatFlags(*command, *flags);
  command->add_option("--quantizer",
                      flags->quantizer,
                      "How weights become codes: one of `run`'s, or hybrid "
                      "(learned; docs/hipr.md); default: the plan's, or "
                      "quanto with --bits");
  AddQuantizerFlags(*command, flags->options);
  AddRowMixFlags(*command, flags->row_mix);
  AddRowRankingFlag(*command, flags->options);
  AddLearnedFlags(*command, flags->learning);
  command->add_option("--text",
                      flags->text,
                      "gptq, and where rows have two widths: calibration text; "
                      "default MODEL/calibration.txt");
  command
      ->add_option("--calibration-tokens",
                   flags->calibration_tokens,
                   "Predicted tokens of the calibration text")
      ->capture_default_str();
  command->add_option("-o,--output", flags->output, "Folder to write")
      ->required();
  AddTextFlags(*command, flags->tokens);
  AddCommonFlags(*command, flags->common);
  command->callback([flags, command, &outcome] {
    const auto note = [&](std::vector<std::string>& given,
                          std::initializer_list<const char*> names) {
      for (const char* name : names) {
        if (command->count(name) > 0) given.emplace_back(name);
      }
    };
    note(flags->hessian_flags, {"--damping", "--act-order"});
    note(flags->ranking_flags, {"--row-ranking"});
    note(flags->learned_flags,
         {"--iterations",
          "--batch",
          "--rounding-rate",
          "--clipping-rate",
          "--rounding-penalty",
          "--warm-up",
          "--learned-rounding",
          "--clipping-share",
          "--judge-share"});
    note(flags->text_flags, {"--text", "--calibration-tokens"});
    outcome.status = Quantize(*flags);
  });
}

}  // namespace bitpact
