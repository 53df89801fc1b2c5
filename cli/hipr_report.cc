// SPDX-License-Identifier: Apache-2.0
#include "cli/hipr_report.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "cli/gnuplot.h"
#include "cli/text_table.h"
#include "core/atomic_file.h"
#include "core/json_file.h"

namespace bitpact {
namespace {

double RatioOf(const PlannedUnit& planned) {
  return static_cast<double>(planned.format.base.high_rows_e4) / kRatioUnits;
}

UnitGrid GridOf(const AllocationPlan& plan) {
  std::vector<Unit> units;
  for (const PlannedUnit& planned : plan.units) units.push_back(planned.unit);
  return ArrangeUnits(units);
}

const PlannedUnit& At(const AllocationPlan& plan, int unit) {
  return plan.units[static_cast<std::size_t>(unit)];
}

std::string RenderLearned(const std::vector<ReconstructionOutcome>& learned) {
  std::string text;
  for (const ReconstructionOutcome& block : learned) {
    text += "block " + std::to_string(block.layer) + ": held-out loss " +
            FormatSmall(block.start_loss) + " -> " + FormatSmall(block.loss) +
            " (" + FormatNumber(block.loss / block.start_loss, 3) +
            ") at step " + std::to_string(block.best_iteration) + " of " +
            std::to_string(block.iterations) + "\n";
  }
  return text;
}

// A line a cell: column, row, ratio.
std::string RatioData(const AllocationPlan& plan) {
  const UnitGrid grid = GridOf(plan);
  std::string text = "# matrix  block  share of wide rows\n";
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    for (std::size_t c = 0; c < grid.columns.size(); ++c) {
      const int unit = grid.cells[r][c];
      if (unit < 0) continue;
      text += std::to_string(c) + " " + std::to_string(r) + " " +
              FormatNumber(RatioOf(At(plan, unit)), 4) + "\n";
    }
  }
  return text;
}

std::string RatioScript(const AllocationPlan& plan,
                        const std::string& allocation) {
  const UnitGrid grid = GridOf(plan);
  const auto rows = static_cast<int>(grid.rows.size());
  const auto columns = static_cast<int>(grid.columns.size());
  int high = 0;
  double greatest = 0.0;
  for (const PlannedUnit& planned : plan.units) {
    high = std::max(high, planned.format.base.high_bits);
    greatest = std::max(greatest, RatioOf(planned));
  }
  const std::string width = high == kFloat16Bits
                                ? "in float16"
                                : "at " + std::to_string(high) + " bits";
  const int width_px = 220 + 90 * columns;
  const int height_px = 150 + std::clamp(720 / rows, 14, 48) * rows;
  const auto size = [&](double factor) {
    return std::to_string(static_cast<int>(factor * width_px)) + "," +
           std::to_string(static_cast<int>(factor * height_px));
  };
  std::string text =
      "# gnuplot hipr-ratios.gp draws hipr-ratios.svg and hipr-ratios.png\n"
      "set title 'share of rows " +
      width + " (" + allocation +
      ")'\nset xrange [-0.5:" + std::to_string(columns) +
      "-0.5]\nset yrange [" + std::to_string(rows) + "-0.5:-0.5]\nset xtics (";
  for (int c = 0; c < columns; ++c) {
    text += (c == 0 ? "'" : ", '") + grid.columns[static_cast<std::size_t>(c)] +
            "' " + std::to_string(c);
  }
  text +=
      ") scale 0\nset ytics scale 0\nset ylabel 'block'\nset cblabel 'share'\n"
      "set cbrange [0:" +
      FormatNumber(std::max(greatest, 0.01), 4) +
      "]\nset palette defined (0 '#f7fbff', 0.5 '#6baed6', 1 '#08306b')\n"
      "unset key\n"
      "do for [kind in 'svg png'] {\n"
      "if (kind eq 'svg') { set terminal svg size " +
      size(1.0) +
      " font 'sans,13' background 'white' }\n"
      "if (kind eq 'png') { set terminal pngcairo size " +
      size(1.5) +
      " font 'sans,15' }\n"
      "set output 'hipr-ratios.'.kind\n"
      "plot 'hipr-ratios.dat' using 1:2:3 with image pixels, '' using "
      "1:2:(sprintf('%.2g', $3)):($3 > " +
      FormatNumber(0.55 * greatest, 4) +
      " ? 0xffffff : 0x000000) with labels textcolor rgb variable\n}\n"
      "unset output\n";
  return text;
}

Json ReportJson(const HiprReport& report) {
  Json rows = Json::array();
  for (const ReportRow& row : report.rows) rows.push_back(RowJson(row));
  Json units = Json::array();
  for (const PlannedUnit& planned : report.plan.units) {
    units.push_back({{"name", planned.unit.name},
                     {"format", FormatName(planned.format.base)},
                     {"ratio", RatioOf(planned)},
                     {"bytes", planned.size_bytes}});
  }
  Json learned = Json::array();
  for (const ReconstructionOutcome& block : report.learned) {
    learned.push_back({{"layer", block.layer},
                       {"start_loss", block.start_loss},
                       {"loss", block.loss},
                       {"iterations", block.iterations},
                       {"best_iteration", block.best_iteration}});
  }
  return {{"model", report.model},
          {"budget", report.budget},
          {"byte_limit", report.byte_limit},
          {"evaluation", report.evaluation},
          {"allocation", report.allocation},
          {"evaluations", report.evaluations},
          {"predicted_increase_nats", report.predicted},
          {"measured_increase_nats", report.measured},
          {"continuous",
           {{"objective", report.continuous_objective},
            {"bound", report.continuous_bound},
            {"convexifying_shift", report.continuous_shift}}},
          {"rows", rows},
          {"units", units},
          {"row_ranking", report.row_ranking},
          {"learning", report.learning},
          {"learned", learned}};
}

}  // namespace

std::string RenderRatios(const AllocationPlan& plan) {
  const UnitGrid grid = GridOf(plan);
  std::vector<std::vector<std::string>> cells(1, {"wide rows"});
  cells[0].insert(cells[0].end(), grid.columns.begin(), grid.columns.end());
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    std::vector<std::string> line(1, grid.rows[r]);
    for (const int unit : grid.cells[r]) {
      line.push_back(unit < 0 ? "-" : FormatNumber(RatioOf(At(plan, unit)), 3));
    }
    cells.push_back(std::move(line));
  }
  return RenderTable(cells);
}

std::string RenderHipr(const HiprReport& report) {
  std::string text = "\n" + report.model + ", budget " + report.budget + " = " +
                     FormatCount(report.byte_limit) + " bytes for " +
                     std::to_string(report.plan.units.size()) +
                     " matrices\nevaluated on " + report.evaluation + "\n\n" +
                     RenderRows(report.rows) + "\n" +
                     RenderSolve(report.solve, report.seed);
  text += "loss increase on calibration text: predicted " +
          FormatNumber(report.predicted, 4) + ", measured " +
          FormatNumber(report.measured, 4) + " nats/token; " +
          FormatNumber(report.evaluations, 0) + " evaluations\n";
  text += "continuous ratios: objective " +
          FormatNumber(report.continuous_objective, 4) + ", bound " +
          FormatNumber(report.continuous_bound, 4) +
          (report.continuous_shift > 0.0
               ? ", convexified by " + FormatSmall(report.continuous_shift)
               : ", convex as fitted") +
          "\n";
  return text + RenderLearned(report.learned) + "\n" +
         "taken: " + report.allocation + "\n" + RenderRatios(report.plan);
}

Expected<std::string> WriteHipr(const std::filesystem::path& folder,
                                const HiprReport& report) {
  Expected<void> done = WriteJsonFile(folder / "hipr.json",
                                      {.format = "bitpact.hipr",
                                       .version = 1,
                                       .tool_version = {},
                                       .seed = report.seed,
                                       .inputs = {}},
                                      ReportJson(report));
  if (!done) return tl::unexpected(done.error());
  done =
      WriteFileAtomically(folder / "hipr-ratios.dat", RatioData(report.plan));
  if (!done) return tl::unexpected(done.error());
  done = WriteFileAtomically(folder / "hipr-ratios.gp",
                             RatioScript(report.plan, report.allocation));
  if (!done) return tl::unexpected(done.error());
  return RunGnuplot(folder, "hipr-ratios.gp")
             ? std::string()
             : NoPicturesNote(folder, "hipr-ratios.gp");
}

}  // namespace bitpact
