// SPDX-License-Identifier: Apache-2.0
#include "solvers/bqp_reader.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "solvers/text_scanner.h"

namespace bitpact {
namespace {

constexpr std::int64_t kMostVariables = 20000;
constexpr std::int64_t kLargestValue = std::int64_t{1} << 40U;

void ReadEntry(TextScanner& scanner,
               std::int64_t n,
               AllocationProblem& problem) {
  const std::int64_t i = scanner.Number("row index", 1, n);
  const std::int64_t j = scanner.Number("column index", i, n);
  const auto value = static_cast<double>(
      scanner.Number("entry", -kLargestValue, kLargestValue));
  if (scanner.failed()) return;
  if (i == j) {
    problem.units[static_cast<std::size_t>(i - 1)].options[1].cost += value;
  } else if (value != 0.0) {
    problem.pairs.Add(
        static_cast<int>(2 * i - 1), static_cast<int>(2 * j - 1), 2.0 * value);
  }
}

}  // namespace

Expected<AllocationProblem> ReadBqp(const std::filesystem::path& file) {
  Expected<TextScanner> opened = TextScanner::Open(file);
  if (!opened) return tl::unexpected(opened.error());
  TextScanner& scanner = *opened;
  const std::int64_t n =
      scanner.Number("the number of variables", 1, kMostVariables);
  const std::int64_t entries =
      scanner.Number("the number of entries", 0, n * (n + 1) / 2);
  if (scanner.failed()) return tl::unexpected(scanner.error());
  AllocationProblem problem;
  for (std::int64_t i = 1; i <= n; ++i) {
    problem.units.push_back(
        {"x" + std::to_string(i), {{"0", 0.0, {}}, {"1", 0.0, {}}}});
  }
  for (std::int64_t e = 0; e < entries && !scanner.failed(); ++e) {
    ReadEntry(scanner, n, problem);
  }
  if (!scanner.failed() && !scanner.AtEnd()) {
    scanner.FailHere(
        ErrorCode::kInvalidArgument,
        "more than the " + std::to_string(entries) + " entries announced");
  }
  if (scanner.failed()) return tl::unexpected(scanner.error());
  return problem;
}

}  // namespace bitpact
