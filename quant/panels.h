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
// runs of RunColumns columns; in a run, panels of a few vectors of rows (how
// many: VectorsOfPanel of quant/product_inl.h); in a panel, columns. Rows are
// padded with zeros to whole vectors.
//
// Order of a sum: runs of RunColumns products, each summed in ascending
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

// A run's panels, up to 300 KiB, stay in the second-level cache.
inline constexpr std::int64_t kMostRunColumns = 320;
inline constexpr std::int64_t kPanelRows = 240;  // 5 * 3 vectors of 16

// Columns of every run but the last, which may be shorter: as many as give the
// fewest runs, of about equal length. inner > 0.
constexpr std::int64_t RunColumns(std::int64_t inner) {
  const std::int64_t runs = (inner + kMostRunColumns - 1) / kMostRunColumns;
  return (inner + runs - 1) / runs;
}

// Rows of equal blocks, in whole panels, into which `rows` fall.
constexpr std::int64_t BlockRows(std::int64_t rows) {
  constexpr std::int64_t kWhole = 48;
  const std::int64_t blocks = (rows + kPanelRows - 1) / kPanelRows;
  return ((rows + blocks - 1) / blocks + kWhole - 1) / kWhole * kWhole;
}

// Which operand of x * w^T to pack, x: [tokens, in], w: [out, in]: a number
// packed and a number of the product turned, as packing x requires, cost about
// the same.
constexpr bool PackingTokensIsCheaper(std::int64_t tokens,
                                      std::int64_t in,
                                      std::int64_t out) {
  return tokens * in + tokens * out < out * in;
}

// Where row l of the panels times row r of the plain operand goes:
// y[r * stride + l], or y[l * stride + r] when `turned`.
struct ProductOut {
  float* y = nullptr;
  std::int64_t stride = 0;
  bool turned = false;
};

class Panels {
 public:
  using MultiplyKernel = void (*)(const PanelProduct& product);

  explicit Panels(const Kernels& kernels)
      : Panels(kernels, kernels.multiply_panels) {}
  // Rows of other things than floats, of the same size, which `multiply` takes.
  Panels(const Kernels& kernels, MultiplyKernel multiply)
      : kernels_(&kernels), multiply_(multiply) {}

  // Replaces what was packed by rows: [num_rows, inner], contiguous, inner > 0.
  // Memory is kept and only grows: (num_rows rounded up to whole vectors) *
  // inner floats.
  void Pack(std::span<const float> rows,
            std::int64_t num_rows,
            std::int64_t inner);

  // All products with rows: [num_rows, inner], contiguous, into `out`, whose
  // former values are not read. O(packed rows * num_rows * inner).
  // Not thread-safe: scratch memory is part of the object.
  void Multiply(std::span<const float> rows,
                std::int64_t num_rows,
                const ProductOut& out);

 private:
  struct Block {
    const float* panels = nullptr;
    std::int64_t rows = 0;
    std::int64_t padded_rows = 0;
  };
  void MultiplyBlock(const Block& block,
                     const float* rows,
                     std::int64_t num_rows,
                     float* y,
                     std::int64_t y_stride) const;
  void MultiplyTurned(const Block& block,
                      const float* rows,
                      std::int64_t num_rows,
                      float* y,
                      std::int64_t y_stride);

  const Kernels* kernels_;
  MultiplyKernel multiply_;
  std::vector<float> floats_;
  std::vector<float> turned_;
  std::vector<Block> blocks_;
  std::int64_t inner_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_QUANT_PANELS_H_
