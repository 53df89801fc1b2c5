// SPDX-License-Identifier: Apache-2.0
#include "solvers/best_known.h"

#include <charconv>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace bitpact {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> Fields(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, ',');) {
    while (!field.empty() && (field.back() == '\r' || field.back() == ' ')) {
      field.pop_back();
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

std::optional<double> Number(const std::string& text) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> FindIn(const fs::path& index_file,
                             const std::string& name,
                             const std::string& set) {
  std::ifstream index(index_file);
  std::string line;
  if (!std::getline(index, line)) return std::nullopt;
  std::map<std::string, std::size_t> column;
  for (const std::string& title : Fields(line)) {
    column.emplace(title, column.size());
  }
  const char* best = column.contains("opb_objective(min)")
                         ? "opb_objective(min)"
                         : "best_known";
  if (!column.contains("file") || !column.contains(best)) return std::nullopt;
  while (std::getline(index, line)) {
    const std::vector<std::string> fields = Fields(line);
    if (fields.size() < column.size()) continue;
    if (fields[column["file"]] != name) continue;
    if (column.contains("set") && fields[column["set"]] != set) continue;
    return Number(fields[column[best]]);
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> FindBestKnown(const fs::path& file) {
  const fs::path folder = fs::absolute(file).parent_path();
  const std::string name = file.filename().string();
  const std::string set = folder.filename().string();
  std::optional<double> found = FindIn(folder / "index.csv", name, set);
  if (!found) found = FindIn(folder.parent_path() / "index.csv", name, set);
  return found;
}

}  // namespace bitpact
