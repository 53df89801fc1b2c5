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
// of a group, codes. What is not: sums of products, whose order follows the
// number of lanes.

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

struct Kernels {
  // out: [cols].
  void (*dequantize_row)(const PackedShape& shape,
                         const PackedRow& row,
                         float* out);
  // y[t, r] = sum over i of x[t, i] * w[r, i] for all rows of w and
  // 1 <= tokens; x: [tokens, cols], y: [tokens, rows].
  //
  // Order of one sum, whatever the number of tokens and rows: weights are taken
  // a group after another, ascending; inside a group, from its first column
  // that is a multiple of 8, `lanes` at a time, each lane adding into a sum of
  // its own; columns before that and behind the last whole vector go into one
  // more, scalar, sum. At the end lane l takes lane l + lanes/2, then
  // l + lanes/4, ..., and the scalar sum is added last. AVX2 and AVX-512 fuse
  // the product and sum of the lanes.
  void (*multiply)(const PackedMatrix& w,
                   const float* x,
                   float* y,
                   std::int64_t tokens);
  // weights: not empty. Both ends are NaN when a weight is not finite.
  WeightRange (*find_range)(std::span<const float> weights);
  // As EncodeGroup (quant/group_grid.h), for a scale > 0.
  void (*encode_group)(const GroupGrid& grid,
                       int bits,
                       std::span<const float> weights,
                       std::uint8_t* codes);
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
