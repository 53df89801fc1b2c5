// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_COLUMN_LAYOUT_H_
#define BITPACT_QUANT_COLUMN_LAYOUT_H_

// A matrix whose columns (inputs) have numbers of levels of their own, as it
// lies in memory and on disk. Allocations like BAQ's (quant/baq_theory.h) give
// columns that matter more levels; the rate of the whole is what the format
// says (BitFormat::rate_e4), to the byte.
//
// Three arrays:
//   columns  [cols] bytes. kScaled: index into kLevelCounts in the low four
//            bits, factor code in the high four. kRange: levels - 1.
//   rows     kScaled: [rows] bytes, a scale code each. kRange: [rows, 2]
//            float16, the row's least and greatest weight, <= 0 and >= 0.
//   codes    what is left of MixedColumnBytes (core/bit_format.h). For each
//            number of levels that occurs, ascending: the codes of its columns
//            as one stream of digits (quant/radix_words.h), row after row, the
//            columns of a row in ascending order. Behind the last stream zeros.
// Why all columns of equal levels in one stream: only its last word is padded,
// where padding every column would cost a 64-row matrix a quarter of its bytes.
// The permutation that brings equal columns together is the stable order by
// levels, so it is recorded by `columns` and takes no bytes. Why row after row:
// a tile of rows is one stretch of each stream.
//
// A code q means
//   kScaled  w = (s * t) * (q - (n - 1) / 2): s the row's scale 2^((k-192)/8),
//            0 for k = 0; t the column's factor, NominalStep(n) * 2^((f-8)/4)
//   kRange   w = d * (q - z): d = (greatest - least) / (n - 1), 0 for n = 1;
//            z = round(-least / d), halves to even; the quantizer of
//            IST-DASLab/gptq and of BAQ's released code
// in float32, s * t rounded, then one rounding for the product; a weight has
// the same bits everywhere.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/radix_words.h"

namespace bitpact {

// Numbers of levels of kScaled columns: those that fill a word well.
inline constexpr std::array<int, 16> kLevelCounts = {
    1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 23, 40, 84, 256};

inline constexpr int kFactorCodes = 16;
inline constexpr int kScaleCodes = 256;

// The step of the evenly spaced values, n = kLevelCounts[index] of them around
// 0, that are nearest to a standard normal number in the mean square (Max,
// "Quantizing for minimum distortion", IRE Trans. Inf. Theory 6, 1960, table
// II; computed to float32 for all n). 0 for n = 1.
float NominalStep(int index);

// What is left of the mean square there, 1 for n = 1.
double NominalDistortion(int index);

// NominalStep(index) * 2^((code - 8) / 4).
float ColumnFactor(int index, int code);
// 2^((code - 192) / 8); 0 for code 0.
float RowScale(int code);
// The code of the nearest scale by ratio, at least 1; 0 for 0. scale: finite,
// >= 0.
int RowScaleCode(float scale);

// Bytes of the codes array.
constexpr std::int64_t ColumnCodeBytes(const BitFormat& format,
                                       std::int64_t rows,
                                       std::int64_t cols) {
  return MixedColumnBytes(format, rows, cols) -
         ColumnSideBytes(format.column_grid, rows, cols);
}

// Columns of one number of levels.
struct ColumnClass {
  int levels = 1;
  std::vector<std::int32_t> columns;  // ascending
  std::vector<float> factors;         // one a column; kScaled only
  std::int64_t first_byte = 0;        // of the stream, in `codes`
  std::int64_t bytes = 0;
};

// The classes of a matrix, ascending by levels.
struct ColumnLayout {
  std::vector<ColumnClass> classes;
  std::int64_t used_bytes = 0;  // of `codes`; zeros behind
};

// columns: [cols], as stored. O(cols).
ColumnLayout MakeColumnLayout(ColumnGrid grid,
                              std::int64_t rows,
                              std::span<const std::byte> columns);

// The levels of a stored column.
int LevelsOfColumn(ColumnGrid grid, std::byte column);

// A row's grid for one class: w = step * (q - zero), kScaled: step without the
// column's factor.
struct RowGrid {
  float step = 0.0F;
  float zero = 0.0F;
};

// least <= 0 <= greatest.
RowGrid RangeGrid(float least, float greatest, int levels);

// The range of a row of kRange, from its stored bytes.
struct RowRange {
  float least = 0.0F;
  float greatest = 0.0F;
};
RowRange StoredRange(std::span<const std::byte> rows, std::int64_t row);

// The grid of a row, from its stored bytes.
RowGrid StoredRowGrid(ColumnGrid grid,
                      std::span<const std::byte> rows,
                      std::int64_t row,
                      int levels);

}  // namespace bitpact

#endif  // BITPACT_QUANT_COLUMN_LAYOUT_H_
