// SPDX-License-Identifier: Apache-2.0
#include "cli/text_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace bitpact {

std::string RenderTable(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], row[c].size());
    }
  }
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const std::string padding(widths[c] - rows[r][c].size(), ' ');
      line += c == 0 ? rows[r][c] + padding : "  " + padding + rows[r][c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
    if (r > 0) continue;
    std::size_t total = 0;
    for (const std::size_t width : widths) total += width + 2;
    text += std::string(total - 2, '-') + "\n";
  }
  return text;
}

namespace {

// Digits worth printing behind the point of a number of this size.
int DigitsFor(double value, int digits) {
  const double size = std::abs(value);
  const int lost = size >= 1e4   ? 4
                   : size >= 1e3 ? 3
                   : size >= 1e2 ? 2
                   : size >= 1e1 ? 1
                                 : 0;
  return std::max(0, digits - lost);
}

std::string Fixed(double value, int digits) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

}  // namespace

std::string FormatNumber(double value, int digits) {
  return Fixed(value, DigitsFor(value, digits));
}

std::string FormatEstimate(const RatioEstimate& estimate, int digits) {
  const int shown = DigitsFor(estimate.mean, digits);
  return Fixed(estimate.mean, shown) + " +- " +
         Fixed(estimate.standard_error, shown);
}

std::string FormatSmall(double value) {
  if (std::isinf(value)) return "none";
  if (value == 0.0) return "0";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2g", value);
  return text.data();
}

}  // namespace bitpact
