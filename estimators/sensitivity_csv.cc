// SPDX-License-Identifier: Apache-2.0
#include "estimators/sensitivity_csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/mapped_file.h"
#include "estimators/sensitivity_table.h"

namespace bitpact {
namespace {

// The number of "4 bit".
std::string BitsText(const FormatRule& rule) {
  const std::string name = OptionName(rule);
  return name.substr(0, name.find(' '));
}

namespace fs = std::filesystem;

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// The fields of a line; a field between double quotes may hold commas.
std::vector<std::string> Split(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  for (std::string& field : fields) field = std::string(Trimmed(field));
  return fields;
}

// One table of a file, line by line.
class Table {
 public:
  static Expected<Table> Read(const fs::path& file,
                              std::vector<std::string> columns,
                              std::size_t required) {
    const Expected<MappedFile> mapped = MappedFile::Open(file);
    if (!mapped) return tl::unexpected(mapped.error());
    Table table;
    table.file_ = file.string();
    std::string_view rest(reinterpret_cast<const char*>(mapped->bytes().data()),
                          mapped->bytes().size());
    for (std::size_t number = 1; !rest.empty(); ++number) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      const std::string_view line = Trimmed(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.empty() || line.front() == '#') continue;
      table.rows_.push_back({number, Split(line)});
    }
    std::string header;
    for (const std::string& column : columns) {
      header += (header.empty() ? "" : ",") + column;
    }
    if (table.rows_.empty()) {
      return InvalidArgument(table.file_ + ": empty; its header is " + header);
    }
    const Row& first = table.rows_.front();
    const std::size_t width = first.fields.size();
    if (width < required || width > columns.size() ||
        !std::equal(
            first.fields.begin(), first.fields.end(), columns.begin())) {
      return tl::unexpected(table.At(
          first,
          "the header must be " + header +
              (required < columns.size() ? " (the last may be left out)"
                                         : "")));
    }
    table.rows_.erase(table.rows_.begin());
    for (const Row& row : table.rows_) {
      if (row.fields.size() != width) {
        return tl::unexpected(table.At(row,
                                       std::to_string(row.fields.size()) +
                                           " values under " +
                                           std::to_string(width) + " columns"));
      }
    }
    return table;
  }

  struct Row {
    std::size_t line;
    std::vector<std::string> fields;
  };
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] Error At(const Row& row, const std::string& what) const {
    return {ErrorCode::kInvalidArgument,
            file_ + ": line " + std::to_string(row.line) + ": " + what};
  }
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::vector<Row> rows_;
};

// Names in the files as indices.
class Names {
 public:
  Names(const std::vector<Unit>& units, const std::vector<FormatRule>& formats)
      : units_(units), formats_(formats) {}

  [[nodiscard]] Expected<int> FindUnit(const std::string& name) const {
    const auto found = std::ranges::find(units_, name, &Unit::name);
    if (found == units_.end()) {
      return InvalidArgument("unit '" + name + "' is not one of the " +
                             std::to_string(units_.size()) +
                             " of this model and --granularity, e.g. '" +
                             units_.front().name + "'");
    }
    return static_cast<int>(found - units_.begin());
  }
  [[nodiscard]] Expected<int> FindOption(const std::string& text) const {
    std::string known;
    for (std::size_t o = 0; o < formats_.size(); ++o) {
      const std::string bits = BitsText(formats_[o]);
      if (text == bits || text == bits + " bit") return static_cast<int>(o);
      known += (o == 0 ? "" : ", ") + bits;
    }
    return InvalidArgument("option '" + text +
                           "' is not one of --bits: " + known);
  }
  [[nodiscard]] static Expected<double> Number(const std::string& text) {
    double value = 0.0;
    const auto [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size() ||
        !std::isfinite(value)) {
      return InvalidArgument("'" + text + "' is not a finite number");
    }
    return value;
  }

 private:
  const std::vector<Unit>& units_;
  const std::vector<FormatRule>& formats_;
};

Expected<void> ReadCosts(const Table& table,
                         const Names& names,
                         const std::vector<Unit>& units,
                         const std::vector<FormatRule>& formats,
                         Surrogate& surrogate) {
  const std::vector<double> zeros(formats.size(), 0.0);
  surrogate.linear.assign(units.size(), zeros);
  const bool has_errors =
      !table.rows().empty() && table.rows().front().fields.size() == 4;
  if (has_errors) surrogate.linear_standard_error = surrogate.linear;
  std::set<std::pair<int, int>> seen;
  for (const Table::Row& row : table.rows()) {
    const Expected<int> unit = names.FindUnit(row.fields[0]);
    if (!unit) return tl::unexpected(table.At(row, unit.error().message));
    const Expected<int> option = names.FindOption(row.fields[1]);
    if (!option) return tl::unexpected(table.At(row, option.error().message));
    const Expected<double> cost = Names::Number(row.fields[2]);
    if (!cost) return tl::unexpected(table.At(row, cost.error().message));
    if (!seen.emplace(*unit, *option).second) {
      return tl::unexpected(table.At(row,
                                     "unit '" + row.fields[0] + "', option '" +
                                         row.fields[1] +
                                         "' stands there twice"));
    }
    const auto u = static_cast<std::size_t>(*unit);
    const auto o = static_cast<std::size_t>(*option);
    surrogate.linear[u][o] = *cost;
    if (!has_errors) continue;
    const Expected<double> error = Names::Number(row.fields[3]);
    if (!error) return tl::unexpected(table.At(row, error.error().message));
    if (*error < 0.0) {
      return tl::unexpected(table.At(row, "a standard error is >= 0"));
    }
    surrogate.linear_standard_error[u][o] = *error;
  }
  for (int u = 0; u < std::ssize(units); ++u) {
    for (int o = 1; o < std::ssize(formats); ++o) {
      if (seen.contains({u, o})) continue;
      return InvalidArgument(
          table.file() + ": unit '" + units[static_cast<std::size_t>(u)].name +
          "', option '" + BitsText(formats[static_cast<std::size_t>(o)]) +
          "' is missing");
    }
  }
  return {};
}

Expected<void> ReadPairs(const Table& table,
                         const Names& names,
                         Surrogate& surrogate) {
  std::set<std::tuple<int, int, int, int>> seen;
  for (const Table::Row& row : table.rows()) {
    SurrogatePair pair;
    for (const auto& [place, target] :
         {std::pair{0, &pair.unit_a}, std::pair{2, &pair.unit_b}}) {
      const auto at = static_cast<std::size_t>(place);
      const Expected<int> unit = names.FindUnit(row.fields[at]);
      if (!unit) return tl::unexpected(table.At(row, unit.error().message));
      const Expected<int> option = names.FindOption(row.fields[at + 1]);
      if (!option) return tl::unexpected(table.At(row, option.error().message));
      *target = *unit;
      (place == 0 ? pair.option_a : pair.option_b) = *option;
    }
    const Expected<double> cost = Names::Number(row.fields[4]);
    if (!cost) return tl::unexpected(table.At(row, cost.error().message));
    pair.value = *cost;
    if (pair.unit_a == pair.unit_b) {
      return tl::unexpected(table.At(row, "a unit has no pair with itself"));
    }
    if (pair.unit_a > pair.unit_b) {
      std::swap(pair.unit_a, pair.unit_b);
      std::swap(pair.option_a, pair.option_b);
    }
    if (!seen.emplace(pair.unit_a, pair.option_a, pair.unit_b, pair.option_b)
             .second) {
      return tl::unexpected(table.At(row, "this pair stands there twice"));
    }
    surrogate.pairs.push_back(pair);
  }
  return {};
}

}  // namespace

Expected<Surrogate> ReadSensitivityCsv(
    const fs::path& file,
    const std::optional<fs::path>& pairs_file,
    const std::vector<Unit>& units,
    const std::vector<FormatRule>& formats) {
  const Names names(units, formats);
  const Expected<Table> costs =
      Table::Read(file, {"unit", "option", "cost", "standard_error"}, 3);
  if (!costs) return tl::unexpected(costs.error());
  Surrogate surrogate;
  Expected<void> done = ReadCosts(*costs, names, units, formats, surrogate);
  if (!done) return tl::unexpected(done.error());
  if (!pairs_file) return surrogate;
  const Expected<Table> pairs = Table::Read(
      *pairs_file, {"unit_a", "option_a", "unit_b", "option_b", "cost"}, 5);
  if (!pairs) return tl::unexpected(pairs.error());
  done = ReadPairs(*pairs, names, surrogate);
  if (!done) return tl::unexpected(done.error());
  return surrogate;
}

}  // namespace bitpact
