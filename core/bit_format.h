// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_BIT_FORMAT_H_
#define BITPACT_CORE_BIT_FORMAT_H_

// One way to store a weight matrix in few bits: unsigned codes q of `bits`
// bits, one scale and at most one zero-point for each group of consecutive
// weights of a row (a row holds the weights of one output, so groups run along
// the input dimension). A stored value means
//
//   w = scale * q - shift
//
// where shift is stored as such (kFloat16, kFloat32: Quanto's float shift,
// HQQ's zero times scale), or is scale * zero_point with an integer zero-point
// (kUint8: GPTQ), or is scale * 2^(bits-1) and not stored at all (kNone: the
// symmetric formats).
//
// Or, with a `column_grid`, each column (input) has a number of levels of its
// own and the whole matrix a rate: quant/column_matrix.h.
//
// Or, with `high_bits`, some of the rows (outputs) have wider codes than the
// others, or lie in float16: quant/row_matrix.h.
//
// The size functions below are what the packed arrays take, to the byte; code,
// plans and tests all use them.

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>

#include "core/error.h"

namespace bitpact {

enum class ScaleType : std::uint8_t { kFloat16, kFloat32 };
enum class ZeroPointType : std::uint8_t { kNone, kUint8, kFloat16, kFloat32 };

// How the values of a matrix of mixed columns are spaced.
enum class ColumnGrid : std::uint8_t {
  kNone,    // no such matrix: one code width for all columns
  kScaled,  // around 0; step = scale of the row * factor of the column
  kRange,   // from the row's least to its greatest weight, 0 among the values
};

struct BitFormat {
  // Nominal code width, 2..8; of mixed columns the rate, rounded into this; of
  // a row mix the width of the low rows.
  int bits = 4;
  // Weights of a row that share one scale; 0: the whole row. The last group of
  // a row is shorter when group_size does not divide the row.
  int group_size = 0;
  ScaleType scale_type = ScaleType::kFloat16;
  ZeroPointType zero_point_type = ZeroPointType::kFloat16;
  // Other than kNone: mixed columns, and the fields above are as MixedColumns
  // sets them.
  ColumnGrid column_grid = ColumnGrid::kNone;
  // Stored bits a weight, everything counted, in units of 1/10000: 1..90000.
  int rate_e4 = 0;
  // Other than 0: a row mix. The high rows have codes of so many bits, with
  // groups, scales and zero-points like the others: bits < high_bits <= 8; or
  // 16: they are float16 numbers without scales.
  int high_bits = 0;
  // The share of high rows in units of 1/10000, 1..10000 in a row mix
  // (HighRows). None at all is the plain format (RowMix).
  int high_rows_e4 = 0;

  [[nodiscard]] constexpr bool symmetric() const {
    return zero_point_type == ZeroPointType::kNone;
  }
  [[nodiscard]] constexpr bool mixed_columns() const {
    return column_grid != ColumnGrid::kNone;
  }
  [[nodiscard]] constexpr bool row_mix() const { return high_bits != 0; }
  auto operator<=>(const BitFormat&) const = default;
};

inline constexpr int kRateUnits = 10000;  // a bit
inline constexpr int kMostRate = 9 * kRateUnits;

// The format of mixed columns with this rate.
constexpr BitFormat MixedColumns(int rate_e4,
                                 ColumnGrid grid = ColumnGrid::kScaled) {
  const int rounded = (rate_e4 + kRateUnits / 2) / kRateUnits;
  return {.bits = rounded < 2   ? 2
                  : rounded > 8 ? 8
                                : rounded,
          .group_size = 0,
          .scale_type = ScaleType::kFloat16,
          .zero_point_type = ZeroPointType::kNone,
          .column_grid = grid,
          .rate_e4 = rate_e4};
}

inline constexpr int kRatioUnits = 10000;  // all rows
inline constexpr int kFloat16Bits = 16;    // high_bits of float16 rows

// A plain format with this share of high rows; `base` itself for none.
constexpr BitFormat RowMix(BitFormat base, int high_bits, int ratio_e4) {
  base.high_bits = ratio_e4 == 0 ? 0 : high_bits;
  base.high_rows_e4 = ratio_e4;
  return base;
}

// Rows of a matrix with the wider codes: the share, halves rounded up.
constexpr std::int64_t HighRows(const BitFormat& format, std::int64_t rows) {
  return (rows * format.high_rows_e4 + kRatioUnits / 2) / kRatioUnits;
}

// The plain formats of a row mix's two kinds of rows. HighFormat: not of
// float16 rows.
constexpr BitFormat LowFormat(BitFormat format) {
  format.high_bits = 0;
  format.high_rows_e4 = 0;
  return format;
}
constexpr BitFormat HighFormat(const BitFormat& format) {
  BitFormat high = LowFormat(format);
  high.bits = format.high_bits;
  return high;
}

// kInvalidArgument names the field, its value and the rule.
Expected<void> Validate(const BitFormat& format);

// "int4-g64-asym", "int3-row-sym", "int4-g128-u8zp", with "-f32" behind when
// the scales are float32 ("int2-g64-asym-f32": float32 shift as well);
// "col2.25", "col2.25-range" for mixed columns; "int2-g64-asym+int3x0.1",
// "int2-g64-asym+f16x0.02" for row mixes.
std::string FormatName(const BitFormat& format);
// Reads such a name back; kInvalidArgument quotes it.
Expected<BitFormat> ParseFormatName(const std::string& name);

// Quanto's rule for the group size of a matrix with `cols` inputs: `wanted` if
// it divides `cols`, else `wanted` reduced by 32 (not below 32) until it does;
// 0 (the whole row) when nothing divides or when `cols` <= `wanted`.
int QuantoGroupSize(int wanted, std::int64_t cols);

// --- sizes ------------------------------------------------------------------

// Codes are stored as bit planes of 8, 4, 2 and 1 bits (a 3-bit code is a 2-bit
// plane of its low bits and a 1-bit plane): every plane unpacks with shifts
// that do not cross bytes. Lowest plane first; unused entries are 0.
constexpr std::array<int, 3> PlaneBits(int bits) {
  switch (bits) {
    case 2:
      return {2, 0, 0};
    case 3:
      return {2, 1, 0};
    case 4:
      return {4, 0, 0};
    case 5:
      return {4, 1, 0};
    case 6:
      return {4, 2, 0};
    case 7:
      return {4, 2, 1};
    default:
      return {8, 0, 0};
  }
}

// Bytes of the codes of one row; each plane of a row starts at a byte.
constexpr std::int64_t RowCodeBytes(int bits, std::int64_t cols) {
  std::int64_t bytes = 0;
  for (const int plane : PlaneBits(bits)) bytes += (cols * plane + 7) / 8;
  return bytes;
}

constexpr std::int64_t GroupsPerRow(const BitFormat& format,
                                    std::int64_t cols) {
  return format.group_size <= 0 || format.group_size >= cols
             ? 1
             : (cols + format.group_size - 1) / format.group_size;
}

constexpr std::int64_t ScaleBytes(ScaleType type) {
  return type == ScaleType::kFloat16 ? 2 : 4;
}

constexpr std::int64_t ZeroPointBytes(ZeroPointType type) {
  switch (type) {
    case ZeroPointType::kNone:
      return 0;
    case ZeroPointType::kUint8:
      return 1;
    case ZeroPointType::kFloat16:
      return 2;
    default:
      return 4;
  }
}

// Of a matrix of mixed columns: what the grids of its rows take,
constexpr std::int64_t RowGridBytes(ColumnGrid grid) {
  return grid == ColumnGrid::kRange ? 4 : 1;
}

// and everything but the codes: that and a byte a column.
constexpr std::int64_t ColumnSideBytes(ColumnGrid grid,
                                       std::int64_t rows,
                                       std::int64_t cols) {
  return rows * RowGridBytes(grid) + cols;
}

// The whole matrix: the rate, rounded down to bytes, or what all but the codes
// takes if that is more. The division comes first so that nothing overflows.
constexpr std::int64_t MixedColumnBytes(const BitFormat& format,
                                        std::int64_t rows,
                                        std::int64_t cols) {
  constexpr std::int64_t kUnits = std::int64_t{8} * kRateUnits;
  const std::int64_t weights = rows * cols;
  const std::int64_t bytes = weights / kUnits * format.rate_e4 +
                             weights % kUnits * format.rate_e4 / kUnits;
  const std::int64_t side = ColumnSideBytes(format.column_grid, rows, cols);
  return bytes < side ? side : bytes;
}

// Of a row mix: a bit a row that says which are high,
constexpr std::int64_t RowMapBytes(std::int64_t rows) { return (rows + 7) / 8; }

// the codes (or numbers) of a high row,
constexpr std::int64_t HighCodeBytes(const BitFormat& format,
                                     std::int64_t cols) {
  return format.high_bits == kFloat16Bits
             ? 2 * cols
             : RowCodeBytes(format.high_bits, cols);
}

// and the rows that have scales.
constexpr std::int64_t ScaledRows(const BitFormat& format, std::int64_t rows) {
  return format.high_bits == kFloat16Bits ? rows - HighRows(format, rows)
                                          : rows;
}

// The codes array, with the map in front where there is one. Not of mixed
// columns.
constexpr std::int64_t CodeBytes(const BitFormat& format,
                                 std::int64_t rows,
                                 std::int64_t cols) {
  const std::int64_t low = RowCodeBytes(format.bits, cols);
  if (!format.row_mix()) return rows * low;
  const std::int64_t high_rows = HighRows(format, rows);
  return RowMapBytes(rows) + high_rows * HighCodeBytes(format, cols) +
         (rows - high_rows) * low;
}

// Bytes of a [rows, cols] matrix in this format: codes + scales + zero-points.
constexpr std::int64_t StoredBytes(const BitFormat& format,
                                   std::int64_t rows,
                                   std::int64_t cols) {
  if (format.mixed_columns()) return MixedColumnBytes(format, rows, cols);
  return CodeBytes(format, rows, cols) +
         ScaledRows(format, rows) * GroupsPerRow(format, cols) *
             (ScaleBytes(format.scale_type) +
              ZeroPointBytes(format.zero_point_type));
}

}  // namespace bitpact

#endif  // BITPACT_CORE_BIT_FORMAT_H_
