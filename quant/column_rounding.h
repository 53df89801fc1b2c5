// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_COLUMN_ROUNDING_H_
#define BITPACT_QUANT_COLUMN_ROUNDING_H_

// GPTQ (quant/gptq_quantizer.h) for columns with numbers of levels of their
// own: columns are rounded one after another, each after it has been moved so
// as to make up for the errors of those before (the kLdlq form). A block of
// columns at a time; behind a block one matrix product.
//
// With ColumnGrid::kScaled a column's factor is chosen when it is its turn: of
// all factor codes the one that leaves the least squared error of the moved
// weights, the smallest code among equals.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bit_format.h"
#include "quant/baq_allocation.h"
#include "quant/gptq_factor.h"
#include "quant/quantizer.h"

namespace bitpact {

struct ColumnTask {
  MatrixView weight;
  ColumnGrid grid = ColumnGrid::kScaled;
  const GptqFactor* factor = nullptr;  // of kLdlq
  // [cols], the columns in the factor's order.
  std::span<const std::int64_t> order;
  // [cols], as stored (quant/column_layout.h), without the factor codes.
  std::span<const std::byte> columns;
  std::span<const std::byte> rows;  // as stored
  // kScaled: fill RoundedColumns::level_errors.
  bool measure_levels = false;
};

struct RoundedColumns {
  std::vector<std::byte> columns;   // with the factor codes
  std::vector<std::uint8_t> codes;  // [cols, rows]
  // [cols]: pivot * |w' - q|^2; their sum is the layer error.
  std::vector<double> losses;
  // [cols], if measured: |w' - q|^2 of each column as it was moved, at each of
  // kLevelCounts with its best factor (a local best in the factor code).
  std::vector<LevelCosts> level_errors;
};

// rows * cols^2 / 2 multiplications and additions, and about 100 operations a
// weight for the factors. Memory: 9 * rows * cols bytes. Everything is in
// original column order, whatever the order of rounding.
RoundedColumns RoundColumns(const ColumnTask& task);

}  // namespace bitpact

#endif  // BITPACT_QUANT_COLUMN_ROUNDING_H_
