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
#include "cli/text_table.h"
#include "core/allocation_plan.h"
#include "core/budget.h"
#include "models/baq_paper.h"
#include "models/gptq_checkpoint.h"
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
  std::optional<std::string> quantizer;
  QuantizerOptions options;
  std::optional<fs::path> text;
  std::int64_t calibration_tokens = 16384;
  std::string format = "bitpact";
  fs::path output;
  CommonFlags common;
  TextFlags tokens;
  // Flags that only mean something to quantizers that read text, as given.
  std::vector<std::string> hessian_flags;
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
  if (flags.group_size || flags.symmetric || flags.integer_zero_points) {
    return InvalidArgument(
        "--group-size, --symmetric and --integer-zero-points have no effect "
        "on quantizer 'baq'");
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
  if (flags.plan &&
      (flags.group_size || flags.symmetric || flags.integer_zero_points)) {
    return InvalidArgument(
        "--group-size, --symmetric and --integer-zero-points go with --bits; a "
        "plan states its formats");
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

FormatRule UniformFormat(const QuantizeFlags& flags) {
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
  const FormatRule format = UniformFormat(flags);
  const auto divides = CheckGroupSize(units, format);
  if (!divides) return tl::unexpected(divides.error());
  return MakeUniformPlan(units, format, flags.quantizer.value_or("quanto"));
}

// Empty for quantizers that read no text.
Expected<std::optional<TokenSet>> ReadCalibration(const QuantizeFlags& flags,
                                                  const Model& model,
                                                  const Quantizer& quantizer) {
  if (!quantizer.needs_hessian()) {
    if (flags.hessian_flags.empty()) return std::optional<TokenSet>();
    return InvalidArgument(flags.hessian_flags.front() +
                           " has no effect on quantizer '" + quantizer.name() +
                           "', which reads no text");
  }
  const auto text =
      FindText(flags.text, "--text", flags.model, "calibration.txt");
  if (!text) return tl::unexpected(text.error());
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(flags.model);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  Expected<TokenSetOptions> options = ResolveTextFlags(flags.tokens);
  if (!options) return tl::unexpected(options.error());
  options->max_predicted = flags.calibration_tokens;
  Expected<TokenSet> tokens =
      ReadTokenSet(*text, *tokenizer, model.config().context, *options);
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
  const auto tokens = ReadCalibration(flags, model, *MakeBaqQuantizer(options));
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
  const auto quantizer = MakeQuantizer(request.plan.quantizer, flags.options);
  if (!quantizer) return tl::unexpected(quantizer.error());
  request.quantizer = quantizer->get();
  const auto tokens = ReadCalibration(flags, *model, **quantizer);
  if (!tokens) return tl::unexpected(tokens.error());
  if (*tokens) {
    request.calibration = &**tokens;
    request.quantizer_options = OptionsText(flags.options);
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
                      "How weights become codes; default: the plan's, or "
                      "quanto with --bits");
  AddQuantizerFlags(*command, flags->options);
  command->add_option("--text",
                      flags->text,
                      "gptq: calibration text; default MODEL/calibration.txt");
  command
      ->add_option("--calibration-tokens",
                   flags->calibration_tokens,
                   "gptq: predicted tokens of the calibration text")
      ->capture_default_str();
  command->add_option("-o,--output", flags->output, "Folder to write")
      ->required();
  AddTextFlags(*command, flags->tokens);
  AddCommonFlags(*command, flags->common);
  command->callback([flags, command, &outcome] {
    for (const char* name :
         {"--text", "--calibration-tokens", "--damping", "--act-order"}) {
      if (command->count(name) > 0) flags->hessian_flags.emplace_back(name);
    }
    outcome.status = Quantize(*flags);
  });
}

}  // namespace bitpact
