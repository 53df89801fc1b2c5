// SPDX-License-Identifier: Apache-2.0
// How far Shapley values from little work are from the truth: the paper's
// design (independent orders, all played on the same tokens) against ours
// (every document an antithetic pair of orders of its own), by
// token-evaluations (tokens times coalitions played on them).
//
//   shapley_bench MODEL --text valid.txt
//
// Truth: per-window pairs on --truth-tokens from the front of the text. Every
// estimate plays on documents of its own behind those, so that it shares no
// text with the truth, and the error holds both noises, that of the orders and
// that of the text. The truth's own standard error is printed; it adds to every
// estimate's error.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/game/walks.h"
#include "core/budget.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/threads.h"
#include "estimators/counting_game.h"
#include "estimators/model_game.h"
#include "estimators/spqe.h"
#include "models/tokenizer.h"

namespace bitpact {
namespace {

struct Options {
  std::string model;
  std::string text;
  std::int64_t truth_tokens = 131072;
  std::int64_t naive_tokens = 1024;
  int naive_orders = 100;
  int repeats = 5;
  std::uint64_t seed = 1;
  int threads = 0;
};

struct Measured {
  std::vector<double> values;  // [unit], nats per token
  double token_evaluations = 0.0;
  double seconds = 0.0;
  double standard_error = 0.0;  // of the vector, as a share; 0: not known
};

double Norm(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

// Distance as a share of the truth's length.
double ErrorOf(const Measured& measured, const Measured& truth) {
  std::vector<double> difference;
  for (std::size_t u = 0; u < truth.values.size(); ++u) {
    difference.push_back(measured.values[u] - truth.values[u]);
  }
  return Norm(difference) / Norm(truth.values);
}

double Mean(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

class Bench {
 public:
  Bench(const Options& options, const Model& model, const TokenSet& text)
      : options_(options),
        model_(model),
        text_(text),
        units_(MakeUnits(model, Granularity::kMatrix)) {}

  Expected<void> Run() {
    const auto truth = PerWindow(options_.truth_tokens, 1, 2);
    if (!truth) return tl::unexpected(truth.error());
    Print("truth", *truth);
    std::printf("  length %.4f nats, own standard error %.2f%%\n",
                Norm(truth->values),
                100.0 * truth->standard_error);
    const double naive_cost = static_cast<double>(options_.naive_tokens) *
                              (static_cast<double>(options_.naive_orders) *
                                   static_cast<double>(units_.size() - 1) +
                               2.0);
    const double per_token = 2.0 * static_cast<double>(units_.size() - 1) + 2.0;
    const auto tokens_at = [&](double share) {
      return static_cast<std::int64_t>(share * naive_cost / per_token);
    };
    for (int repeat = 0; repeat < options_.repeats; ++repeat) {
      const auto naive = Naive(options_.naive_tokens, options_.naive_orders);
      if (!naive) return tl::unexpected(naive.error());
      Add("independent orders, the same tokens", *naive, *truth);
      for (const int parts : {10, 20, 40}) {
        const auto ours =
            PerWindow(tokens_at(1.0 / parts),
                      options_.seed + 1 + static_cast<std::uint64_t>(repeat),
                      2);
        if (!ours) return tl::unexpected(ours.error());
        Add("own pair a document, 1/" + std::to_string(parts), *ours, *truth);
      }
    }
    for (const Row& row : rows_) {
      std::printf(
          "%-38s %6.2f%% (%.2f%% to %.2f%%)  %10.0f token-evaluations  %6.2f s "
          "of processor\n",
          row.name.c_str(),
          100.0 * Mean(row.errors),
          100.0 * std::ranges::min(row.errors),
          100.0 * std::ranges::max(row.errors),
          Mean(row.token_evaluations),
          Mean(row.seconds));
    }
    return {};
  }

 private:
  struct Row {
    std::string name;
    std::vector<double> errors;
    std::vector<double> token_evaluations;
    std::vector<double> seconds;
  };

  void Print(const std::string& name, const Measured& measured) const {
    std::printf("%s: %zu units, %.0f token-evaluations, %.1f s of processor\n",
                name.c_str(),
                units_.size(),
                measured.token_evaluations,
                measured.seconds);
    std::fflush(stdout);
  }

  void Add(const std::string& name,
           const Measured& measured,
           const Measured& truth) {
    auto row = std::ranges::find(rows_, name, &Row::name);
    if (row == rows_.end()) row = rows_.insert(rows_.end(), {name, {}, {}, {}});
    row->errors.push_back(ErrorOf(measured, truth));
    row->token_evaluations.push_back(measured.token_evaluations);
    row->seconds.push_back(measured.seconds);
  }

  // The next documents of the text, at least so many predicted tokens.
  Expected<TokenSet> Take(std::int64_t tokens) {
    std::vector<int> windows;
    for (std::int64_t taken = 0; taken < tokens; ++next_) {
      if (next_ == text_.windows.size()) {
        return InvalidArgument("--text: too short for all repeats");
      }
      windows.push_back(static_cast<int>(next_));
      taken += text_.windows[next_].predicted();
    }
    return TakeWindows(text_, windows);
  }

  // Every document walks orders of its own.
  Expected<Measured> PerWindow(std::int64_t tokens,
                               std::uint64_t seed,
                               int orders) {
    const auto part = Take(tokens);
    if (!part) return tl::unexpected(part.error());
    auto game = ModelGame::Create(model_, units_, formats_, *quantizer_, *part);
    if (!game) return tl::unexpected(game.error());
    CountingGame counted(**game);
    SpqeOptions options;
    options.permutations = orders;
    options.orders = OrderDesign::kPerWindow;
    options.seed = seed;
    const double start = ProcessorSeconds();
    const auto samples = SampleMarginals(counted, options);
    if (!samples) return tl::unexpected(samples.error());
    return Measured{
        samples->mean,
        counted.evaluations() * static_cast<double>(part->predicted),
        ProcessorSeconds() - start,
        Norm(samples->data_error) / Norm(samples->mean)};
  }

  // CoopQ's eqs. 4-6: independent orders, each on all tokens.
  Expected<Measured> Naive(std::int64_t tokens, int orders) {
    const auto part = Take(tokens);
    if (!part) return tl::unexpected(part.error());
    auto game = ModelGame::Create(model_, units_, formats_, *quantizer_, *part);
    if (!game) return tl::unexpected(game.error());
    CountingGame counted(**game);
    RandomStream random(options_.seed, "bench/shapley", next_);
    const auto count = static_cast<int>(units_.size());
    Measured measured;
    measured.values.assign(units_.size(), 0.0);
    const double start = ProcessorSeconds();
    for (int m = 0; m < orders; ++m) {
      const std::vector<int> order = random.Permutation(count);
      std::vector<FormatAssignment> walk = {FormatAssignment(units_.size(), 0)};
      for (const int unit : order) {
        walk.push_back(walk.back());
        walk.back()[static_cast<std::size_t>(unit)] = 1;
      }
      const auto values = counted.Evaluate(walk);
      if (!values) return tl::unexpected(values.error());
      for (std::size_t i = 0; i < order.size(); ++i) {
        measured.values[static_cast<std::size_t>(order[i])] +=
            ((*values)[i + 1].loss - (*values)[i].loss) / orders;
      }
    }
    measured.seconds = ProcessorSeconds() - start;
    measured.token_evaluations =
        counted.evaluations() * static_cast<double>(part->predicted);
    return measured;
  }

  const Options& options_;
  const Model& model_;
  const TokenSet& text_;
  std::vector<Unit> units_;
  std::size_t next_ = 0;
  std::vector<Row> rows_;
  std::vector<FormatRule> formats_ = {{{.bits = 4, .group_size = 32}, true},
                                      {{.bits = 2, .group_size = 32}, true}};
  std::unique_ptr<Quantizer> quantizer_ = *MakeQuantizer("quanto");
};

Expected<void> RunBench(const Options& options) {
  const Expected<Model> model = Model::Load(options.model);
  if (!model) return tl::unexpected(model.error());
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(options.model);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  const Expected<TokenSet> text =
      ReadTokenSet(options.text, *tokenizer, model->config().context, {});
  if (!text) return tl::unexpected(text.error());
  return Bench(options, *model, *text).Run();
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Shapley values at a tenth of the work", "shapley_bench");
  app.add_option("model", options.model, "Hugging Face folder")->required();
  app.add_option("--text", options.text, "Documents, many")->required();
  app.add_option("--truth-tokens", options.truth_tokens)->capture_default_str();
  app.add_option("--naive-tokens", options.naive_tokens)->capture_default_str();
  app.add_option("--naive-orders", options.naive_orders)->capture_default_str();
  app.add_option("--repeats", options.repeats)->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("--threads", options.threads)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  SetThreadCount(options.threads);
  Progress::SetEnabled(false);
  const Expected<void> done = RunBench(options);
  if (done) return 0;
  std::cerr << "shapley_bench: " << done.error().message << '\n';
  return 1;
}

}  // namespace
}  // namespace bitpact

int main(int argc, char** argv) { return bitpact::Main(argc, argv); }
