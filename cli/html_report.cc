// SPDX-License-Identifier: Apache-2.0
#include "cli/html_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>

#include "cli/text_table.h"

namespace bitpact {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem;color:#1d2733}h1{font-size:1.5rem}h2{font-size:1.15rem;"
    "margin-top:2rem}table{border-collapse:collapse;margin:1rem "
    "0}td,th{padding:"
    ".25rem .7rem;text-align:right;border-bottom:1px solid "
    "#d9dfe6}td:first-child,"
    "th:first-child{text-align:left}tr.plan "
    "td{font-weight:600;background:#eef5ff}"
    "svg text{font:12px "
    "system-ui,sans-serif;fill:#1d2733}p.note{color:#55616e}";

std::string Number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

// FormatEstimate with the typographic sign.
std::string Signed(const RatioEstimate& estimate, int digits) {
  std::string text = FormatEstimate(estimate, digits);
  const std::string plain = "+-";
  const std::size_t at = text.find(plain);
  if (at != std::string::npos) text.replace(at, plain.size(), "\u00b1");
  return text;
}

struct Colour {
  double red;
  double green;
  double blue;
};

// From light to dark as `share` goes from 0 to 1.
std::string Shade(double share, const Colour& dark) {
  constexpr double kLight = 240.0;
  const double t = std::clamp(share, 0.0, 1.0);
  std::array<char, 16> text{};
  std::snprintf(text.data(),
                text.size(),
                "#%02x%02x%02x",
                static_cast<unsigned>(kLight + t * (dark.red - kLight)),
                static_cast<unsigned>(kLight + t * (dark.green - kLight)),
                static_cast<unsigned>(kLight + t * (dark.blue - kLight)));
  return text.data();
}

std::string Text(double x,
                 double y,
                 const std::string& anchor,
                 const std::string& text,
                 const std::string& fill = "") {
  return "<text x='" + Number(x) + "' y='" + Number(y) + "' text-anchor='" +
         anchor + "'" + (fill.empty() ? "" : " style='fill:" + fill + "'") +
         ">" + EscapeHtml(text) + "</text>";
}

std::string Box(
    double x, double y, double width, double height, const std::string& fill) {
  return "<rect x='" + Number(x) + "' y='" + Number(y) + "' width='" +
         Number(width) + "' height='" + Number(height) + "' fill='" + fill +
         "'/>";
}

std::string Svg(double width, double height, const std::string& body) {
  return "<svg viewBox='0 0 " + Number(width) + " " + Number(height) +
         "' width='" + Number(width) + "' height='" + Number(height) +
         "' role='img'>" + body + "</svg>";
}

struct Cell {
  double share = 0.0;
  std::string label;
};

// The model as a grid, a row a block; `cell` gives the look of a unit.
std::string ModelMap(const UnitGrid& grid,
                     const Colour& dark,
                     const std::function<Cell(std::size_t)>& cell) {
  constexpr double kLeft = 90.0;
  constexpr double kTop = 24.0;
  constexpr double kWidth = 74.0;
  constexpr double kHeight = 22.0;
  std::string body;
  for (std::size_t c = 0; c < grid.columns.size(); ++c) {
    body += Text(kLeft + (static_cast<double>(c) + 0.5) * kWidth,
                 kTop - 8.0,
                 "middle",
                 grid.columns[c]);
  }
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    const double y = kTop + static_cast<double>(r) * kHeight;
    body += Text(kLeft - 8.0, y + 15.0, "end", grid.rows[r]);
    for (std::size_t c = 0; c < grid.columns.size(); ++c) {
      if (grid.cells[r][c] < 0) continue;
      const Cell look = cell(static_cast<std::size_t>(grid.cells[r][c]));
      const double x = kLeft + static_cast<double>(c) * kWidth;
      body += Box(x, y, kWidth - 2.0, kHeight - 2.0, Shade(look.share, dark));
      body += Text(x + kWidth / 2.0 - 1.0,
                   y + 15.0,
                   "middle",
                   look.label,
                   look.share > 0.55 ? "#fff" : "");
    }
  }
  return Svg(kLeft + static_cast<double>(grid.columns.size()) * kWidth,
             kTop + static_cast<double>(grid.rows.size()) * kHeight,
             body);
}

std::string PerplexityChart(const Report& report) {
  constexpr double kLeft = 190.0;
  constexpr double kWidth = 460.0;
  constexpr double kHeight = 28.0;
  double least = 1e300;
  double greatest = 0.0;
  for (const ReportRow& row : report.rows) {
    least = std::min(least, std::log(row.loss.perplexity.mean));
    greatest = std::max(greatest, std::log(row.loss.perplexity.mean));
  }
  // A bar for the best model too, so that it can be seen.
  const double origin = least - 0.08 * std::max(greatest - least, 1e-6);
  const double scale = kWidth / std::max(greatest - origin, 1e-9);
  std::string body;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const ReportRow& row = report.rows[i];
    const double y = static_cast<double>(i) * kHeight;
    const double end = (std::log(row.loss.perplexity.mean) - origin) * scale;
    const double error = row.loss.nll.standard_error * scale;
    body += Text(kLeft - 8.0, y + 17.0, "end", row.name);
    body += Box(kLeft,
                y + 4.0,
                end,
                kHeight - 9.0,
                row.name == "plan" ? "#2463c9" : "#9db2c9");
    body += Box(kLeft + end - error, y + 12.0, 2.0 * error, 2.0, "#1d2733");
    body += Text(kLeft + end + error + 6.0,
                 y + 17.0,
                 "start",
                 Signed(row.loss.perplexity, 3));
  }
  return Svg(kLeft + kWidth + 150.0,
             static_cast<double>(report.rows.size()) * kHeight,
             body);
}

std::string RowsTable(const Report& report) {
  std::string html =
      "<table><tr><th>plan</th><th>unit bytes</th><th>bits/weight</th>"
      "<th>model bytes</th><th>perplexity</th><th>KL, nats/token</th>"
      "<th>nll over plan</th></tr>";
  for (const ReportRow& row : report.rows) {
    html += std::string("<tr") + (row.name == "plan" ? " class='plan'" : "") +
            "><td>" + EscapeHtml(row.name) + "</td><td>" +
            FormatCount(row.unit_bytes) + "</td><td>" +
            FormatNumber(row.bits_per_weight, 3) + "</td><td>" +
            FormatCount(row.model_bytes) + "</td><td>" +
            Signed(row.loss.perplexity, 3) + "</td><td>" +
            Signed(row.loss.kl, 4) + "</td><td>" +
            (&row == &report.rows.back() ? "-" : Signed(row.over_plan, 4)) +
            "</td></tr>";
  }
  return html + "</table>";
}

std::string BitsMap(const Report& report, const UnitGrid& grid) {
  double most = 2.0;
  double least = 8.0;
  for (const PlannedUnit& unit : report.plan.units) {
    most = std::max(most, NominalBits(unit.format.base));
    least = std::min(least, NominalBits(unit.format.base));
  }
  return ModelMap(grid, {28, 84, 178}, [&](std::size_t u) {
    const BitFormat& format = report.plan.units[u].format.base;
    return Cell{most > least
                    ? 0.1 + 0.9 * (NominalBits(format) - least) / (most - least)
                    : 0.5,
                BitsText(format)};
  });
}

std::string CostMap(const Report& report, const UnitGrid& grid) {
  const auto& linear = report.sensitivities.estimate.surrogate.linear;
  double greatest = 1e-12;
  for (const std::vector<double>& cost : linear) {
    greatest = std::max(greatest, cost.back());
  }
  return ModelMap(grid, {170, 46, 37}, [&](std::size_t u) {
    const double cost = linear[u].back();
    return Cell{std::sqrt(std::max(cost, 0.0) / greatest),
                FormatNumber(cost, 3)};
  });
}

}  // namespace

std::string EscapeHtml(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string RenderHtml(const Report& report) {
  const UnitGrid grid = ArrangeUnits(report.sensitivities.units);
  const SolveResult& solve = report.solve;
  std::string html =
      "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
      "<title>bitpact report</title><style>" +
      std::string(kStyle) + "</style></head><body><h1>" +
      EscapeHtml(report.model) + " at " + EscapeHtml(report.budget) + "</h1>";
  html += "<p>" + FormatCount(report.byte_limit) + " bytes for " +
          std::to_string(report.plan.units.size()) + " units; evaluated on " +
          EscapeHtml(report.evaluation) + "; calibrated on " +
          EscapeHtml(report.calibration) + ".</p>";
  html +=
      "<h2>Measured</h2>" + RowsTable(report) + PerplexityChart(report) +
      "<p class='note'>Bars on a logarithmic scale; the dark line is one "
      "standard error either side, over evaluation windows. The last column "
      "compares window by window on the same text, so its error is far "
      "smaller than the two perplexities' errors suggest.</p>";
  html += "<h2>The allocation</h2><p>Solver " + EscapeHtml(solve.solver) +
          ": " + TerminationName(solve.termination) + ", objective " +
          FormatNumber(solve.objective, 6);
  html += std::isinf(solve.bound)
              ? ", no bound claimed"
              : ", bound " + FormatNumber(solve.bound, 6) + ", gap " +
                    FormatSmall(solve.RelativeGap());
  html += ". " + EscapeHtml(solve.detail) + "</p>";
  html += "<h2>Where the bits went</h2>" + BitsMap(report, grid);
  html += "<h2>What " + OptionName(report.sensitivities.formats.back()) +
          " cost there</h2>" + CostMap(report, grid) +
          "<p class='note'>Linear cost of the lowest format, nats per token, "
          "estimator " +
          EscapeHtml(report.sensitivities.estimator) +
          "; colour by square root.</p></body></html>\n";
  return html;
}

}  // namespace bitpact
