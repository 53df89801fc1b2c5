// SPDX-License-Identifier: Apache-2.0
#include "cli/hipr_run.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/hipr_report.h"
#include "cli/pipeline.h"
#include "cli/plan_measurement.h"
#include "cli/ratio_plans.h"
#include "core/atomic_file.h"
#include "estimators/hipr.h"
#include "estimators/memoised_game.h"
#include "estimators/model_game.h"
#include "estimators/problem_builder.h"
#include "models/learned_quantizer.h"
#include "models/quantized_model.h"

namespace bitpact {
namespace {

// The options of the surrogate at which pairs are measured; `greatest first`.
Expected<std::vector<int>> PairOptions(const HiprFlags& flags) {
  std::vector<int> options;
  for (const double ratio : flags.pair_ratios) {
    const auto found = std::ranges::find(flags.ratios, ratio);
    if (found == flags.ratios.end()) {
      return InvalidArgument("--pair-ratios: " + std::to_string(ratio) +
                             " is none of --ratios");
    }
    options.push_back(static_cast<int>(flags.ratios.end() - found) - 1);
  }
  return options;
}

// One run: what was asked, what it works on, what it found.
class HiprRun {
 public:
  HiprRun(const HiprFlags& flags, const Model& model, const HiprTexts& texts)
      : flags_(flags), model_(model), texts_(texts) {
    setting_.units = MakeUnits(model, Granularity::kMatrix);
    MeasureOptions narrow = flags.measure;
    narrow.bits = {static_cast<double>(flags.bits)};
    setting_.narrow = CandidateFormats(narrow).front();
    setting_.high_bits = flags.high_bits;
    setting_.quantizer = flags.measure.quantizer;
    // Most precise first, as in every table.
    for (auto ratio = flags.ratios.rbegin(); ratio != flags.ratios.rend();
         ++ratio) {
      ratios_.push_back(*ratio);
      formats_.push_back(
          RatioFormat(setting_,
                      flags.high_bits,
                      static_cast<int>(std::lround(*ratio * kRatioUnits))));
    }
  }

  Expected<Exit> Run() {
    const Expected<Budget> budget = ParseBudget(flags_.budget);
    if (!budget) return tl::unexpected(budget.error());
    const ByteLimit limit = ResolveBudget(*budget,
                                          MeasureBytes(model_, setting_.units),
                                          setting_.units,
                                          formats_);
    if (!limit.infeasible.empty()) return ReportInfeasible(limit.infeasible);
    const Expected<void> divides =
        CheckGroupSize(setting_.units, setting_.narrow);
    if (!divides) return tl::unexpected(divides.error());
    const auto quantizer = MakeQuantizer(flags_.measure.quantizer,
                                         flags_.measure.quantizer_options);
    if (!quantizer) return tl::unexpected(quantizer.error());
    quantizer_ = quantizer->get();
    Expected<void> done = MakeWritableFolder(flags_.output);
    if (!done) return tl::unexpected(done.error());
    report_.model = flags_.model.string();
    report_.budget = budget->text;
    report_.byte_limit = limit.limit;
    report_.seed = flags_.common.seed;
    report_.evaluation =
        texts_.evaluation_file + " (" + texts_.evaluation.description + ")";
    done = Optimise();
    if (!done) return tl::unexpected(done.error());
    if (infeasible_) return ReportInfeasible(*infeasible_);
    done = Compare();
    if (!done) return tl::unexpected(done.error());
    return Finish();
  }

 private:
  // Measures the quadratic model and solves it both ways.
  Expected<void> Optimise() {
    const Expected<LossKind> loss = ParseLossKind(flags_.measure.value);
    if (!loss) return tl::unexpected(loss.error());
    ModelGameOptions options;
    options.loss = *loss;
    options.full_precision_first = true;
    auto game = ModelGame::Create(model_,
                                  setting_.units,
                                  formats_,
                                  *quantizer_,
                                  texts_.calibration,
                                  options);
    if (!game) return tl::unexpected(game.error());
    MemoisedGameOptions remember;
    for (const Unit& unit : setting_.units) {
      remember.unit_names.push_back(unit.name);
    }
    MemoisedGame memo(**game, std::move(remember));
    Expected<void> done =
        memo.AttachFile(flags_.output / "evaluations.jsonl", Key());
    if (!done) return done;
    const auto pair_options = PairOptions(flags_);
    if (!pair_options) return tl::unexpected(pair_options.error());
    const auto design = DesignHipr(setting_.units,
                                   static_cast<int>(formats_.size()),
                                   {flags_.pairs == "model", *pair_options});
    if (!design) return tl::unexpected(design.error());
    std::cerr << "bitpact: " << FormatCount(design->evaluations)
              << " evaluations of " << FormatCount(texts_.calibration.predicted)
              << " tokens for " << FormatCount(std::ssize(design->pairs))
              << " pairs of matrices\n";
    Expected<Estimate> estimate = MeasureHipr(memo, *design);
    if (!estimate) return tl::unexpected(estimate.error());
    report_.evaluations = static_cast<double>(design->evaluations);
    done = Solve(std::move(*estimate), *design);
    if (!done || infeasible_) return done;
    FormatAssignment chosen;
    for (const int option : report_.solve.incumbent) {
      chosen.push_back(option + 1);
    }
    const auto value = memo.Evaluate({&chosen, 1});
    if (!value) return tl::unexpected(value.error());
    report_.measured = value->front().loss - table_.estimate.base_loss;
    return {};
  }

  Expected<void> Solve(Estimate estimate, const HiprDesign& design) {
    table_.estimator = "hipr";
    table_.quantizer = flags_.measure.quantizer;
    table_.units = setting_.units;
    table_.formats = formats_;
    table_.estimate = std::move(estimate);
    table_.options.seed = flags_.common.seed;
    table_.calibration_tokens = texts_.calibration.predicted;
    table_.evaluations = design.evaluations;
    table_.model_bytes = MeasureBytes(model_, setting_.units);
    table_.inputs = {{"model", model_.fingerprint()},
                     {"calibration", texts_.calibration.fingerprint},
                     {"value", flags_.measure.value}};
    Expected<void> done =
        WriteSensitivityTable(flags_.output / "sensitivities.json", table_);
    if (!done) return done;
    Expected<Allocation> solved =
        Allocate(table_, report_.byte_limit, flags_.solve);
    if (!solved) return tl::unexpected(solved.error());
    if (!solved->plan) {
      infeasible_ = solved->result.detail;
      return {};
    }
    done = WriteAllocation(flags_.output, table_, *solved);
    if (!done) return done;
    report_.solve = solved->result;
    report_.predicted =
        table_.estimate.surrogate.Predict(solved->result.incumbent);
    plans_["quadratic"] = std::move(*solved->plan);
    auto continuous = MakeContinuousPlan(
        setting_, table_.estimate.surrogate, ratios_, report_.byte_limit);
    if (!continuous) return tl::unexpected(continuous.error());
    report_.continuous_objective = continuous->objective;
    report_.continuous_bound = continuous->bound;
    report_.continuous_shift = continuous->shift;
    plans_["continuous"] = std::move(continuous->plan);
    plans_["uniform"] =
        UniformRatioPlan(setting_, flags_.high_bits, report_.byte_limit);
    plans_["none"] =
        MakeUniformPlan(setting_.units, setting_.narrow, setting_.quantizer);
    return {};
  }

  [[nodiscard]] std::map<std::string, std::string> Key() const {
    std::string quantizer = quantizer_->name();
    if (quantizer_->needs_hessian()) {
      quantizer += " " + OptionsText(flags_.measure.quantizer_options);
    }
    return {{"model", model_.fingerprint()},
            {"units", UnitsFingerprint(setting_.units)},
            {"formats", "full," + FormatsText(formats_)},
            {"tokens", texts_.calibration.fingerprint},
            {"value", flags_.measure.value},
            {"quantizer",
             quantizer + RankingText(flags_.measure.quantizer_options)}};
  }

  // Rows of the table; the plan that is taken comes last.
  Expected<void> Compare() {
    const PlanMeasurement judge(
        model_, texts_.calibration, texts_.evaluation, *quantizer_);
    report_.rows.push_back(judge.FullPrecision(setting_.units));
    const auto add = [&](const std::string& name,
                         const AllocationPlan& plan) -> Expected<void> {
      auto row = judge.Measure(name, plan);
      if (!row) return tl::unexpected(row.error());
      report_.rows.push_back(std::move(*row));
      return {};
    };
    for (const int width : flags_.compare_bits) {
      const std::string name =
          "one ratio, " + (width == kFloat16Bits
                               ? std::string("float16")
                               : std::to_string(width) + " bits");
      const Expected<void> added =
          add(name, UniformRatioPlan(setting_, width, report_.byte_limit));
      if (!added) return added;
    }
    for (const char* name : {"none", "uniform", "continuous", "quadratic"}) {
      if (name == flags_.allocation) continue;
      const Expected<void> added =
          add(HiprAllocations().at(name), plans_.at(name));
      if (!added) return added;
    }
    report_.row_ranking =
        RowRankingName(flags_.measure.quantizer_options.row_ranking);
    report_.plan = plans_.at(flags_.allocation);
    report_.allocation = HiprAllocations().at(flags_.allocation);
    const Expected<void> added = add(report_.allocation, report_.plan);
    if (!added) return added;
    const Expected<void> made = Quantize();
    if (!made) return made;
    if (flags_.hybrid) {
      report_.allocation += ", hybrid";
      auto row = judge.Measure(report_.allocation, *quantized_);
      if (!row) return tl::unexpected(row.error());
      report_.rows.push_back(std::move(*row));
    }
    std::vector<double> counts;
    for (const TokenWindow& window : texts_.evaluation.windows) {
      counts.push_back(static_cast<double>(window.predicted()));
    }
    ComparePlans(counts, report_.rows);
    return {};
  }

  // As it will be stored.
  Expected<void> Quantize() {
    if (!flags_.hybrid) {
      auto quantized = QuantizedModel::Make(
          model_, report_.plan, *quantizer_, &texts_.calibration);
      if (!quantized) return tl::unexpected(quantized.error());
      quantized_ = std::move(*quantized);
      return {};
    }
    report_.plan.quantizer = kHybridName;
    const auto jobs = JobsOfPlan(model_, report_.plan);
    if (!jobs) return tl::unexpected(jobs.error());
    auto learned = LearnMatrices(model_,
                                 *jobs,
                                 flags_.measure.quantizer_options.row_ranking,
                                 texts_.calibration,
                                 flags_.learning,
                                 MemoryStore());
    if (!learned) return tl::unexpected(learned.error());
    for (const std::string& note : learned->matrices.notes) {
      std::cerr << "bitpact: note: " << note << '\n';
    }
    report_.learned = std::move(learned->outcomes);
    report_.learning = OptionsText(
        flags_.learning, flags_.measure.quantizer_options.row_ranking);
    quantized_ = QuantizedModel::FromMatrices(
        model_, report_.plan, std::move(learned->matrices.packed));
    return {};
  }

  Expected<Exit> Finish() {
    Expected<void> done =
        WritePlan(flags_.output / "plan.json", report_.plan, table_.inputs);
    if (!done) return tl::unexpected(done.error());
    done = quantized_->Save(model_, flags_.output / "quantized");
    if (!done) return tl::unexpected(done.error());
    const auto note = WriteHipr(flags_.output, report_);
    if (!note) return tl::unexpected(note.error());
    std::cout << RenderHipr(report_) << "written to " << flags_.output.string()
              << ": hipr.json, plan.json, problem.json, quantized/"
              << (note->empty() ? ", hipr-ratios.svg and .png\n"
                                : "\n" + *note + "\n");
    return Exit::kDone;
  }

  const HiprFlags& flags_;
  const Model& model_;
  const HiprTexts& texts_;
  RatioSetting setting_;
  std::vector<FormatRule> formats_;  // of the options, most precise first
  std::vector<double> ratios_;       // theirs
  const Quantizer* quantizer_ = nullptr;
  SensitivityTable table_;
  std::map<std::string, AllocationPlan> plans_;  // by --allocation
  std::optional<std::string> infeasible_;
  std::optional<QuantizedModel> quantized_;
  HiprReport report_;
};

}  // namespace

const std::map<std::string, std::string>& HiprAllocations() {
  static const std::map<std::string, std::string> kNames = {
      {"quadratic", "optimised ratios"},
      {"continuous", "continuous ratios"},
      {"uniform", "one ratio"},
      {"none", "no wide rows"}};
  return kNames;
}

Expected<Exit> RunHipr(const HiprFlags& flags,
                       const Model& model,
                       const HiprTexts& texts) {
  return HiprRun(flags, model, texts).Run();
}

}  // namespace bitpact
