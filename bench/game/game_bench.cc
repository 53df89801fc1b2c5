// SPDX-License-Identifier: Apache-2.0
// What an evaluation of the game costs: tokens and evaluations a second, and
// how much walks save over running every assignment from scratch, all in
// processor time, so that a busy machine does not count.
//
//   game_bench MODEL --text calibration.txt [--units 32] [--value kl]
//   game_bench --random-model FOLDER --layers 32 --granularity block ...
//
// The second form writes a model of random weights into FOLDER and walks over
// random tokens: for shapes that no trained model at hand has.
//
// "From scratch" is EvaluateLoss on the same packed variants, a separate path
// through the forward pass; every window's sum of every walk is compared with
// it bit for bit.

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/game/walks.h"
#include "bench/model/random_model.h"
#include "core/budget.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/threads.h"
#include "estimators/model_game.h"
#include "models/perplexity.h"
#include "models/tokenizer.h"

namespace bitpact {
namespace {

constexpr int kRandomWindow = 256;

struct Options {
  std::string model;
  std::string text;
  std::string random_model;
  RandomModelShape shape;
  std::string granularity = "matrix";
  std::string value = "nll";
  std::string memory = "2GiB";
  int units = 0;
  int threads = 1;
  int window = 0;
  int permutations = 12;
  std::int64_t tokens = 4096;
};

class Bench {
 public:
  Bench(const Options& options,
        const Model& model,
        const TokenSet& tokens,
        std::vector<Unit> units)
      : options_(options),
        model_(model),
        tokens_(tokens),
        units_(std::move(units)),
        full_(FullPrecisionWeights(model)) {}

  Expected<void> Run() {
    const auto variants =
        UnitVariants::Create(model_, units_, formats_, *quantizer_, tokens_);
    if (!variants) return tl::unexpected(variants.error());
    variants_ = &*variants;
    std::printf(
        "%zu units, %zu windows, %s predicted tokens, %d thread(s), "
        "variants %s bytes\n",
        units_.size(),
        tokens_.windows.size(),
        FormatCount(tokens_.predicted).c_str(),
        ThreadCount(),
        FormatCount(variants->bytes()).c_str());
    std::vector<int> order(units_.size());
    std::iota(order.begin(), order.end(), 0);
    std::vector<FormatAssignment> forward;
    AddWalk(order, forward);
    std::vector<FormatAssignment> one;
    RandomStream random(1, "bench/game");
    random.Shuffle(order);
    AddWalk(order, one);
    std::vector<FormatAssignment> many;
    for (int i = 0; i < options_.permutations; i += 2) {
      random.Shuffle(order);
      AddWalk(order, many);
      std::reverse(order.begin(), order.end());
      AddWalk(order, many);
    }
    for (const auto& [name, asked] : {std::pair{"layers' order", &forward},
                                      std::pair{"one random order", &one},
                                      std::pair{"antithetic orders", &many}}) {
      for (const bool together : {true, false}) {
        const Expected<void> done = Compare(name, *asked, together);
        if (!done) return done;
      }
    }
    return {};
  }

 private:
  // Distinct assignments only: the memory of estimators answers the rest.
  Expected<void> Compare(const std::string& name,
                         std::vector<FormatAssignment> asked,
                         bool together) {
    if (together) {
      std::ranges::sort(asked);
    }
    std::vector<FormatAssignment> distinct;
    for (const FormatAssignment& assignment : asked) {
      if (std::ranges::count(distinct, assignment) == 0) {
        distinct.push_back(assignment);
      }
    }
    ModelGameOptions how;
    how.loss = *ParseLossKind(options_.value);
    how.memory_bytes =
        static_cast<std::int64_t>(ParseBudget(options_.memory)->value);
    const auto game =
        ModelGame::Create(model_, units_, formats_, *quantizer_, tokens_, how);
    if (!game) return tl::unexpected(game.error());
    const double start = ProcessorSeconds();
    std::vector<Evaluation> values;
    const std::size_t step = together ? distinct.size() : 1;
    for (std::size_t i = 0; i < distinct.size(); i += step) {
      const auto some = (*game)->Evaluate(std::span(distinct).subspan(i, step));
      values.insert(values.end(), some->begin(), some->end());
    }
    const double shared = ProcessorSeconds() - start;
    const double scratch = FromScratch(distinct, how.loss, values);
    const auto count = static_cast<double>(distinct.size());
    std::printf(
        "%-18s %-11s %5zu evaluations  %8.1f evaluations/s  scratch %8.1f  "
        "%5.2fx (stages %.2fx)  from scratch %s tokens/s; %s\n",
        name.c_str(),
        together ? "at once" : "one by one",
        distinct.size(),
        count / shared,
        count / scratch,
        scratch / shared,
        static_cast<double>((*game)->stages_asked()) /
            static_cast<double>((*game)->stages_run()),
        FormatCount(
            static_cast<std::int64_t>(
                count * static_cast<double>(tokens_.predicted) / scratch))
            .c_str(),
        MemoryPlanText((*game)->memory_plan()).c_str());
    return {};
  }

  // Processor seconds; aborts on a sum that differs.
  double FromScratch(const std::vector<FormatAssignment>& asked,
                     LossKind loss,
                     const std::vector<Evaluation>& values) {
    double seconds = 0.0;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      WeightSet weights = full_;
      for (std::size_t u = 0; u < units_.size(); ++u) {
        for (const int place : variants_->places(u)) {
          weights[static_cast<std::size_t>(place)] =
              LinearWeight(variants_->packed(asked[i][u], place));
        }
      }
      const double start = ProcessorSeconds();
      const LossReport report = EvaluateLoss(
          model_, weights, tokens_, loss == LossKind::kKl ? &full_ : nullptr);
      seconds += ProcessorSeconds() - start;
      const auto& sums =
          loss == LossKind::kKl ? report.window_kl : report.window_nll;
      if (sums != values[i].window_loss) {
        std::cerr << "assignment " << AssignmentText(asked[i])
                  << ": shared and from scratch differ\n";
        std::exit(1);
      }
    }
    return seconds;
  }

  const Options& options_;
  const Model& model_;
  const TokenSet& tokens_;
  std::vector<Unit> units_;
  WeightSet full_;
  const UnitVariants* variants_ = nullptr;
  std::vector<FormatRule> formats_ = {{{.bits = 4, .group_size = 32}, true},
                                      {{.bits = 2, .group_size = 32}, true}};
  std::unique_ptr<Quantizer> quantizer_ = *MakeQuantizer("quanto");
};

Expected<TokenSet> ReadText(const Options& options, const Model& model) {
  const Expected<Tokenizer> tokenizer = Tokenizer::Load(options.model);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  TokenSetOptions how;
  how.max_predicted = options.tokens;
  how.window = options.window;
  return ReadTokenSet(options.text, *tokenizer, model.config().context, how);
}

TokenSet MakeRandomText(const Options& options) {
  const int window = options.window > 0 ? options.window : kRandomWindow;
  RandomStream random(1, "bench/game/text");
  TokenSet set;
  while (set.predicted < options.tokens) {
    TokenWindow made;
    for (int t = 0; t <= window; ++t) {
      made.tokens.push_back(
          static_cast<int>(random.UniformInt(options.shape.vocab)));
    }
    set.predicted += made.predicted();
    set.windows.push_back(std::move(made));
  }
  return set;
}

Expected<void> RunBench(const Options& options) {
  const bool is_random = !options.random_model.empty();
  if (is_random) {
    const auto written = WriteRandomModel(options.shape, options.random_model);
    if (!written) return written;
  }
  const Expected<Model> model =
      Model::Load(is_random ? options.random_model : options.model);
  if (!model) return tl::unexpected(model.error());
  const Expected<TokenSet> tokens =
      is_random ? MakeRandomText(options) : ReadText(options, *model);
  if (!tokens) return tl::unexpected(tokens.error());
  const Expected<LossKind> loss = ParseLossKind(options.value);
  if (!loss) return tl::unexpected(loss.error());
  const Expected<Budget> memory = ParseBudget(options.memory);
  if (!memory) return tl::unexpected(memory.error());
  std::vector<Unit> units =
      MakeUnits(*model,
                options.granularity == "block" ? Granularity::kBlock
                                               : Granularity::kMatrix);
  if (options.units > 0 && options.units < static_cast<int>(units.size())) {
    units.resize(static_cast<std::size_t>(options.units));
  }
  return Bench(options, *model, *tokens, std::move(units)).Run();
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("What an evaluation of the game costs", "game_bench");
  app.add_option("model", options.model, "Hugging Face folder");
  app.add_option("--text", options.text, "Calibration text");
  app.add_option("--random-model", options.random_model, "Instead of both");
  AddShapeFlags(app, options.shape);
  app.add_option("--granularity", options.granularity, "block or matrix")
      ->capture_default_str();
  app.add_option("--value", options.value, "nll or kl")->capture_default_str();
  app.add_option("--game-memory", options.memory, "Bound on activations")
      ->capture_default_str();
  app.add_option("--units", options.units, "The first so many; 0: all")
      ->capture_default_str();
  app.add_option("--window", options.window, "Predicted tokens of a window")
      ->capture_default_str();
  app.add_option("--tokens", options.tokens, "Predicted tokens")
      ->capture_default_str();
  app.add_option("--permutations", options.permutations, "Orders, in pairs")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  SetThreadCount(options.threads);
  Progress::SetEnabled(false);
  const Expected<void> done = RunBench(options);
  if (done) return 0;
  std::cerr << "game_bench: " << done.error().message << '\n';
  return 1;
}

}  // namespace
}  // namespace bitpact

int main(int argc, char** argv) { return bitpact::Main(argc, argv); }
