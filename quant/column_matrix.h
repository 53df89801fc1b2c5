// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_COLUMN_MATRIX_H_
#define BITPACT_QUANT_COLUMN_MATRIX_H_

// Making and reading the arrays of quant/column_layout.h. A matrix of mixed
// columns is a PackedMatrix like any other, with arrays
//
//   codes = codes, scales = rows, zero_points = columns
//
// so that everything that holds, stores and multiplies packed matrices takes
// it. These functions are what PackedMatrix calls for such formats, and how
// quantizers make one.

#include <cstdint>
#include <span>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/column_layout.h"
#include "quant/packed_matrix.h"

namespace bitpact {

// What a quantizer has found.
struct ColumnCodes {
  std::span<const std::byte> columns;  // [cols], as stored
  std::span<const std::byte> rows;     // as stored
  // [cols, rows]: the codes of a column side by side, each < its levels.
  std::span<const std::uint8_t> codes;
};

// format: of mixed columns, valid (CHECK). kInvalidArgument: the columns'
// levels take more than the format's rate leaves; says how much.
Expected<PackedMatrix> PackColumns(const BitFormat& format,
                                   std::int64_t rows,
                                   std::int64_t cols,
                                   const ColumnCodes& found);

// Checks stored arrays and finds their layout. kInvalidArgument: an array's
// length, or levels that take more than `codes`; kDataLoss: a range that is not
// finite or does not hold 0, bytes behind the last stream that are not 0.
// O(rows + cols).
Expected<std::shared_ptr<const ColumnLayout>> CheckColumns(
    const BitFormat& format,
    std::int64_t rows,
    std::int64_t cols,
    const StoredArrays& arrays);

// Rows [first, first + count) as float32 into out: [count, cols]. O(count *
// cols); scratch memory is per thread.
void DequantizeColumns(const PackedMatrix& matrix,
                       std::int64_t first,
                       std::int64_t count,
                       std::span<float> out);
// The same by plain loops: the judge in tests.
void DequantizeColumnsReference(const PackedMatrix& matrix,
                                std::int64_t first,
                                std::int64_t count,
                                std::span<float> out);

// One code.
int ColumnCode(const PackedMatrix& matrix, std::int64_t row, std::int64_t col);

}  // namespace bitpact

#endif  // BITPACT_QUANT_COLUMN_MATRIX_H_
