// SPDX-License-Identifier: Apache-2.0
#include "core/unit.h"

namespace bitpact {

BitFormat FormatFor(const FormatRule& rule, std::int64_t cols) {
  BitFormat format = rule.base;
  if (rule.fit_group_size && !rule.base.mixed_columns()) {
    format.group_size = QuantoGroupSize(rule.base.group_size, cols);
  }
  return format;
}

std::int64_t WeightCount(const Unit& unit) {
  std::int64_t count = 0;
  for (const UnitMatrix& matrix : unit.matrices) {
    count += matrix.rows * matrix.cols;
  }
  return count;
}

std::int64_t StoredBytes(const FormatRule& rule, const Unit& unit) {
  std::int64_t bytes = 0;
  for (const UnitMatrix& matrix : unit.matrices) {
    bytes +=
        StoredBytes(FormatFor(rule, matrix.cols), matrix.rows, matrix.cols);
  }
  return bytes;
}

}  // namespace bitpact
