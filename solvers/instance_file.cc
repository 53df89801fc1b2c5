// SPDX-License-Identifier: Apache-2.0
#include "solvers/instance_file.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "solvers/bqp_reader.h"
#include "solvers/opb_reader.h"
#include "solvers/problem_file.h"
#include "solvers/qkp_reader.h"

namespace bitpact {
namespace {

struct FormatRow {
  InstanceFormat format;
  const char* name;
  const char* extension;
};
constexpr auto kFormats = std::to_array<FormatRow>({
    {InstanceFormat::kProblem, "problem", ".json"},
    {InstanceFormat::kQkp, "qkp", ".txt"},
    {InstanceFormat::kBqp, "bqp", ".sparse"},
    {InstanceFormat::kOpb, "opb", ".opb"},
});

// The words of the next line that has any; no more than a few matter.
std::vector<std::string> NextWords(std::istream& text) {
  std::vector<std::string> words;
  for (std::string line; words.empty() && std::getline(text, line);) {
    std::istringstream stream(line);
    for (std::string word; words.size() < 3 && stream >> word;) {
      words.push_back(word);
    }
  }
  return words;
}

bool IsWhole(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isdigit(c) != 0;
  });
}

std::optional<InstanceFormat> ByContent(const std::string& beginning) {
  std::istringstream text(beginning);
  const std::vector<std::string> first = NextWords(text);
  if (first.empty()) return std::nullopt;
  if (first[0][0] == '{') return InstanceFormat::kProblem;
  if (first[0][0] == '*' || first[0].starts_with("min:")) {
    return InstanceFormat::kOpb;
  }
  if (first.size() == 2 && IsWhole(first[0]) && IsWhole(first[1])) {
    return InstanceFormat::kBqp;
  }
  const std::vector<std::string> second = NextWords(text);
  if (first.size() == 1 && second.size() == 1 && IsWhole(second[0])) {
    return InstanceFormat::kQkp;
  }
  return std::nullopt;
}

}  // namespace

const char* InstanceFormatName(InstanceFormat format) {
  for (const FormatRow& row : kFormats) {
    if (row.format == format) return row.name;
  }
  return "unknown";
}

Expected<InstanceFormat> ParseInstanceFormat(const std::string& name) {
  std::string known;
  for (const FormatRow& row : kFormats) {
    if (name == row.name) return row.format;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  return InvalidArgument("format '" + name + "' is not one of: " + known);
}

Expected<InstanceFormat> DetectInstanceFormat(
    const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::error_code ignored;
  if (!stream || std::filesystem::is_directory(file, ignored)) {
    return Fail(ErrorCode::kNotFound, file.string() + ": cannot be read");
  }
  std::string beginning(4096, '\0');
  stream.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  beginning.resize(static_cast<std::size_t>(stream.gcount()));
  const std::optional<InstanceFormat> format = ByContent(beginning);
  if (format) return *format;
  for (const FormatRow& row : kFormats) {
    if (file.extension() == row.extension) return row.format;
  }
  return InvalidArgument(file.string() +
                         ": neither content nor extension tell the format; "
                         "name it: problem, qkp, bqp or opb");
}

Expected<Instance> ReadInstance(const std::filesystem::path& file,
                                InstanceFormat format) {
  Instance instance;
  instance.format = format;
  Expected<AllocationProblem> problem = AllocationProblem{};
  if (format == InstanceFormat::kProblem) {
    problem = ReadProblem(file);
  } else if (format == InstanceFormat::kQkp) {
    problem = ReadQkp(file);
  } else if (format == InstanceFormat::kBqp) {
    problem = ReadBqp(file);
  } else {
    Expected<OpbProblem> read = ReadOpb(file);
    if (!read) return tl::unexpected(read.error());
    problem = std::move(read->problem);
  }
  if (!problem) return tl::unexpected(problem.error());
  const Expected<void> valid = Validate(*problem);
  if (!valid) {
    return Fail(valid.error().code,
                file.string() + ": " + valid.error().message);
  }
  instance.problem = std::move(*problem);
  return instance;
}

}  // namespace bitpact
