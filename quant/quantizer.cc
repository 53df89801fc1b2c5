// SPDX-License-Identifier: Apache-2.0
#include "quant/quantizer.h"

#include <array>
#include <cmath>

#include "core/check.h"
#include "quant/rtn_quantizer.h"

namespace bitpact {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Quantizer> (*make)();
};

constexpr std::array kQuantizers = {Entry{"quanto", MakeRtnQuantizer}};

// A sum of w - w is NaN when any w is not finite; several sums run at once.
bool AllFinite(std::span<const float> values) {
  std::array<float, 16> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= values.size(); i += sums.size()) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) {
      sums[lane] += values[i + lane] - values[i + lane];
    }
  }
  for (; i < values.size(); ++i) sums[0] += values[i] - values[i];
  for (std::size_t lane = 1; lane < sums.size(); ++lane) sums[0] += sums[lane];
  return sums[0] == 0.0F;
}

}  // namespace

Expected<void> ValidateQuantizerInput(const MatrixView& weight,
                                      const BitFormat& format) {
  if (auto valid = Validate(format); !valid) return valid;
  BITPACT_CHECK(
      weight.rows > 0 && weight.cols > 0 &&
          weight.data.size() == static_cast<std::size_t>(weight.rows) *
                                    static_cast<std::size_t>(weight.cols),
      "weight is [rows, cols]");
  if (AllFinite(weight.data)) return {};
  std::size_t bad = 0;
  while (std::isfinite(weight.data[bad])) ++bad;
  const auto cols = static_cast<std::size_t>(weight.cols);
  return InvalidArgument("weight at row " + std::to_string(bad / cols) +
                         ", column " + std::to_string(bad % cols) + " is " +
                         std::to_string(weight.data[bad]) +
                         ", weights must be finite");
}

std::vector<std::string> QuantizerNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kQuantizers) names.emplace_back(entry.name);
  return names;
}

Expected<std::unique_ptr<Quantizer>> MakeQuantizer(const std::string& name) {
  std::string known;
  for (const Entry& entry : kQuantizers) {
    if (name == entry.name) return entry.make();
    known += known.empty() ? entry.name : std::string(", ") + entry.name;
  }
  return InvalidArgument("quantizer = '" + name + "' is not one of " + known);
}

}  // namespace bitpact
