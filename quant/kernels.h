// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_KERNELS_H_
#define BITPACT_QUANT_KERNELS_H_

// The inner loops over packed rows, once for each vector unit, chosen at run
// time; for use inside quant/ and by its tests. One source (kernels_inl.h) is
// compiled against three small sets of vector operations, so the levels differ
// in width and in nothing else:
//
//   kPortable  eight lanes in plain C++, runs everywhere
//   kAvx2      eight lanes; needs AVX2, FMA and F16C
//   kAvx512    sixteen lanes; needs AVX-512 F, BW, DQ and VL
//
// What is the same at every level, bit for bit: dequantized weights, the range
// of a group, codes of a given grid, steps of HQQ. What is not: sums of
// products, whose order follows the number of lanes and which are fused where
// the level can; with them the weights that a GPTQ tile rounds.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bit_format.h"
#include "quant/group_grid.h"
#include "quant/packed_matrix.h"

namespace bitpact {

enum class KernelLevel { kPortable, kAvx2, kAvx512 };

// Least and greatest of some weights.
struct WeightRange {
  float least = 0.0F;
  float greatest = 0.0F;
};

// What all rows of a packed matrix have in common.
struct PackedShape {
  BitFormat format;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t groups = 0;       // of a row
  std::int64_t group_width = 0;  // weights of every group but the last
};

// Where one row lies: its planes (unused ones null), scales and zero-points.
struct PackedRow {
  std::array<const std::uint8_t*, 3> planes{};
  const std::uint8_t* scales = nullptr;
  const std::uint8_t* zero_points = nullptr;
};

PackedShape ShapeOf(const PackedMatrix& matrix);
PackedRow RowOf(const PackedMatrix& matrix, std::int64_t row);

// One half-quadratic step of HQQ (quant/hqq_quantizer.h) shrinks a residual by
// |d|^power * inverse_beta.
struct HqqShrinkage {
  float power = -0.3F;  // p - 1, in (-1, 0)
  float inverse_beta = 0.1F;
};

// Sums over the weights w of a group, with q its code, w^ its decoded value,
// d = w - w^, e the shrunk d and k = q - zero_point.
struct HqqSums {
  float offset = 0.0F;     // scale * (q - zero_point) - (w - e)
  float lp_error = 0.0F;   // |d|^p
  float abs_error = 0.0F;  // |d|
  float along = 0.0F;      // k * (w - e)
  float squares = 0.0F;    // k^2
};

// GPTQ (quant/gptq_quantizer.h) rounds this many rows side by side.
inline constexpr std::int64_t kGptqRows = 16;

// The grids that sixteen rows have for one group of columns.
struct GptqLaneGrid {
  // The scale, or infinity where it is 0, so that every code is the zero-point.
  std::array<float, kGptqRows> divisor;
  std::array<float, kGptqRows> scale;
  std::array<float, kGptqRows> zero_point;
  std::array<float, kGptqRows> shift;
};

// Some columns of sixteen rows. Column i of `original`, `current` and
// `residual` lies at i * stride, its rows side by side.
struct GptqTile {
  std::int64_t width = 0;  // columns
  std::int64_t stride = 0;
  int bits = 4;
  // Null: residuals are of the moved weights (GptqForm::kInverse).
  const float* original = nullptr;
  // What the columns before the tile left of the weights.
  const float* current = nullptr;
  // [width, width]; row i holds how much of the residual of column j < i goes
  // to column i.
  const float* coupling = nullptr;
  const GptqLaneGrid* const* grids = nullptr;  // [width]
  float* residual = nullptr;                   // original or moved - decoded
  float* codes = nullptr;                      // [width, kGptqRows], whole
};

// A product of some packed rows, laid side by side in panels (PackPanels of
// quant/panels.h says how), with some plain rows, over the same columns:
//   y[r * y_stride + l] (+)= sum over k of
//       packed row l, column k * row r, column k
struct PanelProduct {
  const float* panels = nullptr;
  std::int64_t panel_rows = 0;
  const float* rows = nullptr;  // [num_rows, inner], row_stride apart
  std::int64_t num_rows = 0;
  std::int64_t row_stride = 0;
  std::int64_t inner = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
  bool add = false;  // to what y holds
};

// A product of many rows with few, both plain and over the same columns:
//   y[f * y_stride + r] = sum over k of rows[r, k] * few[f, k]
struct FewProduct {
  const float* rows = nullptr;  // [num_rows, inner], contiguous
  std::int64_t num_rows = 0;
  const float* few = nullptr;  // [num_few, inner], contiguous
  std::int64_t num_few = 0;    // 1..kMostFewRows
  std::int64_t inner = 0;
  std::int64_t run = 0;  // RunColumns(inner) of quant/panels.h
  float* y = nullptr;
  std::int64_t y_stride = 0;
};
inline constexpr std::int64_t kMostFewRows = 4;

struct Kernels {
  // Floats in a vector; panels are padded to whole ones.
  int lanes = 0;
  // out: [cols].
  void (*dequantize_row)(const PackedShape& shape,
                         const PackedRow& row,
                         float* out);
  // y[t, r] = sum over i of x[t, i] * w[r, i] for all rows of w and
  // 1 <= tokens; x: [tokens, cols], y: [tokens, rows].
  //
  // Order of one sum: a function of the format and the number of columns alone,
  // whatever the number of tokens and rows. Where the 32-bit words of every
  // plane lie in one group each (quant/few_tokens_inl.h), sums of codes and of
  // inputs are taken apart:
  //   y = sum over groups of scale * sum q x - shift * sum x,
  // plane after plane, block of words after block, lane by lane, the shifts
  // last. Elsewhere weights are taken a group after another, ascending; inside
  // a group, from its first column that is a multiple of 8, `lanes` at a time,
  // each lane adding into a sum of its own; columns before that and behind the
  // last whole vector go into one more, scalar, sum. At the end lane l takes
  // lane l + lanes/2, then l + lanes/4, ..., and the scalar sum is added last.
  // AVX2 and AVX-512 fuse the product and sum of the lanes.
  //
  // Taking sums apart loses what scale * q and shift lose by being larger than
  // their difference: the error is bounded by the float32 error of
  //   sum of (|scale * q| + |shift|) * |x|.
  void (*multiply)(const PackedMatrix& w,
                   const float* x,
                   float* y,
                   std::int64_t tokens);
  // rows: [rows, inner], `stride` apart, into panels of `inner` columns; writes
  // inner * (rows rounded up to whole vectors) floats.
  void (*pack_panels)(const float* from,
                      std::int64_t stride,
                      std::int64_t rows,
                      std::int64_t inner,
                      float* to);
  // The same panels from rows that lie side by side: row r, column k at
  // from[k * stride + r].
  void (*pack_columns)(const float* from,
                       std::int64_t stride,
                       std::int64_t rows,
                       std::int64_t inner,
                       float* to);
  // to[c * to_stride + r] = from[r * stride + c], r < rows, c < cols.
  void (*turn)(const float* from,
               std::int64_t stride,
               std::int64_t rows,
               std::int64_t cols,
               float* to,
               std::int64_t to_stride);
  // Each sum starts at 0 and takes its products one after another in ascending
  // order of k, fused at AVX2 and AVX-512; then it is added to y (or stored).
  // So an element of y has the same bits wherever in a panel, a tile or a
  // product it is computed, and the same at AVX2 and AVX-512.
  void (*multiply_panels)(const PanelProduct& product);
  // The bits of multiply_panels over runs of columns, added up in ascending
  // order, without packing anything.
  void (*multiply_rows)(const FewProduct& product);
  // weights: not empty. Both ends are NaN when a weight is not finite.
  WeightRange (*find_range)(std::span<const float> weights);
  // As EncodeGroup (quant/group_grid.h), for a scale > 0.
  void (*encode_group)(const GroupGrid& grid,
                       int bits,
                       std::span<const float> weights,
                       std::uint8_t* codes);
  // Rounds `weights` (not empty, finite) to the grid, whose scale is > 0, and
  // sums. Sums run in sixteen lanes and then lane l takes l + 8, l + 4, ...
  HqqSums (*hqq_step)(const GroupGrid& grid,
                      int bits,
                      std::span<const float> weights,
                      const HqqShrinkage& shrinkage);
  // Rounds the columns one after another:
  //   w[i] = current[i] + sum over j < i of coupling[i][j] * residual[j].
  void (*gptq_tile)(const GptqTile& tile);
};

// Levels this processor and operating system can run, slowest first; never
// empty.
const std::vector<KernelLevel>& AvailableKernelLevels();
// Kernels of an available level (CHECK).
const Kernels& KernelsOf(KernelLevel level);
// Kernels of the fastest available level.
const Kernels& BestKernels();

namespace internal {
extern const Kernels kPortableKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
}  // namespace internal

}  // namespace bitpact

#endif  // BITPACT_QUANT_KERNELS_H_
