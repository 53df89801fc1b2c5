// SPDX-License-Identifier: Apache-2.0
// `bitpact run`: the whole way, from a model and a budget to a plan whose loss
// is measured on the quantized model.

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "cli/plan_measurement.h"
#include "cli/plan_refinement.h"
#include "cli/report.h"
#include "core/atomic_file.h"
#include "core/progress.h"
#include "estimators/problem_builder.h"
#include "models/quantized_model.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;

struct RunFlags {
  fs::path model;
  std::string budget;
  std::optional<fs::path> text;
  std::optional<fs::path> eval;
  fs::path output = "out";
  std::int64_t eval_tokens = 20000;
  int random_plans = 5;
  bool refine = true;
  RefineOptions choice;
  CommonFlags common;
  MeasureOptions measure;
  SolveFlags solve;
  TextFlags tokens;
};

// Times the stages of a run.
class Stopwatch {
 public:
  explicit Stopwatch(std::vector<StageTime>& stages) : stages_(&stages) {}
  void Lap(const std::string& name) {
    const auto now = Clock::now();
    stages_->push_back(
        {name, std::chrono::duration<double>(now - last_).count()});
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<StageTime>* stages_;
  Clock::time_point last_ = Clock::now();
};

struct Texts {
  TokenSet calibration;
  std::optional<TokenSet> further;  // of the calibration's file
  TokenSet evaluation;
  std::string calibration_file;
  std::string evaluation_file;
};

Expected<Texts> ReadTexts(const RunFlags& flags, const LoadedModel& loaded) {
  const auto text =
      FindText(flags.text, "--text", flags.model, "calibration.txt");
  if (!text) return tl::unexpected(text.error());
  const auto eval =
      FindText(flags.eval, "--eval", flags.model, "evaluation.txt");
  if (!eval) return tl::unexpected(eval.error());
  Expected<TokenSetOptions> options = ResolveTextFlags(flags.tokens);
  if (!options) return tl::unexpected(options.error());
  const int context = loaded.model.config().context;
  Expected<TokenSet> calibration =
      ReadCalibration(*text, loaded, *options, flags.measure);
  if (!calibration) return tl::unexpected(calibration.error());
  auto further = ReadFurther(
      *text, loaded, *options, *calibration, flags.choice.finals_tokens);
  if (!further) return tl::unexpected(further.error());
  options->max_predicted = flags.eval_tokens;
  Expected<TokenSet> evaluation =
      ReadTokenSet(*eval, loaded.tokenizer, context, *options);
  if (!evaluation) return tl::unexpected(evaluation.error());
  const Expected<void> disjoint =
      CheckDisjoint(*calibration, text->string(), *evaluation, eval->string());
  if (!disjoint) return tl::unexpected(disjoint.error());
  if (*further) {
    const Expected<void> apart =
        CheckDisjoint(**further, text->string(), *evaluation, eval->string());
    if (!apart) return tl::unexpected(apart.error());
  }
  return Texts{std::move(*calibration),
               std::move(*further),
               std::move(*evaluation),
               text->string(),
               eval->string()};
}

// What the steps of a run hand on to each other.
struct Candidates {
  AllocationPlan naive;
  const Allocation* chosen = nullptr;
};

Expected<void> MeasureRows(const RunFlags& flags,
                           const PlanMeasurement& judge,
                           const Candidates& candidates,
                           Report& report) {
  const SensitivityTable& table = report.sensitivities;
  report.rows.push_back(judge.FullPrecision(table.units));
  const auto add = [&](const std::string& name,
                       const AllocationPlan& plan) -> Expected<void> {
    Expected<ReportRow> row = judge.Measure(name, plan);
    if (!row) return tl::unexpected(row.error());
    report.rows.push_back(std::move(*row));
    return {};
  };
  for (const FormatRule* format :
       {&table.formats.front(), &table.formats.back()}) {
    Expected<void> added =
        add("all " + OptionName(*format),
            MakeUniformPlan(table.units, *format, table.quantizer));
    if (!added) return added;
  }
  if (flags.random_plans > 0) {
    Expected<ReportRow> random = judge.MeasureRandom(
        table, candidates.chosen->problem, flags.random_plans);
    if (!random) return tl::unexpected(random.error());
    report.rows.push_back(std::move(*random));
  }
  Expected<void> added = add("one at a time", candidates.naive);
  if (!added) return added;
  return add("plan", report.plan);
}

Expected<void> ValidateFlags(const RunFlags& flags) {
  Expected<void> measure = Validate(flags.measure);
  if (!measure) return measure;
  Expected<void> solve = Validate(flags.solve);
  if (!solve) return solve;
  if (flags.eval_tokens < 0 || flags.random_plans < 0) {
    return InvalidArgument("--eval-tokens and --random-plans must be >= 0");
  }
  Expected<void> choice = Validate(flags.choice);
  if (!choice) return choice;
  return ApplyCommonFlags(flags.common);
}

std::vector<double> PredictedTokens(const TokenSet& tokens) {
  std::vector<double> counts;
  for (const TokenWindow& window : tokens.windows) {
    counts.push_back(static_cast<double>(window.predicted()));
  }
  return counts;
}

// Quantizes by the plan once more and leaves a folder that `eval` reads.
Expected<void> SaveQuantized(const RunFlags& flags,
                             const Model& model,
                             const Quantizer& quantizer,
                             const AllocationPlan& plan,
                             const TokenSet& calibration) {
  const auto quantized =
      QuantizedModel::Make(model, plan, quantizer, &calibration);
  if (!quantized) return tl::unexpected(quantized.error());
  return quantized->Save(model, flags.output / "quantized");
}

// The plan of the chosen metric, and the one that looks at one unit at a time.
struct Plans {
  std::string infeasible;  // why there is none; the rest is then empty
  Allocation chosen;
  AllocationPlan plan;
  AllocationPlan naive;
};

Expected<Plans> MakePlans(const RunFlags& flags,
                          const SensitivityTable& table,
                          const SensitivityTable& naive,
                          std::int64_t byte_limit) {
  Plans plans;
  Expected<Allocation> chosen = Allocate(table, byte_limit, flags.solve);
  if (!chosen) return tl::unexpected(chosen.error());
  Expected<Allocation> additive = Allocate(naive, byte_limit, flags.solve);
  if (!additive) return tl::unexpected(additive.error());
  const std::optional<AllocationPlan>& plan = chosen->plan;
  const std::optional<AllocationPlan>& naive_plan = additive->plan;
  if (!plan || !naive_plan) {
    plans.infeasible = chosen->result.detail;
    return plans;
  }
  const Expected<void> done = WriteAllocation(flags.output, table, *chosen);
  if (!done) return tl::unexpected(done.error());
  plans.plan = *plan;
  plans.naive = *naive_plan;
  plans.chosen = std::move(*chosen);
  return plans;
}

Expected<void> Refine(const RunFlags& flags,
                      const RefineInputs& inputs,
                      Playground& playground,
                      Report& report) {
  ChoiceOptions solve;
  solve.solver = flags.solve.solver;
  solve.solve = flags.solve.options;
  Expected<PlanSearchResult> choice = RefinePlan(
      inputs, *flags.measure.estimate.target, solve, flags.choice, playground);
  if (!choice) return tl::unexpected(choice.error());
  report.plan = PlanFromAssignment(*inputs.table, choice->best.assignment);
  report.choice = std::move(*choice);
  return WritePlan(
      flags.output / "plan.json", report.plan, inputs.table->inputs);
}

Expected<Exit> Run(RunFlags flags) {
  flags.measure.estimate.seed = flags.common.seed;
  flags.solve.options.seed = flags.common.seed;
  flags.solve.options.threads = flags.common.threads;
  Expected<void> done = ValidateFlags(flags);
  if (!done) return tl::unexpected(done.error());
  const Expected<Budget> budget = ParseBudget(flags.budget);
  if (!budget) return tl::unexpected(budget.error());

  Report report;
  Stopwatch watch(report.stages);
  const Expected<LoadedModel> loaded = LoadFolder(flags.model);
  if (!loaded) return tl::unexpected(loaded.error());
  const Model& model = loaded->model;
  const Expected<Texts> texts = ReadTexts(flags, *loaded);
  if (!texts) return tl::unexpected(texts.error());
  const auto granularity = ParseGranularity(flags.measure.granularity);
  const std::vector<Unit> units = MakeUnits(model, *granularity);
  const std::vector<FormatRule> formats = CandidateFormats(flags.measure);
  const ByteLimit limit =
      ResolveBudget(*budget, MeasureBytes(model, units), units, formats);
  if (!limit.infeasible.empty()) return ReportInfeasible(limit.infeasible);
  flags.measure.estimate.target = MakeTarget(units, formats, limit.limit);
  done = MakeWritableFolder(flags.output);
  if (!done) return tl::unexpected(done.error());
  watch.Lap("load");

  Expected<Playground> playground =
      MakePlayground(model,
                     texts->calibration,
                     flags.measure,
                     flags.output / "evaluations.jsonl");
  if (!playground) return tl::unexpected(playground.error());
  if (!flags.refine) {
    report.choice_note = "plan taken: the solver's (--no-refine)";
  } else if (!SplitPlayground(texts->calibration, *playground)) {
    report.choice_note =
        "plan taken: the solver's (under three calibration windows: none to "
        "hold out)";
  }
  Expected<SensitivityTable> table = Measure(model,
                                             texts->calibration,
                                             flags.measure,
                                             flags.measure.estimator,
                                             *playground);
  if (!table) return tl::unexpected(table.error());
  const Expected<std::vector<SensitivityTable>> others =
      MeasureOthers(model,
                    texts->calibration,
                    flags.measure,
                    texts->further.has_value(),
                    *playground);
  if (!others) return tl::unexpected(others.error());
  done = WriteSensitivityTable(flags.output / "sensitivities.json", *table);
  if (!done) return tl::unexpected(done.error());
  watch.Lap("estimate");

  const Expected<Plans> plans =
      MakePlans(flags, *table, others->front(), limit.limit);
  if (!plans) return tl::unexpected(plans.error());
  if (!plans->infeasible.empty()) return ReportInfeasible(plans->infeasible);
  watch.Lap("solve");

  report.model = flags.model.string();
  report.budget = budget->text;
  report.byte_limit = limit.limit;
  report.calibration =
      texts->calibration_file + " (" + texts->calibration.description + ")";
  report.evaluation =
      texts->evaluation_file + " (" + texts->evaluation.description + ")";
  report.plan = plans->plan;
  if (playground->fit) {
    done = Refine(flags,
                  {.model = &model,
                   .calibration = &texts->calibration,
                   .further = texts->further ? &*texts->further : nullptr,
                   .table = &*table,
                   .others = &*others},
                  *playground,
                  report);
    if (!done) return tl::unexpected(done.error());
    watch.Lap("choose");
  }
  report.solve = plans->chosen.result;
  report.sensitivities = std::move(*table);
  const PlanMeasurement judge(
      model, texts->calibration, texts->evaluation, *playground->quantizer);
  done = MeasureRows(flags, judge, {plans->naive, &plans->chosen}, report);
  if (!done) return tl::unexpected(done.error());
  ComparePlans(PredictedTokens(texts->evaluation), report.rows);
  watch.Lap("evaluate");
  done = SaveQuantized(
      flags, model, *playground->quantizer, report.plan, texts->calibration);
  if (!done) return tl::unexpected(done.error());
  watch.Lap("save");
  done = WriteReport(flags.output, report);
  if (!done) return tl::unexpected(done.error());
  std::cout << RenderReport(report) << "written to " << flags.output.string()
            << ": report.html (open it), report.json, plan.json, quantized/\n";
  return Exit::kDone;
}

}  // namespace

void AddRunCommand(CLI::App& program, CommandOutcome& outcome) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = program.add_subcommand(
      "run", "Measure, allocate, quantize and prove, in one go");
  command->add_option("model", flags->model, "Hugging Face folder")->required();
  command
      ->add_option("--budget",
                   flags->budget,
                   "3.0bpw, 1.2MB, 900KiB or 60% (see bitpact --help)")
      ->required();
  command->add_option(
      "--text", flags->text, "Calibration text; default MODEL/calibration.txt");
  command->add_option("--eval",
                      flags->eval,
                      "Evaluation text, another one; default "
                      "MODEL/evaluation.txt");
  command
      ->add_option("--eval-tokens",
                   flags->eval_tokens,
                   "Predicted tokens of the evaluation text; 0: all")
      ->capture_default_str();
  command
      ->add_option("--random-plans",
                   flags->random_plans,
                   "Random plans of the same bytes to compare with")
      ->capture_default_str();
  command->add_flag("--refine,!--no-refine",
                    flags->refine,
                    "Measure the solver's pool and swaps on calibration text, "
                    "and take the plan that does best on the third of it that "
                    "is held out (the default), or the solver's plan as it is");
  AddRefineFlags(*command, flags->choice);
  command->add_option("-o,--output", flags->output, "Folder for all results")
      ->capture_default_str();
  AddMeasureFlags(*command, flags->measure);
  AddSolveFlags(*command, flags->solve);
  AddTextFlags(*command, flags->tokens);
  AddCommonFlags(*command, flags->common);
  command->callback([flags, &outcome] { outcome.status = Run(*flags); });
}

}  // namespace bitpact
