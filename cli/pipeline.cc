// SPDX-License-Identifier: Apache-2.0
#include "cli/pipeline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "cli/plan_choice.h"
#include "cli/text_table.h"
#include "estimators/problem_builder.h"
#include "solvers/plan_checker.h"
#include "solvers/problem_file.h"
#include "solvers/result_file.h"
#include "solvers/solver_factory.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

// "layers.0.mlp.up_proj 1,234, layers.1... 1,200": the largest shares first.
std::string LargestUnits(const std::vector<Unit>& units,
                         const std::vector<std::int64_t>& sizes) {
  constexpr std::size_t kNamed = 3;
  std::vector<std::size_t> order(units.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return sizes[a] > sizes[b];
  });
  std::string text;
  for (std::size_t i = 0; i < std::min(kNamed, order.size()); ++i) {
    text += (i == 0 ? "" : ", ") + units[order[i]].name + " " +
            FormatCount(sizes[order[i]]);
  }
  return text;
}

}  // namespace

Expected<void> Validate(const MeasureOptions& options) {
  if (options.bits.empty() ||
      std::set<double>(options.bits.begin(), options.bits.end()).size() !=
          options.bits.size()) {
    return InvalidArgument("--bits: names each width once, e.g. 2,4");
  }
  const bool rates = options.quantizer == "baq";
  for (const double bits : options.bits) {
    if (rates ? bits >= 1.0 && bits <= 8.0
              : bits >= 2.0 && bits <= 8.0 && bits == std::floor(bits)) {
      continue;
    }
    return InvalidArgument("--bits = " + FormatNumber(bits, 4) + " violates " +
                           (rates ? "1 <= stored bits a weight <= 8"
                                  : "2 <= bits <= 8, whole numbers"));
  }
  if (rates && (options.group_size || options.symmetric)) {
    return InvalidArgument(
        "--group-size and --symmetric have no effect on quantizer 'baq'");
  }
  if (options.bits.size() < 2) {
    return InvalidArgument(
        "--bits = " + FormatNumber(options.bits.front(), 4) +
        ": an allocation chooses between at least two widths, e.g. 2,4");
  }
  if (options.group_size && *options.group_size < 0) {
    return InvalidArgument(
        "--group-size = " + std::to_string(*options.group_size) +
        " violates --group-size >= 0 (0: whole rows)");
  }
  if (options.calibration_tokens && *options.calibration_tokens < 1) {
    return InvalidArgument("--calibration-tokens = " +
                           std::to_string(*options.calibration_tokens) +
                           " violates --calibration-tokens >= 1");
  }
  if (options.held_out < 0) {
    return InvalidArgument("--held-out = " + std::to_string(options.held_out) +
                           " violates --held-out >= 0");
  }
  const Expected<void> game = ValidateGame(options);
  if (!game) return game;
  const Expected<Granularity> granularity =
      ParseGranularity(options.granularity);
  if (!granularity) return tl::unexpected(granularity.error());
  const auto quantizer =
      MakeQuantizer(options.quantizer, options.quantizer_options);
  if (!quantizer) return tl::unexpected(quantizer.error());
  const auto estimator = MakeEstimator(options.estimator);
  if (!estimator) return tl::unexpected(estimator.error());
  return Validate(options.estimate);
}

Expected<void> Validate(const SolveFlags& flags) {
  const auto solver = MakeSolver(flags.solver);
  if (!solver) return tl::unexpected(solver.error());
  return Validate(flags.options);
}

std::vector<FormatRule> CandidateFormats(const MeasureOptions& options) {
  std::vector<double> bits = options.bits;
  std::sort(bits.rbegin(), bits.rend());
  std::vector<FormatRule> formats;
  for (const double width : bits) {
    FormatRule rule;
    if (options.quantizer == "baq") {
      rule.base =
          MixedColumns(static_cast<int>(std::lround(width * kRateUnits)));
      formats.push_back(rule);
      continue;
    }
    rule.base.bits = static_cast<int>(width);
    rule.base.group_size = options.group_size.value_or(128);
    rule.base.zero_point_type =
        options.symmetric ? ZeroPointType::kNone : ZeroPointType::kFloat16;
    rule.fit_group_size = !options.group_size;
    formats.push_back(rule);
  }
  return formats;
}

Expected<void> CheckGroupSize(const std::vector<Unit>& units,
                              const FormatRule& format) {
  constexpr std::int64_t kLeastNamed = 8;
  const UnitMatrix* bad = nullptr;
  std::int64_t common = 0;  // greatest common divisor of all row lengths
  for (const Unit& unit : units) {
    for (const UnitMatrix& matrix : unit.matrices) {
      const int group = FormatFor(format, matrix.cols).group_size;
      common = std::gcd(common, matrix.cols);
      if (group > 0 && matrix.cols % group != 0 && bad == nullptr) {
        bad = &matrix;
      }
    }
  }
  if (bad == nullptr) return {};
  std::string fitting;
  for (std::int64_t size = kLeastNamed; size <= common; ++size) {
    if (common % size == 0) fitting += std::to_string(size) + ", ";
  }
  return InvalidArgument(
      "--group-size = " + std::to_string(format.base.group_size) +
      " does not divide the " + std::to_string(bad->cols) +
      " columns of tensor " + QuotedName(bad->tensor) + "; " + fitting +
      "0 (whole rows) would do for all, and without --group-size each matrix "
      "gets one that fits");
}

Expected<Granularity> ParseGranularity(const std::string& name) {
  static const std::map<std::string, Granularity> kNames = {
      {"block", Granularity::kBlock},
      {"fused", Granularity::kFused},
      {"matrix", Granularity::kMatrix}};
  const auto found = kNames.find(name);
  if (found == kNames.end()) {
    return InvalidArgument("--granularity '" + name +
                           "' is not one of: block, fused, matrix");
  }
  return found->second;
}

Expected<LoadedModel> LoadFolder(const fs::path& folder) {
  Expected<Model> model = Model::Load(folder);
  if (!model) return tl::unexpected(model.error());
  Expected<Tokenizer> tokenizer = Tokenizer::Load(folder);
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  return LoadedModel{std::move(*model), std::move(*tokenizer)};
}

Expected<fs::path> FindText(const std::optional<fs::path>& flag,
                            const std::string& flag_name,
                            const fs::path& model_folder,
                            const std::string& default_name) {
  if (flag) return *flag;
  const fs::path standard = model_folder / default_name;
  std::error_code ignored;
  if (fs::exists(standard, ignored)) return standard;
  return InvalidArgument(flag_name + " is missing, and " + standard.string() +
                         " does not exist");
}

Expected<TokenSet> ReadCalibration(const fs::path& file,
                                   const LoadedModel& loaded,
                                   TokenSetOptions text,
                                   const MeasureOptions& options) {
  text.max_predicted = options.calibration_tokens.value_or(kCalibrationTokens);
  Expected<TokenSet> set =
      ReadTokenSet(file, loaded.tokenizer, loaded.model.config().context, text);
  if (set && options.calibration_tokens &&
      set->predicted < *options.calibration_tokens) {
    return InvalidArgument(
        "--calibration-tokens = " + FormatCount(*options.calibration_tokens) +
        ": " + file.string() + " has only " + FormatCount(set->predicted) +
        " predicted tokens (" + set->description + ")");
  }
  return set;
}

Expected<std::optional<TokenSet>> ReadFurther(
    const fs::path& file,
    const LoadedModel& loaded,
    TokenSetOptions text,
    const TokenSet& calibration,
    std::optional<std::int64_t> tokens) {
  const std::int64_t wanted =
      tokens.value_or(kFinalsShare * calibration.predicted);
  if (wanted == 0) return std::nullopt;
  text.max_predicted = calibration.predicted + wanted;
  const Expected<TokenSet> all =
      ReadTokenSet(file, loaded.tokenizer, loaded.model.config().context, text);
  if (!all) return tl::unexpected(all.error());
  // Sets of one file begin alike.
  std::vector<int> behind(all->windows.size() - calibration.windows.size());
  std::iota(behind.begin(),
            behind.end(),
            static_cast<int>(calibration.windows.size()));
  if (all->predicted - calibration.predicted < calibration.predicted) {
    return std::nullopt;
  }
  return TakeWindows(*all, behind);
}

Expected<void> CheckDisjoint(const TokenSet& calibration,
                             const std::string& calibration_name,
                             const TokenSet& evaluation,
                             const std::string& evaluation_name) {
  const std::optional<SharedText> shared =
      SharedDocument(calibration, evaluation);
  if (shared) {
    return InvalidArgument(
        "evaluation text " + evaluation_name + ": document " +
        std::to_string(shared->second) + " is also document " +
        std::to_string(shared->first) + " of the calibration text " +
        calibration_name + "; an evaluation needs text of its own");
  }
  std::map<std::vector<int>, std::size_t> seen;
  for (std::size_t i = 0; i < calibration.windows.size(); ++i) {
    seen.emplace(calibration.windows[i].tokens, i);
  }
  for (std::size_t i = 0; i < evaluation.windows.size(); ++i) {
    const auto found = seen.find(evaluation.windows[i].tokens);
    if (found == seen.end()) continue;
    return InvalidArgument("evaluation text " + evaluation_name + ": window " +
                           std::to_string(i) + " is also window " +
                           std::to_string(found->second) +
                           " of the calibration text " + calibration_name +
                           "; an evaluation needs text of its own");
  }
  return {};
}

ModelBytes MeasureBytes(const Model& model, const std::vector<Unit>& units) {
  ModelBytes bytes{0, model.kept_bytes(), model.stored_bytes()};
  for (const Unit& unit : units) bytes.unit_weights += WeightCount(unit);
  return bytes;
}

ByteLimit ResolveBudget(const Budget& budget,
                        const ModelBytes& model,
                        const std::vector<Unit>& units,
                        const std::vector<FormatRule>& formats) {
  ByteLimit result;
  result.model = model;
  result.limit = UnitByteLimit(budget, model);
  std::vector<std::int64_t> least_sizes;
  for (const Unit& unit : units) {
    std::int64_t least = StoredBytes(formats.front(), unit);
    std::int64_t greatest = least;
    for (const FormatRule& format : formats) {
      least = std::min(least, StoredBytes(format, unit));
      greatest = std::max(greatest, StoredBytes(format, unit));
    }
    result.least += least;
    result.greatest += greatest;
    least_sizes.push_back(least);
  }
  if (result.limit < result.least) {
    const bool whole = budget.kind != BudgetKind::kBitsPerWeight;
    result.infeasible =
        "budget " + budget.text + " leaves " + FormatCount(result.limit) +
        " bytes for the units" +
        (whole
             ? " beside " + FormatCount(model.kept) + " bytes kept as they are"
             : "") +
        "; the least possible is " + FormatCount(result.least) +
        ", the greatest " + FormatCount(result.greatest) +
        " bytes; most of the least take " + LargestUnits(units, least_sizes);
  }
  return result;
}

bool SplitPlayground(const TokenSet& calibration, Playground& playground) {
  const WindowSplit split =
      SplitWindows(static_cast<int>(playground.memo->window_tokens().size()));
  if (split.judge.empty()) return false;
  playground.fit =
      std::make_unique<WindowSubsetGame>(*playground.memo, split.fit);
  playground.judge =
      std::make_unique<WindowSubsetGame>(*playground.memo, split.judge);
  // An outside program may count windows of its own.
  if (!playground.outside) {
    playground.fit_tokens = TakeWindows(calibration, split.fit);
  }
  return true;
}

Expected<SensitivityTable> Measure(const Model& model,
                                   const TokenSet& calibration,
                                   const MeasureOptions& options,
                                   const std::string& estimator,
                                   Playground& playground,
                                   MeasuredWindows windows) {
  const auto made = MakeEstimator(estimator);
  if (!made) return tl::unexpected(made.error());
  const bool fitting = playground.fit && windows == MeasuredWindows::kFitting;
  ValueFunction& game =
      fitting ? static_cast<ValueFunction&>(*playground.fit) : *playground.memo;
  const ModelEvidence evidence{
      &model,
      &playground.units,
      &playground.formats,
      playground.quantizer.get(),
      fitting && !playground.outside ? &playground.fit_tokens : &calibration};
  Expected<Estimate> estimate =
      RunEstimator(**made,
                   {&game, playground.outside ? nullptr : &evidence},
                   options.estimate);
  if (!estimate) return tl::unexpected(estimate.error());
  SensitivityTable table;
  table.evaluations = std::llround(estimate->cost.evaluations);
  const Expected<FitQuality> fit = MeasureFit(
      game, estimate->surrogate, options.held_out, options.estimate.seed);
  if (!fit) return tl::unexpected(fit.error());
  if (options.estimate.target) {
    const TargetBudget& target = *options.estimate.target;
    const auto near = MeasureFitAtBudget(game,
                                         estimate->surrogate,
                                         target.option_bytes,
                                         target.byte_limit,
                                         options.held_out,
                                         options.estimate.seed);
    if (!near) return tl::unexpected(near.error());
    table.fit_at_budget = *near;
    table.target_byte_limit = target.byte_limit;
  }
  table.predicts_loss = (*made)->predicts_loss();
  table.estimator = estimator;
  table.quantizer = options.quantizer;
  table.units = playground.units;
  table.formats = playground.formats;
  table.estimate = std::move(*estimate);
  table.fit = *fit;
  table.options = options.estimate;
  double tokens = 0.0;
  for (const double count : game.window_tokens()) tokens += count;
  table.calibration_tokens = std::llround(tokens);
  table.model_bytes = MeasureBytes(model, playground.units);
  table.inputs = {{"model", model.fingerprint()},
                  {"calibration", playground.key.at("tokens")},
                  {"value", playground.key.at("value")}};
  if (!playground.outside) table.inputs["products"] = ProductsText(options);
  return table;
}

Expected<Allocation> Allocate(const SensitivityTable& table,
                              std::int64_t byte_limit,
                              const SolveFlags& flags) {
  Allocation allocation;
  allocation.problem = BuildProblem(table, byte_limit);
  const auto solver = MakeSolver(flags.solver);
  if (!solver) return tl::unexpected(solver.error());
  Expected<SolveResult> result =
      SolveAndCheck(**solver, allocation.problem, flags.options);
  if (!result) return tl::unexpected(result.error());
  allocation.result = std::move(*result);
  if (allocation.result.HasIncumbent()) {
    allocation.plan = PlanFromAssignment(table, allocation.result.incumbent);
  }
  return allocation;
}

Expected<void> WriteAllocation(const fs::path& folder,
                               const SensitivityTable& table,
                               const Allocation& allocation) {
  Expected<void> written =
      WriteProblem(folder / "problem.json", allocation.problem, table.inputs);
  if (!written) return written;
  written = WriteSolveResult(folder / "result.json",
                             allocation.problem,
                             allocation.result,
                             {.inputs = table.inputs});
  if (!written || !allocation.plan) return written;
  return WritePlan(folder / "plan.json", *allocation.plan, table.inputs);
}

}  // namespace bitpact
