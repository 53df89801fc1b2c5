// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_PACKED_MATRIX_WRITER_H_
#define BITPACT_QUANT_PACKED_MATRIX_WRITER_H_

// Makes a PackedMatrix a row at a time: the codes of a row go into its planes
// while they are still in the first-level cache, and no array of unpacked codes
// of the whole matrix exists. Layout: quant/packed_matrix.h.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "quant/packed_matrix.h"

namespace bitpact {

class PackedMatrixWriter {
 public:
  // rows, cols > 0 and a valid format (CHECK). Allocates the whole result.
  PackedMatrixWriter(const BitFormat& format,
                     std::int64_t rows,
                     std::int64_t cols);

  // codes: [cols], each < 2^bits; scales and shifts: [GroupsPerRow], rounded
  // here to the stored types. For kUint8 `shifts` holds the integer zero-points
  // 0..255 as floats; for kNone it is empty. Each row is written once, in any
  // order; different rows by different threads at once is fine. O(cols).
  void WriteRow(std::int64_t row,
                std::span<const std::uint8_t> codes,
                std::span<const float> scales,
                std::span<const float> shifts);

  // The matrix; the writer must not be used any more. Rows never written decode
  // to 0 or, with integer zero-points, have scale 0.
  [[nodiscard]] PackedMatrix Finish() &&;

  // All rows at once, from arrays of the right lengths (CHECK).
  void Fill(const StoredArrays& arrays);

 private:
  // Zeros, which for large arrays the system hands out without writing them.
  class Bytes {
   public:
    explicit Bytes(std::int64_t size);
    [[nodiscard]] std::span<std::byte> span() const {
      return {bytes_.get(), size_};
    }

   private:
    struct Free {
      void operator()(std::byte* bytes) const { std::free(bytes); }
    };
    std::unique_ptr<std::byte[], Free> bytes_;
    std::size_t size_;
  };
  struct Arrays {
    Bytes codes;
    Bytes scales;
    Bytes zero_points;
  };
  std::shared_ptr<Arrays> arrays_;
  BitFormat format_;
  std::int64_t rows_;
  std::int64_t cols_;
};

}  // namespace bitpact

#endif  // BITPACT_QUANT_PACKED_MATRIX_WRITER_H_
