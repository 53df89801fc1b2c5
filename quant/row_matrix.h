// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_ROW_MATRIX_H_
#define BITPACT_QUANT_ROW_MATRIX_H_

// A matrix whose output rows have one of two widths: the high rows, which
// matter more, have wider codes than the low ones, or lie in float16. A row mix
// (core/bit_format.h) is a PackedMatrix like any other, with arrays
//
//   codes        the map, RowMapBytes: bit r mod 8 of byte r / 8 is 1 where row
//                r is high, unused bits 0; behind it the high rows, ascending,
//                as a plain matrix of HighFormat has its codes, or as float16
//                numbers [high rows, cols]; behind them the low rows like a
//                plain matrix of LowFormat
//   scales       of the high rows, then of the low rows; none of float16 rows
//   zero_points  likewise
//
// Why two dense segments: inside each the width is constant, so they are plain
// matrices to every kernel; an output has one width. Why a map: a bit a row is
// less than a permutation takes, and the orders inside the segments are known.
//
// HIPR (arXiv 2511.17801) does not say how it stores its "high-impact"
// channels.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/packed_matrix.h"

namespace bitpact {

// Where the rows of a row mix lie.
struct RowLayout {
  // The rows in stored order: high ones ascending, then low ones ascending.
  std::vector<std::int32_t> order;
  // The other way round: order[place[row]] = row.
  std::vector<std::int32_t> place;
  std::int64_t high_rows = 0;
  // Plain matrices over the bytes of the whole, which must outlive them.
  // Without rows where there are none; `high` also where rows are float16.
  PackedMatrix high;
  PackedMatrix low;
  // Float16 rows, [high_rows, cols]; empty otherwise.
  std::span<const std::byte> halves;
};

// The two parts of a row mix, as a quantizer has made them.
struct RowParts {
  // [HighRows], ascending.
  std::span<const std::int32_t> high_rows;
  // Null where there are no such rows, `high` also when rows are float16.
  const PackedMatrix* high = nullptr;
  const PackedMatrix* low = nullptr;
  // Float16 rows as float32, [high rows, cols]; rounded here. |w| <= 65504.
  std::span<const float> dense = {};
};

// format: a valid row mix; parts of its formats and shapes (CHECK). O(bytes).
PackedMatrix PackRows(const BitFormat& format,
                      std::int64_t rows,
                      std::int64_t cols,
                      const RowParts& parts);

// Checks stored arrays and finds their layout. kInvalidArgument: an array's
// length; kDataLoss: a map whose ones are not HighRows, or with a bit behind
// the last row; a float16 number, scale or zero-point as PackedMatrix refuses
// them. O(rows + scales + float16 numbers).
Expected<std::shared_ptr<const RowLayout>> CheckRows(
    const BitFormat& format,
    std::int64_t rows,
    std::int64_t cols,
    const StoredArrays& arrays);

// Rows [first, first + count) as float32 into out: [count, cols].
void DequantizeRows(const PackedMatrix& matrix,
                    std::int64_t first,
                    std::int64_t count,
                    std::span<float> out);
// The same by plain loops: the judge in tests.
void DequantizeRowsReference(const PackedMatrix& matrix,
                             std::int64_t first,
                             std::int64_t count,
                             std::span<float> out);

// y = x * w^T for a few tokens (quant/packed_matmul.h): each segment is
// multiplied where it lies, its outputs go to their rows. x: [tokens, cols], y:
// [tokens, rows].
void MultiplyRows(const PackedMatrix& w,
                  std::span<const float> x,
                  std::span<float> y,
                  std::int64_t tokens);

// One code; of a float16 row its bits.
int RowCode(const PackedMatrix& matrix, std::int64_t row, std::int64_t col);

}  // namespace bitpact

#endif  // BITPACT_QUANT_ROW_MATRIX_H_
