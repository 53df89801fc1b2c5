// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_GROUP_GRID_H_
#define BITPACT_QUANT_GROUP_GRID_H_

// The evenly spaced values that one group of weights can take, found from the
// group's least and greatest weight, and rounding to them.
//
//   asymmetric, float shift (kFloat16, kFloat32): optimum-quanto's
//   MaxOptimizer.
//       scale = (max - min) / (2^b - 1), shift = -min,
//       q = clamp(round((w + shift) / scale), 0, 2^b - 1), w^ = scale * q -
//       shift
//   asymmetric, integer zero-point (kUint8): the quantizer of IST-DASLab/gptq.
//       min and max are stretched to contain 0; scale as above,
//       z = clamp(round(-min / scale), 0, 2^b - 1),
//       q = clamp(round(w / scale) + z, 0, 2^b - 1),   w^ = scale * (q - z)
//   symmetric (kNone): optimum-quanto's AbsmaxOptimizer for any width.
//       scale = max |w| / (2^(b-1) - 1), z = 2^(b-1), q and w^ as with kUint8
//
// round is to nearest, halves to even. Scale and shift are first rounded to the
// type they are stored in, and codes are computed with the stored values: what
// the rounding of a scale costs is partly won back, and a decoder sees the very
// numbers the encoder saw. With float32 storage nothing is rounded and the
// codes equal the references'.
//
// Two deviations, both where the references divide by zero: a group of equal
// weights has scale 0 and codes 0 (with a float shift it decodes to -shift, the
// weight itself), and a scale below the smallest normal number of its type is
// rounded up, so that it neither vanishes nor leaves weights outside the range.

#include <cmath>
#include <cstdint>
#include <span>

#include "core/bit_format.h"
#include "core/error.h"

namespace bitpact {

// w^ = scale * (q - zero_point) - shift. At most one of zero_point and shift is
// not 0. In float32: q - zero_point is exact, the product and the difference
// are rounded separately (never fused).
struct GroupGrid {
  float scale = 0.0F;
  float zero_point = 0.0F;
  float shift = 0.0F;
};

// The scale of a symmetric grid.
enum class SymmetricRange {
  kWithinCodes,  // max |w| / (2^(b-1) - 1): Quanto's; code 0 is hardly used
  kAllCodes,     // 2 * max |w| / (2^b - 1): GPTQ's; max |w| is half a step out
};

// The grid of a group, with stored values. `weights`: not empty. A scale or
// shift that exceeds what its type holds comes out infinite, and the scale is
// NaN when a weight is not finite; callers check with IsStorable.
// `range` matters to symmetric formats only.
GroupGrid FitGroupGrid(const BitFormat& format,
                       std::span<const float> weights,
                       SymmetricRange range = SymmetricRange::kWithinCodes);

// The same for weights of which only least and greatest are known, or wanted:
// least <= greatest.
GroupGrid GridOfRange(const BitFormat& format,
                      float least,
                      float greatest,
                      SymmetricRange range = SymmetricRange::kWithinCodes);

inline bool IsStorable(const GroupGrid& grid) {
  return std::isfinite(grid.scale) && std::isfinite(grid.shift);
}

// kUnsupported: what of row `row` does not fit its stored type.
Error NotStorable(std::int64_t row,
                  const BitFormat& format,
                  const GroupGrid& grid);

// codes[i] = the code of weights[i]; same lengths. |w - w^| <= scale / 2 plus
// rounding for every weight inside the grid's range; a weight outside gets the
// nearest end. Every kernel level gives the same codes.
void EncodeGroup(const GroupGrid& grid,
                 int bits,
                 std::span<const float> weights,
                 std::span<std::uint8_t> codes);

// The value of a code.
inline float DecodeWeight(const GroupGrid& grid, int code) {
  return grid.scale * (static_cast<float>(code) - grid.zero_point) - grid.shift;
}

// What PackedMatrix stores beside the scale: the integer zero-point for kUint8,
// the shift for float types, nothing (0) for kNone.
inline float StoredShift(const GroupGrid& grid, ZeroPointType type) {
  return type == ZeroPointType::kUint8 ? grid.zero_point : grid.shift;
}

}  // namespace bitpact

#endif  // BITPACT_QUANT_GROUP_GRID_H_
