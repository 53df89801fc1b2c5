// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_REPORT_H_
#define BITPACT_CLI_REPORT_H_

// What `bitpact run` shows: measured perplexity of the plan beside full
// precision, all-high, all-low and other plans of the same bytes; the solver's
// claim; where the bits went. The same facts as text (terminal), JSON and HTML.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/allocation_plan.h"
#include "core/error.h"
#include "core/json_file.h"
#include "estimators/plan_search.h"
#include "estimators/sensitivity_table.h"
#include "models/perplexity.h"
#include "solvers/solve_result.h"

namespace bitpact {

// One model that was measured.
struct ReportRow {
  std::string name;
  std::int64_t unit_bytes = 0;   // of the allocated matrices
  std::int64_t model_bytes = 0;  // with everything that is kept as it is
  double bits_per_weight = 0.0;  // of the allocated matrices
  LossReport loss;
  // This row's nll minus the plan's, nats per token, with the standard error of
  // the difference window by window: both ran on the same text, so this is far
  // sharper than the two errors suggest. Set by ComparePlans.
  RatioEstimate over_plan;
};

// Sums of windows less those of `others`, a predicted token, paired by window.
// All of one length.
RatioEstimate PairedDifference(std::span<const double> sums,
                               std::span<const double> others,
                               std::span<const double> window_tokens);

// Fills over_plan of all rows; the last one is the plan. window_tokens:
// predicted tokens of each evaluation window.
void ComparePlans(std::span<const double> window_tokens,
                  std::vector<ReportRow>& rows);

// As a table; the last row is the plan.
std::string RenderRows(std::span<const ReportRow> rows);
Json RowJson(const ReportRow& row);
// What the solver claims.
std::string RenderSolve(const SolveResult& solve, std::uint64_t seed);

struct StageTime {
  std::string name;
  double seconds = 0.0;
};

struct Report {
  std::string model;            // folder as given
  std::string budget;           // as given
  std::int64_t byte_limit = 0;  // for the units
  std::string calibration;      // file and how it became windows
  std::string evaluation;
  std::vector<ReportRow> rows;
  AllocationPlan plan;
  SolveResult solve;
  // What was measured before the plan was taken; unset: the solver's plan as it
  // is, and `choice_note` says why.
  std::optional<PlanSearchResult> choice;
  std::string choice_note;
  SensitivityTable sensitivities;
  std::vector<StageTime> stages;
};

// What the estimate took and how it does on unseen assignments.
std::string RenderMeasurement(const SensitivityTable& table);

std::string RenderReport(const Report& report);

// What a format is called by in maps and in report.json: the code width, of
// mixed columns the stored rate. In bits a weight.
double NominalBits(const BitFormat& format);
// "3"; "2.25" of mixed columns.
std::string BitsText(const BitFormat& format);

// "block  q k v o gate up down" with NominalBits of each unit; one line a
// block.
std::string RenderBitMap(const AllocationPlan& plan);

// report.json and report.html in the folder.
Expected<void> WriteReport(const std::filesystem::path& folder,
                           const Report& report);

// Units as a grid, for maps: the row is the block, the column the kind of unit.
struct UnitGrid {
  std::vector<std::string> columns;
  std::vector<std::string> rows;
  // [row][column] -> index of the unit, -1 where there is none.
  std::vector<std::vector<int>> cells;
};
UnitGrid ArrangeUnits(const std::vector<Unit>& units);

}  // namespace bitpact

#endif  // BITPACT_CLI_REPORT_H_
