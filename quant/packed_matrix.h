// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_PACKED_MATRIX_H_
#define BITPACT_QUANT_PACKED_MATRIX_H_

// A weight matrix in few bits, exactly as it lies in memory and on disk.
//
// Layout. Three arrays, each row-major:
//   codes        rows x RowCodeBytes(bits, cols) bytes. Inside a row, the
//   planes
//                of PlaneBits(bits) one behind the other, lowest first; inside
//                a plane, weight i in bits [i*b mod 8, ...) of byte i*b/8 (b
//                the plane's width): little end first, no weight crosses a
//                byte. Unused bits of a plane's last byte are zero.
//   scales       rows x GroupsPerRow, float16 or float32
//   zero_points  rows x GroupsPerRow of zero_point_type; empty when kNone
// Why planes: 3-, 5-, 6- and 7-bit codes unpack with the same byte-wise shifts
// as 1-, 2- and 4-bit ones, so one kernel serves all widths, at no loss of
// space. Why rows: an output row is contiguous, so a tile of rows is
// dequantized and multiplied without touching the others.
//
// Size: StoredBytes(format, rows, cols) of core/bit_format.h, to the byte.
//
// Meaning of a code: core/bit_format.h, computed in float32 as
//   w = scale * (q - zero_point)   integer and absent zero-points, one rounding
//   w = scale * q - shift          float shifts, two roundings, never fused
// by every kernel, so that a dequantized weight has the same bits everywhere.
//
// Formats of mixed columns have arrays, layout and meaning of their own:
// quant/column_layout.h and quant/column_matrix.h. Row mixes are two such
// matrices in one: quant/row_matrix.h.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/bit_format.h"
#include "core/error.h"

namespace bitpact {

struct ColumnLayout;
struct RowLayout;

// The three arrays of a matrix, somebody else's.
struct StoredArrays {
  std::span<const std::byte> codes;
  std::span<const std::byte> scales;
  std::span<const std::byte> zero_points;  // empty when symmetric
};

// Immutable; copies share the arrays.
class PackedMatrix {
 public:
  PackedMatrix() = default;

  // From unpacked parts. codes: [rows, cols], each < 2^bits; scales and shifts:
  // [rows, GroupsPerRow], rounded here to the stored types (callers that coded
  // with rounded values, as they should, lose nothing). For kUint8 `shifts`
  // holds the integer zero-points 0..255 as floats; for kNone it is empty.
  // Not for mixed columns (PackColumns) and row mixes (PackRows). Contract
  // violations are programmer's mistakes (CHECK).
  static PackedMatrix Pack(const BitFormat& format,
                           std::int64_t rows,
                           std::int64_t cols,
                           std::span<const std::uint8_t> codes,
                           std::span<const float> scales,
                           std::span<const float> shifts);

  // From stored bytes, copied. kInvalidArgument when a length does not match
  // the format; kDataLoss when a scale or zero-point is not finite or an
  // integer zero-point is no code; of mixed columns and row mixes also for
  // what CheckColumns and CheckRows say.
  static Expected<PackedMatrix> FromStored(const BitFormat& format,
                                           std::int64_t rows,
                                           std::int64_t cols,
                                           const StoredArrays& arrays);

  // The same without a copy: the matrix looks at the bytes, which stay as they
  // are as long as `owner` (e.g. a mapped file) or a copy of it lives; it keeps
  // one. Only scales and zero-points are read now. No alignment is asked for.
  static Expected<PackedMatrix> FromMapped(const BitFormat& format,
                                           std::int64_t rows,
                                           std::int64_t cols,
                                           const StoredArrays& arrays,
                                           std::shared_ptr<const void> owner);

  [[nodiscard]] const BitFormat& format() const { return format_; }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t cols() const { return cols_; }
  [[nodiscard]] std::span<const std::byte> codes() const { return codes_; }
  [[nodiscard]] std::span<const std::byte> scales() const { return scales_; }
  [[nodiscard]] std::span<const std::byte> zero_points() const {
    return zero_points_;
  }
  // Where the columns lie; null unless the format is of mixed columns.
  [[nodiscard]] const ColumnLayout* column_layout() const {
    return column_layout_.get();
  }
  // Where the rows lie; null unless the format is a row mix.
  [[nodiscard]] const RowLayout* row_layout() const {
    return row_layout_.get();
  }
  // Sum of the three arrays; equals StoredBytes(format, rows, cols).
  [[nodiscard]] std::int64_t size_bytes() const;

  // Writes rows [first, first + count) as float32 into out: [count, cols].
  // Thread-safe. Uses the fastest kernel the processor has.
  void Dequantize(std::int64_t first,
                  std::int64_t count,
                  std::span<float> out) const;
  // The same by plain loops: the judge in tests.
  void DequantizeReference(std::int64_t first,
                           std::int64_t count,
                           std::span<float> out) const;
  // One code, for tests and tools. 0 <= row < rows, 0 <= col < cols.
  [[nodiscard]] int Code(std::int64_t row, std::int64_t col) const;

 private:
  friend class PackedMatrixWriter;

  // The same over bytes of its own.
  [[nodiscard]] PackedMatrix Copied() const;

  BitFormat format_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::shared_ptr<const void> owner_;  // of the bytes below
  std::span<const std::byte> codes_;
  std::span<const std::byte> scales_;
  std::span<const std::byte> zero_points_;
  std::shared_ptr<const ColumnLayout> column_layout_;
  std::shared_ptr<const RowLayout> row_layout_;
};

// Nearest value a stored scale or shift can take (float16: round to nearest
// even).
float RoundToStored(ScaleType type, float value);
float RoundToStored(ZeroPointType type, float value);

}  // namespace bitpact

#endif  // BITPACT_QUANT_PACKED_MATRIX_H_
