// SPDX-License-Identifier: Apache-2.0
// `bitpact eval`: perplexity of a model, quantized or not, and its KL
// divergence to a reference.

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "cli/report.h"
#include "cli/text_table.h"
#include "core/json_file.h"
#include "models/gptq_checkpoint.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct EvalFlags {
  fs::path model;
  std::optional<fs::path> eval;
  std::optional<fs::path> reference;
  std::optional<fs::path> json;
  std::optional<fs::path> against;
  std::int64_t eval_tokens = 0;
  CommonFlags common;
  TextFlags tokens;
};

// A model in either form. Not copied or moved once made: weights refer to it.
struct Subject {
  std::optional<Model> plain;
  std::optional<QuantizedCheckpoint> quantized;
  WeightSet weights;
  [[nodiscard]] const Model& model() const {
    return plain ? *plain : quantized->model;
  }
};

Expected<std::unique_ptr<Subject>> LoadSubject(const fs::path& folder) {
  auto subject = std::make_unique<Subject>();
  const bool gptq = IsGptqFolder(folder);
  if (gptq || QuantizedCheckpoint::IsOne(folder)) {
    Expected<QuantizedCheckpoint> loaded =
        gptq ? LoadGptqFolder(folder) : QuantizedCheckpoint::Load(folder);
    if (!loaded) return tl::unexpected(loaded.error());
    subject->quantized.emplace(std::move(*loaded));
    subject->weights = subject->quantized->quantized.weights();
    return subject;
  }
  Expected<Model> loaded = Model::Load(folder);
  if (!loaded) return tl::unexpected(loaded.error());
  subject->plain.emplace(std::move(*loaded));
  subject->weights = FullPrecisionWeights(*subject->plain);
  return subject;
}

// Both run with one embedding, head and norms, so these must be the same.
bool SameOutsideBlocks(const Model& a, const Model& b) {
  if (a.config().num_layers != b.config().num_layers ||
      a.config().hidden_size != b.config().hidden_size ||
      a.config().intermediate_size != b.config().intermediate_size ||
      a.config().num_kv_heads != b.config().num_kv_heads) {
    return false;
  }
  const auto same = [](std::span<const float> x, std::span<const float> y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end());
  };
  bool equal = same(a.embedding(), b.embedding()) && same(a.head(), b.head()) &&
               same(a.final_norm(), b.final_norm());
  for (int layer = 0; equal && layer < a.config().num_layers; ++layer) {
    equal = same(a.attention_norm(layer), b.attention_norm(layer)) &&
            same(a.mlp_norm(layer), b.mlp_norm(layer));
  }
  return equal;
}

constexpr const char* kEvaluationFormat = "bitpact.evaluation";
constexpr int kEvaluationVersion = 1;

Expected<void> WriteEvaluation(const fs::path& file,
                               const std::string& model,
                               const TokenSet& tokens,
                               const LossReport& loss) {
  return WriteJsonFile(
      file,
      {.format = kEvaluationFormat,
       .version = kEvaluationVersion,
       .tool_version = {},
       .seed = {},
       .inputs = {{"model", model}, {"tokens", tokens.fingerprint}}},
      {{"windows", loss.windows},
       {"predicted_tokens", loss.predicted_tokens},
       {"text", tokens.description},
       {"nll_nats", loss.nll.mean},
       {"nll_standard_error", loss.nll.standard_error},
       {"perplexity", loss.perplexity.mean},
       {"perplexity_standard_error", loss.perplexity.standard_error},
       {"kl_nats", loss.kl.mean},
       {"kl_standard_error", loss.kl.standard_error},
       {"window_nll_nats", loss.window_nll}});
}

// Sums of each window, of another evaluation of the same text.
Expected<std::vector<double>> ReadWindowLosses(const fs::path& file,
                                               const TokenSet& tokens) {
  const auto other =
      JsonFile::Read(file, kEvaluationFormat, kEvaluationVersion);
  if (!other) return tl::unexpected(other.error());
  const auto text = other->header().inputs.find("tokens");
  if (text == other->header().inputs.end() ||
      text->second != tokens.fingerprint) {
    return InvalidArgument("--against " + file.string() +
                           ": inputs.tokens: made from another text, or from "
                           "windows cut otherwise");
  }
  auto sums = other->root().Numbers("window_nll_nats");
  if (sums && sums->size() != tokens.windows.size()) {
    return InvalidArgument(
        file.string() + ": window_nll_nats: " + std::to_string(sums->size()) +
        " windows where the text has " + std::to_string(tokens.windows.size()));
  }
  return sums;
}

Expected<Exit> Evaluate(const EvalFlags& flags) {
  Expected<void> done = ApplyCommonFlags(flags.common);
  if (!done) return tl::unexpected(done.error());
  if (flags.eval_tokens < 0) {
    return InvalidArgument(
        "--eval-tokens = " + std::to_string(flags.eval_tokens) +
        " violates --eval-tokens >= 0");
  }
  const auto subject = LoadSubject(flags.model);
  if (!subject) return tl::unexpected(subject.error());
  const Model& model = (*subject)->model();
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(flags.model);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  const auto text =
      FindText(flags.eval, "--eval", flags.model, "evaluation.txt");
  if (!text) return tl::unexpected(text.error());
  Expected<TokenSetOptions> options = ResolveTextFlags(flags.tokens);
  if (!options) return tl::unexpected(options.error());
  options->max_predicted = flags.eval_tokens;
  const Expected<TokenSet> tokens =
      ReadTokenSet(*text, *tokenizer, model.config().context, *options);
  if (!tokens) return tl::unexpected(tokens.error());

  std::vector<double> others;
  if (flags.against) {
    auto read = ReadWindowLosses(*flags.against, *tokens);
    if (!read) return tl::unexpected(read.error());
    others = std::move(*read);
  }
  std::optional<Model> reference;
  WeightSet reference_weights;
  if (flags.reference) {
    Expected<Model> loaded = Model::Load(*flags.reference);
    if (!loaded) return tl::unexpected(loaded.error());
    if (!SameOutsideBlocks(model, *loaded)) {
      return InvalidArgument(
          "--reference " + flags.reference->string() + " differs from " +
          flags.model.string() +
          " outside the linear matrices (shapes, embedding, head or norms)");
    }
    reference.emplace(std::move(*loaded));
    reference_weights = FullPrecisionWeights(*reference);
  }
  const LossReport loss =
      EvaluateLoss(model,
                   (*subject)->weights,
                   *tokens,
                   reference ? &reference_weights : nullptr);
  std::cout << text->string() << " (" << tokens->description << ")\nnll "
            << FormatEstimate(loss.nll, 5) << " nats/token, perplexity "
            << FormatEstimate(loss.perplexity, 4);
  if (reference) {
    std::cout << ", KL to reference " << FormatEstimate(loss.kl, 5);
  }
  std::cout << "\n";
  if (flags.against) {
    std::vector<double> counts;
    for (const TokenWindow& window : tokens->windows) {
      counts.push_back(static_cast<double>(window.predicted()));
    }
    std::cout << "nll over " << flags.against->string() << ": "
              << FormatEstimate(
                     PairedDifference(loss.window_nll, others, counts), 5)
              << " nats/token, paired by window\n";
  }
  if (flags.json) {
    done = WriteEvaluation(*flags.json, model.fingerprint(), *tokens, loss);
    if (!done) return tl::unexpected(done.error());
  }
  return Exit::kDone;
}

}  // namespace

void AddEvalCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<EvalFlags>();
  CLI::App* command = program.add_subcommand(
      "eval", "Perplexity of a model, quantized or not, with standard error");
  command
      ->add_option("model",
                   flags->model,
                   "Hugging Face folder, a folder that bitpact quantized or "
                   "a GPTQ checkpoint")
      ->required();
  command->add_option(
      "--eval", flags->eval, "Text; default MODEL/evaluation.txt");
  command->add_option("--reference",
                      flags->reference,
                      "Full-precision folder for the KL divergence");
  command
      ->add_option(
          "--eval-tokens", flags->eval_tokens, "Predicted tokens; 0: all")
      ->capture_default_str();
  command->add_option("--json", flags->json, "Also write the figures here");
  command->add_option("--against",
                      flags->against,
                      "What --json wrote for another model and the same text: "
                      "prints the difference, paired by window");
  AddTextFlags(*command, flags->tokens);
  AddCommonFlags(*command, flags->common);
  command->callback([flags, &outcome] { outcome.status = Evaluate(*flags); });
}

}  // namespace bitpact
