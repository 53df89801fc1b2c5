// SPDX-License-Identifier: Apache-2.0
#include "solvers/box_programme.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace bitpact {
namespace {

bool AllFinite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) {
    return std::isfinite(value);
  });
}

}  // namespace

double BoxProgramme::Value(const std::vector<double>& x) const {
  double value = constant;
  for (std::size_t i = 0; i < size(); ++i) {
    double row = linear[i];
    for (std::size_t j = 0; j < size(); ++j) {
      row += 0.5 * quadratic[i * size() + j] * x[j];
    }
    value += row * x[i];
  }
  return value;
}

Expected<void> Validate(const BoxProgramme& programme) {
  const std::size_t n = programme.size();
  if (n == 0 || programme.quadratic.size() != n * n ||
      programme.upper.size() != n || programme.weight.size() != n) {
    return InvalidArgument(
        "box programme: lengths of linear, quadratic, upper and weight do not "
        "fit");
  }
  if (!AllFinite(programme.linear) || !AllFinite(programme.quadratic) ||
      !AllFinite(programme.upper) || !AllFinite(programme.weight) ||
      !std::isfinite(programme.limit) || !std::isfinite(programme.constant)) {
    return InvalidArgument("box programme: a number is not finite");
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (programme.upper[i] > 0.0 && programme.weight[i] >= 0.0) continue;
    return InvalidArgument("box programme: variable " + std::to_string(i) +
                           " violates upper > 0 and weight >= 0");
  }
  return {};
}

}  // namespace bitpact
