// SPDX-License-Identifier: Apache-2.0
// The quality table of the quantizers: every quantizer, width and group size on
// one model, with true bits per weight (scales and zero-points included),
// perplexity with its standard error, the difference to round-to-nearest on the
// same windows, and seconds.
//
//   quantizer_bench MODEL --text calibration.txt --eval valid.txt

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "core/progress.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "models/tokenizer.h"

namespace bitpact {
namespace {

struct Options {
  std::string model;
  std::string text;
  std::string eval;
  std::vector<int> bits = {2, 3, 4};
  std::vector<int> groups = {32, 64};
  std::int64_t calibration_tokens = 16384;
  std::int64_t eval_tokens = 20000;
  bool integer_zero_points = false;
};

double Seconds(std::chrono::steady_clock::duration span) {
  return std::chrono::duration<double>(span).count();
}

// Mean difference of nll over the windows that both saw, with its standard
// error: windows differ far more from each other than quantizers do.
RatioEstimate PairedDifference(const LossReport& a,
                               const LossReport& b,
                               const std::vector<double>& counts) {
  std::vector<double> sums(a.window_nll.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i] = a.window_nll[i] - b.window_nll[i];
  }
  return EstimateRatio(sums, counts);
}

class Table {
 public:
  Table(const Options& options,
        const Model& model,
        TokenSet calibration,
        TokenSet evaluation)
      : options_(options),
        model_(model),
        calibration_(std::move(calibration)),
        evaluation_(std::move(evaluation)) {
    for (const TokenWindow& window : evaluation_.windows) {
      counts_.push_back(static_cast<double>(window.predicted()));
    }
  }

  Expected<void> Print() {
    const LossReport full =
        EvaluateLoss(model_, FullPrecisionWeights(model_), evaluation_);
    std::printf(
        "%s: calibration %lld tokens, evaluation %lld tokens in %lld "
        "windows\n",
        options_.model.c_str(),
        static_cast<long long>(calibration_.predicted),
        static_cast<long long>(full.predicted_tokens),
        static_cast<long long>(full.windows));
    std::printf(
        "bits group quantizer  bits/weight        perplexity  "
        "nll - quanto's, nats  quantize, s\n");
    std::printf("full precision              %11.3f +- %.3f\n",
                full.perplexity.mean,
                full.perplexity.standard_error);
    for (const int bits : options_.bits) {
      for (const int group : options_.groups) {
        const Expected<void> done = PrintFormat(bits, group);
        if (!done) return done;
      }
    }
    return {};
  }

 private:
  Expected<void> PrintFormat(int bits, int group) {
    FormatRule rule{{.bits = bits, .group_size = group}, true};
    if (options_.integer_zero_points) {
      rule.base.zero_point_type = ZeroPointType::kUint8;
    }
    LossReport first;
    for (const std::string& name : QuantizerNames()) {
      if (name == "baq") continue;  // no format of one width
      const AllocationPlan plan =
          MakeUniformPlan(MakeUnits(model_, Granularity::kMatrix), rule, name);
      const auto quantizer = MakeQuantizer(name);
      if (!quantizer) return tl::unexpected(quantizer.error());
      const auto start = std::chrono::steady_clock::now();
      const auto made =
          QuantizedModel::Make(model_, plan, **quantizer, &calibration_);
      if (!made) return tl::unexpected(made.error());
      const double seconds = Seconds(std::chrono::steady_clock::now() - start);
      const LossReport loss =
          EvaluateLoss(model_, made->weights(), evaluation_);
      if (first.windows == 0) first = loss;
      const RatioEstimate paired = PairedDifference(loss, first, counts_);
      std::printf(
          "%4d %5d %-9s  %11.3f %11.3f +- %.3f  %+9.4f +- %.4f  %11.3f\n",
          bits,
          group,
          name.c_str(),
          plan.bits_per_weight(),
          loss.perplexity.mean,
          loss.perplexity.standard_error,
          paired.mean,
          paired.standard_error,
          seconds);
      std::fflush(stdout);
    }
    return {};
  }

  const Options& options_;
  const Model& model_;
  TokenSet calibration_;
  TokenSet evaluation_;
  std::vector<double> counts_;
};

Expected<void> Run(const Options& options) {
  Progress::SetEnabled(false);
  const Expected<Model> model = Model::Load(options.model);
  if (!model) return tl::unexpected(model.error());
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(options.model);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  const int context = model->config().context;
  TokenSetOptions how;
  how.max_predicted = options.calibration_tokens;
  Expected<TokenSet> calibration =
      ReadTokenSet(options.text, *tokenizer, context, how);
  if (!calibration) return tl::unexpected(calibration.error());
  how.max_predicted = options.eval_tokens;
  Expected<TokenSet> evaluation =
      ReadTokenSet(options.eval, *tokenizer, context, how);
  if (!evaluation) return tl::unexpected(evaluation.error());
  return Table(options, *model, std::move(*calibration), std::move(*evaluation))
      .Print();
}

}  // namespace
}  // namespace bitpact

int main(int argc, char** argv) {
  bitpact::Options options;
  CLI::App app("Perplexity and bits of every quantizer on one model");
  app.add_option("model", options.model, "Hugging Face folder")->required();
  app.add_option("--text", options.text, "Calibration text")->required();
  app.add_option("--eval", options.eval, "Evaluation text")->required();
  app.add_option("--bits", options.bits)->delimiter(',');
  app.add_option("--group-size",
                 options.groups,
                 "Reduced by 32 for a matrix until it divides the row")
      ->delimiter(',');
  app.add_option("--calibration-tokens", options.calibration_tokens);
  app.add_option("--eval-tokens", options.eval_tokens);
  app.add_flag("--integer-zero-points", options.integer_zero_points);
  CLI11_PARSE(app, argc, argv);
  const auto done = bitpact::Run(options);
  if (done) return 0;
  std::cerr << "quantizer_bench: " << done.error().message << '\n';
  return 2;
}
