// SPDX-License-Identifier: Apache-2.0
// Quantized folders beside one another on one text: stored bytes of the linear
// matrices, bits a weight, perplexity with its standard error, and the
// difference of the mean nll to the first folder's on the same windows with the
// standard error of the paired difference.
//
//   folders_bench FOLDER... --eval valid.txt

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "core/progress.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "models/tokenizer.h"

namespace bitpact {
namespace {

struct Options {
  std::vector<std::string> folders;
  std::string eval;
  std::int64_t eval_tokens = 20000;
};

Expected<LossReport> Measure(const std::string& folder,
                             const Options& options,
                             std::vector<double>& counts,
                             AllocationPlan& plan) {
  const auto loaded = QuantizedCheckpoint::Load(folder);
  if (!loaded) return tl::unexpected(loaded.error());
  const auto tokenizer = Tokenizer::Load(folder);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  TokenSetOptions set;
  set.max_predicted = options.eval_tokens;
  const auto tokens = ReadTokenSet(
      options.eval, *tokenizer, loaded->model.config().context, set);
  if (!tokens) return tl::unexpected(tokens.error());
  counts.clear();
  for (const TokenWindow& window : tokens->windows) {
    counts.push_back(static_cast<double>(window.predicted()));
  }
  plan = loaded->quantized.plan();
  return EvaluateLoss(loaded->model, loaded->quantized.weights(), *tokens);
}

int Run(const Options& options) {
  Progress::SetEnabled(false);
  std::printf("%-34s %10s %7s %20s %24s\n",
              "folder",
              "bytes",
              "bits",
              "perplexity",
              "nll - first's, nats");
  LossReport first;
  for (const std::string& folder : options.folders) {
    std::vector<double> counts;
    AllocationPlan plan;
    const auto loss = Measure(folder, options, counts, plan);
    if (!loss) {
      std::cerr << folder << ": " << loss.error().message << '\n';
      return 2;
    }
    if (first.window_nll.empty()) first = *loss;
    std::vector<double> sums = loss->window_nll;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] -= first.window_nll[i];
    }
    const RatioEstimate difference = EstimateRatio(sums, counts);
    std::printf("%-34s %10lld %7.3f %10.3f +- %6.3f %+12.4f +- %6.4f\n",
                folder.c_str(),
                static_cast<long long>(plan.size_bytes),
                plan.bits_per_weight(),
                loss->perplexity.mean,
                loss->perplexity.standard_error,
                difference.mean,
                difference.standard_error);
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Quantized folders beside one another", "folders_bench");
  Options options;
  app.add_option("folders", options.folders, "Folders of bitpact quantize")
      ->required();
  app.add_option("--eval", options.eval, "Text")->required();
  app.add_option("--eval-tokens", options.eval_tokens, "Predicted tokens")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return Run(options);
}

}  // namespace
}  // namespace bitpact

int main(int argc, char** argv) { return bitpact::Main(argc, argv); }
