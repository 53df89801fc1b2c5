// SPDX-License-Identifier: Apache-2.0
#include "core/budget.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace bitpact {
namespace {

// Larger than any model; keeps conversions to 64-bit integers defined.
constexpr double kLargestBytes = 1e17;

struct Suffix {
  std::string_view text;
  BudgetKind kind;
  double factor;
};

constexpr std::array<Suffix, 9> kSuffixes = {{
    {"bpw", BudgetKind::kBitsPerWeight, 1.0},
    {"%", BudgetKind::kShare, 0.01},
    {"KiB", BudgetKind::kModelBytes, 1024.0},
    {"MiB", BudgetKind::kModelBytes, 1024.0 * 1024.0},
    {"GiB", BudgetKind::kModelBytes, 1024.0 * 1024.0 * 1024.0},
    {"KB", BudgetKind::kModelBytes, 1e3},
    {"MB", BudgetKind::kModelBytes, 1e6},
    {"GB", BudgetKind::kModelBytes, 1e9},
    {"B", BudgetKind::kModelBytes, 1.0},
}};

}  // namespace

Expected<Budget> ParseBudget(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const std::string_view rest(end);
  const bool plain =
      end != text.c_str() &&
      std::string_view("0123456789.").find(text[0]) != std::string_view::npos;
  for (const Suffix& suffix : kSuffixes) {
    if (!plain || rest != suffix.text) continue;
    const double value = number * suffix.factor;
    if (!(value > 0.0) || !(value < kLargestBytes)) break;
    return Budget{suffix.kind, value, text};
  }
  return InvalidArgument("budget '" + text +
                         "' is not a positive size such as 3.0bpw, 1.2MB, "
                         "900KiB or 60%");
}

std::int64_t UnitByteLimit(const Budget& budget, const ModelBytes& model) {
  const auto floor_bytes = [](double bytes) {
    return static_cast<std::int64_t>(
        std::floor(std::fmin(bytes, kLargestBytes)));
  };
  switch (budget.kind) {
    case BudgetKind::kBitsPerWeight:
      return floor_bytes(budget.value *
                         static_cast<double>(model.unit_weights) / 8.0);
    case BudgetKind::kModelBytes:
      return floor_bytes(budget.value) - model.kept;
    case BudgetKind::kShare:
      return floor_bytes(budget.value * static_cast<double>(model.stored)) -
             model.kept;
  }
  return 0;
}

std::string FormatCount(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t sign = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3; at -= 3) {
    digits.insert(at - 3, ",");
  }
  return digits;
}

}  // namespace bitpact
