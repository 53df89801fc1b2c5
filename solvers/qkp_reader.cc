// SPDX-License-Identifier: Apache-2.0
#include "solvers/qkp_reader.h"

#include <charconv>
#include <cstdint>
#include <fstream>
#include <string>
#include <system_error>

namespace bitpact {
namespace {

constexpr std::int64_t kMostItems = 20000;
constexpr std::int64_t kLargestWeight = std::int64_t{1} << 40U;
constexpr std::int64_t kLargestProfit = std::int64_t{1} << 40U;

// Reads whole numbers one after the other and remembers the first error.
class NumberStream {
 public:
  explicit NumberStream(const std::filesystem::path& file)
      : path_(file.string()), stream_(file) {}

  [[nodiscard]] bool IsOpen() const { return stream_.is_open(); }
  void SkipLine() {
    std::string line;
    std::getline(stream_, line);
  }

  // `least` once an error was met.
  std::int64_t Next(const std::string& what,
                    std::int64_t least,
                    std::int64_t greatest) {
    if (!error_.message.empty()) return least;
    std::string token;
    if (!(stream_ >> token)) {
      error_ = {ErrorCode::kDataLoss, path_ + ": ends before " + what};
      return least;
    }
    std::int64_t value = 0;
    const char* end = token.data() + token.size();
    const auto [stop, failure] = std::from_chars(token.data(), end, value);
    if (failure != std::errc() || stop != end || value < least ||
        value > greatest) {
      error_ = {ErrorCode::kInvalidArgument,
                path_ + ": " + what + " = '" + token.substr(0, 40) +
                    "' is not a whole number within " + std::to_string(least) +
                    " and " + std::to_string(greatest)};
      return least;
    }
    return value;
  }

  [[nodiscard]] const Error& error() const { return error_; }

 private:
  std::string path_;
  std::ifstream stream_;
  Error error_;
};

}  // namespace

Expected<AllocationProblem> ReadQkp(const std::filesystem::path& file) {
  NumberStream stream(file);
  if (!stream.IsOpen()) {
    return Fail(ErrorCode::kNotFound, file.string() + ": cannot be opened");
  }
  stream.SkipLine();
  const std::int64_t n = stream.Next("the number of items", 1, kMostItems);
  AllocationProblem problem;
  problem.resources = {{"capacity", 0}};
  const auto profit = [&](const std::string& what) {
    return -static_cast<double>(
        stream.Next(what, -kLargestProfit, kLargestProfit));
  };
  for (std::int64_t i = 0; i < n; ++i) {
    const std::string name = "item" + std::to_string(i);
    problem.units.push_back(
        {name, {{"out", 0.0, {0}}, {"in", profit("profit of " + name), {0}}}});
  }
  for (std::int64_t i = 0; i < n && stream.error().message.empty(); ++i) {
    for (std::int64_t j = i + 1; j < n; ++j) {
      const double value = profit("pair profit");
      if (value == 0.0) continue;
      problem.pairs.Add(
          static_cast<int>(2 * i + 1), static_cast<int>(2 * j + 1), value);
    }
  }
  stream.Next("the kind of the row", 0, 0);
  problem.resources[0].limit = stream.Next("the capacity", 0, kLargestWeight);
  for (ProblemUnit& unit : problem.units) {
    unit.options[1].sizes = {
        stream.Next("weight of " + unit.name, 0, kLargestWeight)};
  }
  if (!stream.error().message.empty()) return tl::unexpected(stream.error());
  const Expected<void> valid = Validate(problem);
  if (!valid) {
    return Fail(valid.error().code,
                file.string() + ": " + valid.error().message);
  }
  return problem;
}

}  // namespace bitpact
