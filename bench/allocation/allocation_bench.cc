// SPDX-License-Identifier: Apache-2.0
// Methods x budgets x quantizers at equal true bytes on one model: held-out
// perplexity with its standard error, evaluations and seconds of every plan,
// and the cells in which "plan" (estimate, pool, measured swaps, judge: what
// `bitpact run` does) is best, within one standard error of the best, or worse.
//
//   allocation_bench MODEL --text calibration.txt --eval valid.txt
//
// Budget b between the widths low and high means, as in CoopQ's eq. 14, the
// bytes B_low + (b - low) / (high - low) (B_high - B_low), scales and
// zero-points included. Every plan is made from its bytes and run; nothing is
// read off a surrogate. Evaluations are passes over the calibration tokens.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include "CLI/CLI.hpp"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "cli/plan_choice.h"
#include "cli/plan_finals.h"
#include "core/hash.h"
#include "core/progress.h"
#include "core/random.h"
#include "estimators/memoised_game.h"
#include "estimators/model_game.h"
#include "estimators/window_subset_game.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"
#include "solvers/plan_checker.h"
#include "solvers/solver_factory.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct Flags {
  fs::path model;
  fs::path text;
  fs::path eval;
  fs::path memo = "allocation-memo";
  std::int64_t calibration_tokens = 3072;
  std::int64_t eval_tokens = 12000;
  std::vector<double> budgets = {2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75};
  std::vector<std::string> quantizers = {"quanto", "hqq", "gptq"};
  std::vector<int> bits = {2, 4};
  int group_size = 32;
  std::vector<std::string> methods = {"random",
                                      "isolated",
                                      "isolated-both",
                                      "shapley",
                                      "coopq:100",
                                      "pairs",
                                      "quadratic",
                                      "plan"};
  // Whose plans "plan" starts from, on the fitting windows.
  std::vector<std::string> candidates = {"quadratic",
                                         "pairs",
                                         "isolated",
                                         "isolated-both",
                                         "shapley",
                                         "fisher",
                                         "gradient-error",
                                         "hawq"};
  int coalitions = 0;
  int search = 400;
  int finals = 32;
  std::optional<std::int64_t> finals_tokens;
  CommonFlags common;
};

struct Cell {
  std::string method;
  LossReport loss;
  double evaluations = 0.0;
  double seconds = 0.0;
  std::string detail;
};

// One quantizer's game and everything asked of it.
class Table {
 public:
  Table(const Flags& flags,
        const Model& model,
        const TokenSet& calibration,
        const std::optional<TokenSet>& further,
        const TokenSet& evaluation)
      : flags_(&flags),
        model_(&model),
        calibration_(&calibration),
        further_(further ? &*further : nullptr),
        evaluation_(&evaluation),
        units_(MakeUnits(model, Granularity::kMatrix)) {
    std::vector<int> bits = flags.bits;
    std::sort(bits.rbegin(), bits.rend());
    for (const int width : bits) {
      FormatRule rule;
      rule.base.bits = width;
      rule.base.group_size = flags.group_size;
      formats_.push_back(rule);
    }
  }

  Expected<void> Open(const std::string& quantizer) {
    auto made = MakeQuantizer(quantizer, {});
    if (!made) return tl::unexpected(made.error());
    quantizer_ = std::move(*made);
    auto game = ModelGame::Create(
        *model_, units_, formats_, *quantizer_, *calibration_);
    if (!game) return tl::unexpected(game.error());
    game_ = std::move(*game);
    memo_ = std::make_unique<MemoisedGame>(*game_);
    const auto attached =
        memo_->AttachFile(flags_->memo / (quantizer + ".jsonl"),
                          {{"model", model_->fingerprint()},
                           {"tokens", calibration_->fingerprint},
                           {"quantizer", quantizer},
                           {"formats", std::to_string(flags_->group_size)}});
    if (!attached) return tl::unexpected(attached.error());
    const WindowSplit split =
        SplitWindows(static_cast<int>(calibration_->windows.size()));
    if (split.judge.empty()) {
      return InvalidArgument("--calibration-tokens: at least three windows");
    }
    fit_ = std::make_unique<WindowSubsetGame>(*memo_, split.fit);
    fit_tokens_ = TakeWindows(*calibration_, split.fit);
    judge_ = std::make_unique<WindowSubsetGame>(*memo_, split.judge);
    estimates_.clear();
    return {};
  }

  [[nodiscard]] TargetBudget Target(double bits) const {
    const TargetBudget sizes = MakeTarget(units_, formats_, 0);
    std::int64_t low = 0;
    std::int64_t high = 0;
    for (const auto& bytes : sizes.option_bytes) {
      low += bytes.back();
      high += bytes.front();
    }
    const double share =
        (bits - formats_.back().base.bits) /
        (formats_.front().base.bits - formats_.back().base.bits);
    return MakeTarget(units_,
                      formats_,
                      low + static_cast<std::int64_t>(std::floor(
                                share * static_cast<double>(high - low))));
  }

  Expected<Cell> Run(const std::string& method, double bits) {
    const TargetBudget target = Target(bits);
    Cell cell;
    cell.method = method;
    if (method == "random") return MedianRandom(target, std::move(cell));
    if (method == "plan") return Choose(target, std::move(cell));
    const auto estimate = EstimateOnce(*memo_, method, target);
    if (!estimate) return tl::unexpected(estimate.error());
    const auto solver = MakeSolver("auto");
    if (!solver) return tl::unexpected(solver.error());
    SolveOptions solve;
    solve.time_limit_s = 20.0;
    const auto solved = SolveAndCheck(
        **solver, ProblemOf((*estimate)->surrogate, target), solve);
    if (!solved) return tl::unexpected(solved.error());
    cell.evaluations = (*estimate)->cost.evaluations;
    cell.seconds = (*estimate)->cost.seconds;
    cell.detail = (*estimate)->detail;
    return Judge(solved->incumbent, std::move(cell));
  }

 private:
  // "coopq:100": 100 orders. A metric that needs no target is run once.
  Expected<const Estimate*> EstimateOnce(ValueFunction& game,
                                         const std::string& method,
                                         const TargetBudget& target) {
    const std::size_t colon = method.find(':');
    const std::string name = method.substr(0, colon);
    std::string key = &game == memo_.get() ? method : method + " fit";
    EstimateOptions options;
    options.seed = flags_->common.seed;
    options.coalitions = flags_->coalitions;
    if (colon != std::string::npos) {
      options.permutations = std::stoi(method.substr(colon + 1));
    }
    if (name == "quadratic") {
      options.target = target;
      key += " " + std::to_string(target.byte_limit);
    }
    const auto found = estimates_.find(key);
    if (found != estimates_.end()) return &found->second;
    const auto estimator = MakeEstimator(name);
    if (!estimator) return tl::unexpected(estimator.error());
    const ModelEvidence evidence{
        model_,
        &units_,
        &formats_,
        quantizer_.get(),
        &game == memo_.get() ? calibration_ : &fit_tokens_};
    auto estimate = RunEstimator(**estimator, {&game, &evidence}, options);
    if (!estimate) return tl::unexpected(estimate.error());
    return &estimates_.emplace(key, std::move(*estimate)).first->second;
  }

  Expected<Cell> Choose(const TargetBudget& target, Cell cell) {
    std::vector<NamedSurrogate> surrogates;
    double share = 0.0;  // of the fitting windows in all tokens
    for (const double tokens : fit_->window_tokens()) share += tokens;
    share /= static_cast<double>(calibration_->predicted);
    for (const std::string& name : flags_->candidates) {
      // As in cli/plan_refinement.h.
      const bool whole =
          further_ != nullptr &&
          (name == "fisher" || name == "gradient-error" || name == "hawq");
      ValueFunction& game = whole ? static_cast<ValueFunction&>(*memo_) : *fit_;
      const auto estimate = EstimateOnce(game, name, target);
      if (!estimate) return tl::unexpected(estimate.error());
      surrogates.push_back({name, &(*estimate)->surrogate, name == "isolated"});
      cell.evaluations += (*estimate)->cost.evaluations * (whole ? 1.0 : share);
      cell.seconds += (*estimate)->cost.seconds;
    }
    ChoiceOptions options;
    options.solve.seed = flags_->common.seed;
    options.solve.time_limit_s = 20.0;
    options.search.max_evaluations = flags_->search;
    auto chosen = ChoosePlan(*fit_, *judge_, target, surrogates, options);
    if (!chosen) return tl::unexpected(chosen.error());
    const auto played = PlayFinals({.model = model_,
                                    .units = &units_,
                                    .formats = &formats_,
                                    .quantizer = quantizer_.get(),
                                    .calibration = calibration_,
                                    .text = further_,
                                    .count = flags_->finals},
                                   *chosen);
    if (!played) return tl::unexpected(played.error());
    std::int64_t final_tokens = 0;
    for (const FinalPlan& plan : chosen->finals) final_tokens += plan.tokens;
    cell.evaluations += chosen->fit_evaluations * share +
                        chosen->judge_evaluations * (1.0 - share) +
                        static_cast<double>(final_tokens) /
                            static_cast<double>(calibration_->predicted);
    cell.seconds += chosen->seconds;
    cell.detail = DescribeSearch(*chosen);
    return Judge(chosen->best.assignment, std::move(cell));
  }

  Expected<Cell> MedianRandom(const TargetBudget& target, Cell cell) {
    std::vector<Cell> cells;
    for (std::uint64_t i = 0; i < 5; ++i) {
      RandomStream random(flags_->common.seed, "bench/random", i);
      auto judged = Judge(
          DrawAtBudget(target.option_bytes, target.byte_limit, random), cell);
      if (!judged) return judged;
      cells.push_back(std::move(*judged));
    }
    std::sort(cells.begin(), cells.end(), [](auto& a, auto& b) {
      return a.loss.nll.mean < b.loss.nll.mean;
    });
    return cells[cells.size() / 2];
  }

  Expected<Cell> Judge(const FormatAssignment& assignment, Cell cell) const {
    std::vector<FormatRule> rules;
    for (const int option : assignment) {
      rules.push_back(formats_[static_cast<std::size_t>(option)]);
    }
    const auto quantized =
        QuantizedModel::Make(*model_,
                             MakePlan(units_, rules, quantizer_->name()),
                             *quantizer_,
                             calibration_);
    if (!quantized) return tl::unexpected(quantized.error());
    cell.loss = EvaluateLoss(*model_, quantized->weights(), *evaluation_);
    return cell;
  }

  const Flags* flags_;
  const Model* model_;
  const TokenSet* calibration_;
  const TokenSet* further_;
  const TokenSet* evaluation_;
  std::vector<Unit> units_;
  std::vector<FormatRule> formats_;
  std::unique_ptr<Quantizer> quantizer_;
  std::unique_ptr<ModelGame> game_;
  std::unique_ptr<MemoisedGame> memo_;
  std::unique_ptr<WindowSubsetGame> fit_;
  TokenSet fit_tokens_;
  std::unique_ptr<WindowSubsetGame> judge_;
  std::map<std::string, Estimate> estimates_;
};

struct Tally {
  int best = 0;
  int within = 0;
  int worse = 0;
};

// The last cell is ours. Differences are paired window by window.
void Count(const std::vector<Cell>& cells,
           const TokenSet& evaluation,
           Tally& tally) {
  const Cell& ours = cells.back();
  const Cell* best = nullptr;
  for (const Cell& cell : cells) {
    if (&cell == &ours) continue;
    if (best == nullptr || cell.loss.nll.mean < best->loss.nll.mean) {
      best = &cell;
    }
  }
  if (best == nullptr || ours.method != "plan") return;
  std::vector<double> difference;
  std::vector<double> tokens;
  for (std::size_t w = 0; w < evaluation.windows.size(); ++w) {
    difference.push_back(ours.loss.window_nll[w] - best->loss.window_nll[w]);
    tokens.push_back(static_cast<double>(evaluation.windows[w].predicted()));
  }
  const RatioEstimate over = EstimateRatio(difference, tokens);
  const bool is_best = over.mean <= 0.0;
  const bool within = over.mean <= over.standard_error;
  (is_best ? tally.best : within ? tally.within : tally.worse) += 1;
  std::printf("    plan over the best other (%s): %+.4f +- %.4f nats: %s\n",
              best->method.c_str(),
              over.mean,
              over.standard_error,
              is_best  ? "best"
              : within ? "within one standard error"
                       : "worse");
}

Expected<void> RunAll(const Flags& flags) {
  const auto loaded = LoadFolder(flags.model);
  if (!loaded) return tl::unexpected(loaded.error());
  TokenSetOptions options;
  options.max_predicted = flags.calibration_tokens;
  const int context = loaded->model.config().context;
  const auto calibration =
      ReadTokenSet(flags.text, loaded->tokenizer, context, options);
  if (!calibration) return tl::unexpected(calibration.error());
  const auto further = ReadFurther(
      flags.text, *loaded, options, *calibration, flags.finals_tokens);
  if (!further) return tl::unexpected(further.error());
  options.max_predicted = flags.eval_tokens;
  const auto evaluation =
      ReadTokenSet(flags.eval, loaded->tokenizer, context, options);
  if (!evaluation) return tl::unexpected(evaluation.error());
  const auto disjoint = CheckDisjoint(
      *calibration, flags.text.string(), *evaluation, flags.eval.string());
  if (!disjoint) return tl::unexpected(disjoint.error());
  if (*further) {
    const auto apart = CheckDisjoint(
        **further, flags.text.string(), *evaluation, flags.eval.string());
    if (!apart) return tl::unexpected(apart.error());
  }
  fs::create_directories(flags.memo);
  const LossReport full = EvaluateLoss(
      loaded->model, FullPrecisionWeights(loaded->model), *evaluation);
  std::printf("model %s, group %d, calibration %lld tokens, evaluation %lld\n",
              flags.model.c_str(),
              flags.group_size,
              static_cast<long long>(calibration->predicted),
              static_cast<long long>(evaluation->predicted));
  std::printf("full precision: perplexity %.3f +- %.3f\n",
              full.perplexity.mean,
              full.perplexity.standard_error);
  Table table(flags, loaded->model, *calibration, *further, *evaluation);
  Tally tally;
  for (const std::string& quantizer : flags.quantizers) {
    const auto opened = table.Open(quantizer);
    if (!opened) return opened;
    for (const double bits : flags.budgets) {
      std::printf("%s, %.2f bits: %lld bytes\n",
                  quantizer.c_str(),
                  bits,
                  static_cast<long long>(table.Target(bits).byte_limit));
      std::vector<Cell> cells;
      for (const std::string& method : flags.methods) {
        auto cell = table.Run(method, bits);
        if (!cell) return tl::unexpected(cell.error());
        std::printf("  %-14s %10.3f +- %-8.3f %8.1f evaluations %8.1f s  %s\n",
                    method.c_str(),
                    cell->loss.perplexity.mean,
                    cell->loss.perplexity.standard_error,
                    cell->evaluations,
                    cell->seconds,
                    cell->detail.c_str());
        std::fflush(stdout);
        cells.push_back(std::move(*cell));
      }
      Count(cells, *evaluation, tally);
    }
  }
  std::printf(
      "cells: plan best in %d, within one standard error in %d, worse "
      "in %d\n",
      tally.best,
      tally.within,
      tally.worse);
  return {};
}

int Main(int argc, char** argv) {
  Flags flags;
  flags.common.quiet = true;
  CLI::App app("Allocation methods at equal bytes");
  app.add_option("model", flags.model)->required();
  app.add_option("--text", flags.text)->required();
  app.add_option("--eval", flags.eval)->required();
  app.add_option("--memo", flags.memo)->capture_default_str();
  app.add_option("--calibration-tokens", flags.calibration_tokens)
      ->capture_default_str();
  app.add_option("--eval-tokens", flags.eval_tokens)->capture_default_str();
  app.add_option("--budgets", flags.budgets)->delimiter(',');
  app.add_option("--quantizers", flags.quantizers)->delimiter(',');
  app.add_option("--bits", flags.bits)->delimiter(',');
  app.add_option("--group-size", flags.group_size)->capture_default_str();
  app.add_option("--methods", flags.methods, "\"plan\" last, to be counted")
      ->delimiter(',');
  app.add_option("--candidates", flags.candidates, "Whose plans plan measures")
      ->delimiter(',');
  app.add_option("--coalitions", flags.coalitions)->capture_default_str();
  app.add_option("--search", flags.search)->capture_default_str();
  app.add_option("--finals", flags.finals)->capture_default_str();
  app.add_option("--finals-tokens", flags.finals_tokens);
  AddCommonFlags(app, flags.common);
  CLI11_PARSE(app, argc, argv);
  const auto applied = ApplyCommonFlags(flags.common);
  const auto done = applied ? RunAll(flags) : applied;
  if (!done) {
    std::cerr << "allocation_bench: " << done.error().message << "\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace bitpact

int main(int argc, char** argv) { return bitpact::Main(argc, argv); }
