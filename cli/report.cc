// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <algorithm>
#include <numeric>

#include "cli/html_report.h"
#include "cli/text_table.h"
#include "core/atomic_file.h"
#include "core/json_file.h"
#include "core/progress.h"

namespace bitpact {
namespace {

std::vector<Unit> UnitsOf(const AllocationPlan& plan) {
  std::vector<Unit> units;
  for (const PlannedUnit& planned : plan.units) units.push_back(planned.unit);
  return units;
}

// The last part of a unit's name without "_proj": "q", "gate_up", "block".
std::string ColumnName(const std::string& rest) {
  if (rest.empty()) return "block";
  std::string name = rest.substr(rest.rfind('.') + 1);
  const std::string suffix = "_proj";
  if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  return name;
}

}  // namespace

std::string RenderRows(std::span<const ReportRow> rows) {
  std::vector<std::vector<std::string>> cells = {{"plan",
                                                  "unit bytes",
                                                  "bits/weight",
                                                  "model bytes",
                                                  "perplexity",
                                                  "KL, nats/token",
                                                  "nll over plan"}};
  for (const ReportRow& row : rows) {
    cells.push_back(
        {row.name,
         FormatCount(row.unit_bytes),
         FormatNumber(row.bits_per_weight, 3),
         FormatCount(row.model_bytes),
         FormatEstimate(row.loss.perplexity, 3),
         FormatEstimate(row.loss.kl, 4),
         &row == &rows.back() ? "-" : FormatEstimate(row.over_plan, 4)});
  }
  return RenderTable(cells);
}

Json RowJson(const ReportRow& row) {
  return {{"name", row.name},
          {"unit_bytes", row.unit_bytes},
          {"model_bytes", row.model_bytes},
          {"bits_per_weight", row.bits_per_weight},
          {"nll_nats", row.loss.nll.mean},
          {"nll_standard_error", row.loss.nll.standard_error},
          {"perplexity", row.loss.perplexity.mean},
          {"perplexity_standard_error", row.loss.perplexity.standard_error},
          {"kl_nats", row.loss.kl.mean},
          {"kl_standard_error", row.loss.kl.standard_error},
          {"nll_over_plan_nats", row.over_plan.mean},
          {"nll_over_plan_standard_error", row.over_plan.standard_error},
          {"predicted_tokens", row.loss.predicted_tokens},
          {"windows", row.loss.windows}};
}

std::string RenderSolve(const SolveResult& solve, std::uint64_t seed) {
  std::string text = "solver " + solve.solver + ": " +
                     TerminationName(solve.termination) + ", objective " +
                     FormatNumber(solve.objective, 6) + ", bound ";
  text += solve.bound == -std::numeric_limits<double>::infinity()
              ? "none claimed"
              : FormatNumber(solve.bound, 6) + ", gap " +
                    FormatSmall(solve.RelativeGap());
  text += ", " + FormatDuration(solve.stats.time_s) + ", seed " +
          std::to_string(seed) + "\n";
  if (!solve.detail.empty()) text += "  " + solve.detail + "\n";
  return text;
}

namespace {

std::string RenderFit(const SensitivityTable& table,
                      const FitQuality& fit,
                      const std::string& where) {
  if (fit.assignments == 0) return "";
  std::string text = "  on " + std::to_string(fit.assignments) + " " + where +
                     ": rank correlation " +
                     FormatNumber(fit.rank_correlation, 2);
  if (table.predicts_loss) {
    text += ", R2 " + FormatNumber(fit.r_squared(), 3) + ", rms error " +
            FormatNumber(fit.rms_error, 3) + " of deviation " +
            FormatNumber(fit.measured_deviation, 3) + ", bias " +
            FormatNumber(fit.bias, 3) + " nats";
  }
  return text + "\n";
}

// The units whose lowest option costs most and least.
std::string RenderExtremes(const SensitivityTable& table) {
  constexpr std::size_t kNamed = 3;
  const Surrogate& surrogate = table.estimate.surrogate;
  std::vector<std::size_t> order(table.units.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return surrogate.linear[a].back() > surrogate.linear[b].back();
  });
  const auto named = [&](std::size_t u) {
    std::string text =
        table.units[u].name + " " + FormatNumber(surrogate.linear[u].back(), 4);
    if (!surrogate.linear_standard_error.empty()) {
      text +=
          " +- " + FormatNumber(surrogate.linear_standard_error[u].back(), 4);
    }
    return text;
  };
  std::string most;
  std::string least;
  for (std::size_t i = 0; i < std::min(kNamed, order.size()); ++i) {
    most += (i == 0 ? "" : ", ") + named(order[i]);
    least += (i == 0 ? "" : ", ") + named(order[order.size() - 1 - i]);
  }
  return "costliest at " + OptionName(table.formats.back()) +
         " (nats/token): " + most + "\ncheapest: " + least + "\n";
}

std::string RenderChoice(const Report& report) {
  if (!report.choice) {
    return report.choice_note.empty() ? "" : report.choice_note + "\n";
  }
  const PlanSearchResult& choice = *report.choice;
  return "plan taken: " + DescribeSearch(choice) + " (" +
         FormatNumber(choice.fit_evaluations, 0) +
         " evaluations on fitting windows, " +
         FormatNumber(choice.judge_evaluations, 0) + " on held-out ones, " +
         FormatDuration(choice.seconds) + ")\n";
}

Json ChoiceJson(const Report& report) {
  if (!report.choice)
    return {{"taken", "solver"}, {"note", report.choice_note}};
  const PlanSearchResult& choice = *report.choice;
  Json judged = Json::array();
  for (const JudgedPlan& plan : choice.judged) {
    judged.push_back({{"name", plan.name},
                      {"fit_loss_nats", plan.fit_loss},
                      {"judge_loss_nats", plan.judge_loss}});
  }
  Json finals = Json::array();
  for (const FinalPlan& plan : choice.finals) {
    finals.push_back({{"name", plan.name},
                      {"loss_nats", plan.loss},
                      {"tokens", plan.tokens}});
  }
  return {{"taken", choice.best.name},
          {"swaps", choice.swaps},
          {"neighbours", choice.neighbours},
          {"fit_evaluations", choice.fit_evaluations},
          {"judge_evaluations", choice.judge_evaluations},
          {"seconds", choice.seconds},
          {"judged", judged},
          {"finals", finals}};
}

// Code widths stay whole numbers.
Json BitsJson(const BitFormat& format) {
  return format.mixed_columns() ? Json(NominalBits(format)) : Json(format.bits);
}

Json ReportJson(const Report& report) {
  Json rows = Json::array();
  for (const ReportRow& row : report.rows) rows.push_back(RowJson(row));
  Json units = Json::array();
  for (std::size_t u = 0; u < report.plan.units.size(); ++u) {
    const PlannedUnit& planned = report.plan.units[u];
    units.push_back(
        {{"name", planned.unit.name},
         {"bits", BitsJson(planned.format.base)},
         {"size_bytes", planned.size_bytes},
         {"cost_nats", report.sensitivities.estimate.surrogate.linear[u]}});
  }
  Json stages = Json::object();
  for (const StageTime& stage : report.stages) {
    stages[stage.name] = stage.seconds;
  }
  const SolveResult& solve = report.solve;
  const bool bounded = solve.bound > -std::numeric_limits<double>::infinity();
  return {
      {"model", report.model},
      {"budget", report.budget},
      {"byte_limit", report.byte_limit},
      {"calibration", report.calibration},
      {"evaluation", report.evaluation},
      {"rows", rows},
      {"solver",
       {{"name", solve.solver},
        {"termination", TerminationName(solve.termination)},
        {"limit", LimitName(solve.limit)},
        {"detail", solve.detail},
        {"objective", solve.objective},
        {"bound", bounded ? Json(solve.bound) : Json(nullptr)},
        {"relative_gap", bounded ? Json(solve.RelativeGap()) : Json(nullptr)},
        {"time_s", solve.stats.time_s}}},
      {"choice", ChoiceJson(report)},
      {"estimator", report.sensitivities.estimator},
      {"quantizer", report.sensitivities.quantizer},
      {"units", units},
      {"stages_s", stages}};
}

}  // namespace

std::string RenderMeasurement(const SensitivityTable& table) {
  std::string text = "measured by " + table.estimator + ": " +
                     FormatNumber(table.estimate.cost.evaluations, 1) +
                     " evaluations of " +
                     FormatCount(table.calibration_tokens) + " tokens, " +
                     FormatDuration(table.estimate.cost.seconds) + "\n";
  if (!table.estimate.detail.empty()) {
    text += "  " + table.estimate.detail + "\n";
  }
  return text + RenderFit(table, table.fit, "unseen assignments of any size") +
         RenderFit(table, table.fit_at_budget, "unseen ones at the budget");
}

RatioEstimate PairedDifference(std::span<const double> sums,
                               std::span<const double> others,
                               std::span<const double> window_tokens) {
  std::vector<double> difference(sums.begin(), sums.end());
  for (std::size_t w = 0; w < difference.size(); ++w) {
    difference[w] -= others[w];
  }
  return EstimateRatio(difference, window_tokens);
}

void ComparePlans(std::span<const double> window_tokens,
                  std::vector<ReportRow>& rows) {
  const std::vector<double> plan = rows.back().loss.window_nll;
  for (ReportRow& row : rows) {
    row.over_plan = PairedDifference(row.loss.window_nll, plan, window_tokens);
  }
}

UnitGrid ArrangeUnits(const std::vector<Unit>& units) {
  UnitGrid grid;
  for (std::size_t u = 0; u < units.size(); ++u) {
    const std::string& name = units[u].name;
    // "layers.N" and what follows.
    const std::size_t first = name.find('.');
    const std::size_t second =
        first == std::string::npos ? first : name.find('.', first + 1);
    const std::string row = name.substr(0, second);
    const std::string column =
        ColumnName(second == std::string::npos ? "" : name.substr(second + 1));
    if (grid.rows.empty() || grid.rows.back() != row) {
      grid.rows.push_back(row);
      grid.cells.emplace_back(grid.columns.size(), -1);
    }
    const auto found =
        std::find(grid.columns.begin(), grid.columns.end(), column);
    const auto at = static_cast<std::size_t>(found - grid.columns.begin());
    if (found == grid.columns.end()) {
      grid.columns.push_back(column);
      for (auto& cells : grid.cells) cells.push_back(-1);
    }
    grid.cells.back()[at] = static_cast<int>(u);
  }
  return grid;
}

double NominalBits(const BitFormat& format) {
  return format.mixed_columns()
             ? static_cast<double>(format.rate_e4) / kRateUnits
             : static_cast<double>(format.bits);
}

std::string BitsText(const BitFormat& format) {
  return format.mixed_columns() ? FormatNumber(NominalBits(format), 2)
                                : std::to_string(format.bits);
}

std::string RenderBitMap(const AllocationPlan& plan) {
  const UnitGrid grid = ArrangeUnits(UnitsOf(plan));
  std::vector<std::vector<std::string>> cells(1, {"bits"});
  cells[0].insert(cells[0].end(), grid.columns.begin(), grid.columns.end());
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    std::vector<std::string> line(1, grid.rows[r]);
    for (const int unit : grid.cells[r]) {
      line.push_back(
          unit < 0
              ? "-"
              : BitsText(
                    plan.units[static_cast<std::size_t>(unit)].format.base));
    }
    cells.push_back(std::move(line));
  }
  return RenderTable(cells);
}

std::string RenderReport(const Report& report) {
  std::string text = "\n" + report.model + ", budget " + report.budget + " = " +
                     FormatCount(report.byte_limit) + " bytes for " +
                     std::to_string(report.plan.units.size()) + " units\n";
  text += "evaluated on " + report.evaluation + "\n\n";
  text += RenderRows(report.rows) + "\n";
  text += RenderSolve(report.solve, report.sensitivities.options.seed) +
          RenderChoice(report) + RenderMeasurement(report.sensitivities) +
          RenderExtremes(report.sensitivities) + "\n";
  text += RenderBitMap(report.plan) + "\nstages:";
  for (const StageTime& stage : report.stages) {
    text += " " + stage.name + " " + FormatDuration(stage.seconds) +
            (&stage == &report.stages.back() ? "" : ",");
  }
  return text + "\n";
}

Expected<void> WriteReport(const std::filesystem::path& folder,
                           const Report& report) {
  Expected<void> written =
      WriteJsonFile(folder / "report.json",
                    {.format = "bitpact.report",
                     .version = 1,
                     .tool_version = {},
                     .seed = report.sensitivities.options.seed,
                     .inputs = report.sensitivities.inputs},
                    ReportJson(report));
  if (!written) return written;
  return WriteFileAtomically(folder / "report.html", RenderHtml(report));
}

}  // namespace bitpact
