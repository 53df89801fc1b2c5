// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_PRODUCT_INL_H_
#define BITPACT_QUANT_PRODUCT_INL_H_

// The inner loops of dense products over packed panels (quant/panels.h),
// included once by each kernels_<level>.cc through quant/kernels_inl.h. Besides
// what quant/decode_inl.h lists, V gives:
//
//   kPanelVectors   most vectors side by side in a panel, 1..3
//   kTileRows       rows multiplied at once with a panel of that many vectors
//   kNarrowRows     the same with a panel of one vector
//                   (both multiples of 4; a tile's sums stay in registers)
//   LoadQuarters(from)     lanes 4q..4q+3 are the four floats at from[q]
//   Transpose(a, b, c, d)  transposes each aligned 4 x 4 piece of four vectors:
//                   afterwards lanes 4q..4q+3 of vector i hold what lane 4q + i
//                   of a, b, c and d held
//
// A tile of kTileRows x 3 vectors has enough independent sums to hide the
// latency of a fused product and sum; each column of it costs a load a vector
// and a broadcast a row, fewer than there are sums.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "quant/decode_inl.h"
#include "quant/kernels.h"

namespace bitpact::internal {

// Vectors in the next panel when `left` vectors of rows are not in one yet: no
// panel of one vector stands behind wider ones, its sums would be too few.
constexpr int VectorsOfPanel(std::int64_t left, int most) {
  if (most >= 3 && left == 4) return 2;
  return static_cast<int>(std::min<std::int64_t>(left, most));
}

// --- packing ----------------------------------------------------------------

// Columns k..k+3 of kLanes rows, a vector a column.
template <class V>
BITPACT_KERNEL_INLINE void LoadFourColumns(
    const std::array<const float*, V::kLanes>& rows,
    std::int64_t k,
    typename V::Float (&columns)[4]) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    std::array<const float*, V::kLanes / 4> quarters;
#pragma GCC unroll 4
    for (int q = 0; q < V::kLanes / 4; ++q) quarters[q] = rows[4 * q + i] + k;
    columns[i] = V::LoadQuarters(quarters);
  }
  V::Transpose(columns[0], columns[1], columns[2], columns[3]);
}

// Four columns of kLanes rows to columns `to_stride` apart.
template <class V>
BITPACT_KERNEL_INLINE void PackFourColumns(const float* from,
                                           std::int64_t stride,
                                           float* to,
                                           std::int64_t to_stride) {
  std::array<const float*, V::kLanes> rows;
#pragma GCC unroll 16
  for (int r = 0; r < V::kLanes; ++r) rows[r] = from + r * stride;
  typename V::Float columns[4];
  LoadFourColumns<V>(rows, 0, columns);
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) V::Store(to + c * to_stride, columns[c]);
}

// One vector's rows, of which `rows` <= kLanes exist; the others become 0.
template <class V>
BITPACT_KERNEL_INLINE void PackVector(const float* from,
                                      std::int64_t stride,
                                      std::int64_t rows,
                                      std::int64_t inner,
                                      float* to,
                                      std::int64_t to_stride) {
  std::int64_t k = 0;
  if (rows == V::kLanes) {
    for (; k + 4 <= inner; k += 4) {
      PackFourColumns<V>(from + k, stride, to + k * to_stride, to_stride);
    }
  }
  for (; k < inner; ++k) {
    float* out = to + k * to_stride;
    for (std::int64_t r = 0; r < rows; ++r) out[r] = from[r * stride + k];
    for (std::int64_t r = rows; r < V::kLanes; ++r) out[r] = 0.0F;
  }
}

template <class V>
BITPACT_KERNEL_TARGET void PackPanels(const float* from,
                                      std::int64_t stride,
                                      std::int64_t rows,
                                      std::int64_t inner,
                                      float* to) {
  for (std::int64_t row = 0; row < rows;) {
    const std::int64_t left = (rows - row + V::kLanes - 1) / V::kLanes;
    const int vectors = VectorsOfPanel(left, V::kPanelVectors);
    const std::int64_t width = std::int64_t{vectors} * V::kLanes;
    for (int v = 0; v < vectors; ++v, row += V::kLanes) {
      PackVector<V>(from + row * stride,
                    stride,
                    std::min<std::int64_t>(V::kLanes, rows - row),
                    inner,
                    to + v * V::kLanes,
                    width);
    }
    to += inner * width;
  }
}

// The same panels from rows that lie side by side: row r, column k at
// from[k * stride + r].
template <class V>
BITPACT_KERNEL_TARGET void PackColumns(const float* from,
                                       std::int64_t stride,
                                       std::int64_t rows,
                                       std::int64_t inner,
                                       float* to) {
  for (std::int64_t row = 0; row < rows;) {
    const std::int64_t left = (rows - row + V::kLanes - 1) / V::kLanes;
    const std::int64_t width =
        std::int64_t{VectorsOfPanel(left, V::kPanelVectors)} * V::kLanes;
    const std::int64_t count = std::min(width, rows - row);
    for (std::int64_t k = 0; k < inner; ++k, to += width) {
      std::copy_n(from + k * stride + row, count, to);
      std::fill_n(to + count, width - count, 0.0F);
    }
    row += width;
  }
}

// to[c * to_stride + r] = from[r * stride + c]. Columns outside: the lines of
// `to`, often a power of two apart, are filled before they leave the cache.
template <class V>
BITPACT_KERNEL_TARGET void Turn(const float* from,
                                std::int64_t stride,
                                std::int64_t rows,
                                std::int64_t cols,
                                float* to,
                                std::int64_t to_stride) {
  constexpr std::int64_t kFour = 4;
  for (std::int64_t col = 0; col < cols; col += kFour) {
    const std::int64_t width = std::min(kFour, cols - col);
    const float* source = from + col;
    float* target = to + col * to_stride;
    std::int64_t row = 0;
    for (; row + V::kLanes <= rows && width == kFour; row += V::kLanes) {
      PackFourColumns<V>(
          source + row * stride, stride, target + row, to_stride);
    }
    for (; row < rows; ++row) {
      for (std::int64_t c = 0; c < width; ++c) {
        target[c * to_stride + row] = source[row * stride + c];
      }
    }
  }
}

// --- multiplying ------------------------------------------------------------

template <class V, int kRows, int kVectors>
struct Tile {
  typename V::Float sums[kRows][kVectors];

  // rows[r]: the `inner` columns of row r.
  BITPACT_KERNEL_INLINE void Multiply(
      const float* panel,
      const std::array<const float*, kRows>& rows,
      std::int64_t inner) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) sums[r][v] = V::Set(0.0F);
    }
    for (std::int64_t k = 0; k < inner; ++k) {
      typename V::Float column[kVectors];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        column[v] = V::Load(panel + v * V::kLanes);
      }
      panel += kVectors * V::kLanes;
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const auto value = V::Set(rows[r][k]);
#pragma GCC unroll 16
        for (int v = 0; v < kVectors; ++v) {
          sums[r][v] = V::MulAdd(column[v], value, sums[r][v]);
        }
      }
    }
  }

  template <bool kAdd>
  BITPACT_KERNEL_INLINE void StoreWhole(float* y, std::int64_t stride) const {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        float* at = y + r * stride + v * V::kLanes;
        V::Store(at, kAdd ? V::Add(V::Load(at), sums[r][v]) : sums[r][v]);
      }
    }
  }

  // Its first rows and lanes.
  BITPACT_KERNEL_TARGET void StorePart(const PanelProduct& product,
                                       float* y,
                                       std::int64_t rows,
                                       std::int64_t lanes) const {
    std::array<float, kVectors * V::kLanes> line;
    for (int r = 0; r < rows; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        V::Store(line.data() + v * V::kLanes, sums[r][v]);
      }
      float* at = y + r * product.y_stride;
      for (std::int64_t lane = 0; lane < lanes; ++lane) {
        at[lane] = product.add ? at[lane] + line[lane] : line[lane];
      }
    }
  }

  BITPACT_KERNEL_INLINE void Store(const PanelProduct& product,
                                   float* y,
                                   std::int64_t rows,
                                   std::int64_t lanes) const {
    if (rows < kRows || lanes < kVectors * V::kLanes) {
      StorePart(product, y, rows, lanes);
    } else if (product.add) {
      StoreWhole<true>(y, product.y_stride);
    } else {
      StoreWhole<false>(y, product.y_stride);
    }
  }
};

// One panel with kRows rows from `row` on. Rows behind the last repeat it. Not
// inlined: what callers keep in registers would push a sum into memory, which
// halves the speed.
template <class V, int kRows, int kVectors>
BITPACT_KERNEL_TARGET __attribute__((noinline)) void MultiplyTile(
    const PanelProduct& product,
    const float* panel,
    std::int64_t lane,
    std::int64_t row) {
  std::array<const float*, kRows> rows;
  for (int r = 0; r < kRows; ++r) {
    rows[r] = product.rows +
              std::min(row + r, product.num_rows - 1) * product.row_stride;
  }
  Tile<V, kRows, kVectors> tile;
  tile.Multiply(panel, rows, product.inner);
  tile.Store(
      product,
      product.y + row * product.y_stride + lane,
      std::min<std::int64_t>(kRows, product.num_rows - row),
      std::min<std::int64_t>(kVectors * V::kLanes, product.panel_rows - lane));
}

template <class V>
BITPACT_KERNEL_TARGET void MultiplyPanels(const PanelProduct& product) {
  if (product.panel_rows <= V::kLanes) {
    for (std::int64_t row = 0; row < product.num_rows; row += V::kNarrowRows) {
      MultiplyTile<V, V::kNarrowRows, 1>(product, product.panels, 0, row);
    }
    return;
  }
  // Rows outside: they stay in the first-level cache while the panels, which
  // lie in one piece in the second-level one, pass by.
  for (std::int64_t row = 0; row < product.num_rows; row += V::kTileRows) {
    const float* panel = product.panels;
    for (std::int64_t lane = 0; lane < product.panel_rows;) {
      const std::int64_t left =
          (product.panel_rows - lane + V::kLanes - 1) / V::kLanes;
      const int vectors = VectorsOfPanel(left, V::kPanelVectors);
      if constexpr (V::kPanelVectors >= 3) {
        if (vectors == 3) {
          MultiplyTile<V, V::kTileRows, 3>(product, panel, lane, row);
        } else {
          MultiplyTile<V, V::kTileRows, 2>(product, panel, lane, row);
        }
      } else {
        MultiplyTile<V, V::kTileRows, 1>(product, panel, lane, row);
      }
      const std::int64_t width = std::int64_t{vectors} * V::kLanes;
      panel += product.inner * width;
      lane += width;
    }
  }
}

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_PRODUCT_INL_H_
