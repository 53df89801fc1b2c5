// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_PANELS_H_
#define BITPACT_QUANT_PANELS_H_

// The operand of a dense float32 product that is packed: its rows lie side by
// side in panels, so that a column of a panel is one to three vectors. The
// other operand is read where it lies, one number at a time for a whole vector
// of sums. For use inside quant/ and by its tests.
//
// Blocking after Goto & van de Geijn, Anatomy of High-Performance Matrix
// Multiplication (ACM TOMS 34(3), 2008), with the operands' roles as in Van Zee
// & van de Geijn, BLIS (ACM TOMS 41(3), 2015), except that the plain operand is
// not packed: rows are contiguous along the summed columns already.
//
// Layout: blocks of up to kPanelRows rows one behind the other; in a block,
// runs of kPanelColumns columns; in a run, panels of a few vectors of rows (how
// many: VectorsOfPanel of quant/product_inl.h); in a panel, columns. Rows are
// padded with zeros to whole vectors.
//
// Order of a sum: runs of kPanelColumns products, each summed in ascending
// order from 0, are added in ascending order. It depends on the number of
// columns alone, by construction: not on how many rows either operand has,
// which of the two is packed, how rows fall into blocks, panels and tiles, or
// on vectors' width. With the fused operations of AVX2 and AVX-512 the bits are
// the same on both; the portable level rounds the products.

#include <cstdint>
#include <span>
#include <vector>

#include "quant/kernels.h"

namespace bitpact {

// A run's panels, a quarter of a MiB, stay in the second-level cache.
inline constexpr std::int64_t kPanelColumns = 256;
inline constexpr std::int64_t kPanelRows = 240;  // 5 * 3 vectors of 16

// Where row l of the panels times row r of the plain operand goes:
// y[l * lane_stride + r * row_stride]. One of the strides is 1.
struct ProductOut {
  float* y = nullptr;
  std::int64_t lane_stride = 1;
  std::int64_t row_stride = 1;
};

class Panels {
 public:
  explicit Panels(const Kernels& kernels) : kernels_(&kernels) {}

  // Replaces what was packed by rows: [num_rows, inner], contiguous. Memory is
  // kept and only grows: (num_rows rounded up to whole vectors) * inner floats.
  void Pack(std::span<const float> rows,
            std::int64_t num_rows,
            std::int64_t inner);

  // All products with rows: [num_rows, inner], contiguous, into `out`, whose
  // former values are not read. O(packed rows * num_rows * inner).
  void Multiply(std::span<const float> rows,
                std::int64_t num_rows,
                const ProductOut& out) const;

 private:
  struct Block {
    const float* panels = nullptr;
    std::int64_t rows = 0;
    std::int64_t padded_rows = 0;
  };
  void MultiplyBlock(const Block& block,
                     const float* rows,
                     std::int64_t num_rows,
                     const ProductOut& out) const;

  const Kernels* kernels_;
  std::vector<float> floats_;
  std::vector<Block> blocks_;
  std::int64_t inner_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_QUANT_PANELS_H_
