// SPDX-License-Identifier: Apache-2.0
#include "quant/group_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/check.h"
#include "quant/half.h"
#include "quant/kernels.h"

namespace bitpact {
namespace {

// The stored scale for a wanted one >= 0. `spread` tells a scale that
// underflowed to 0 from one that is 0.
float StoredScale(ScaleType type, float wanted, bool spread) {
  const float least_normal = type == ScaleType::kFloat16
                                 ? 0x1p-14F
                                 : std::numeric_limits<float>::min();
  const float step = type == ScaleType::kFloat16
                         ? 0x1p-24F
                         : std::numeric_limits<float>::denorm_min();
  const float stored =
      type == ScaleType::kFloat16 ? RoundToHalf(wanted) : wanted;
  if (!spread || wanted >= least_normal) return stored;
  return stored == 0.0F || stored < wanted ? stored + step : stored;
}

}  // namespace

GroupGrid FitGroupGrid(const BitFormat& format,
                       std::span<const float> weights,
                       SymmetricRange range) {
  BITPACT_DCHECK(!weights.empty(), "a group has weights");
  const auto [least, greatest] = BestKernels().find_range(weights);
  return GridOfRange(format, least, greatest, range);
}

GroupGrid GridOfRange(const BitFormat& format,
                      float least,
                      float greatest,
                      SymmetricRange range) {
  const auto top = static_cast<float>((1 << format.bits) - 1);
  const auto half = static_cast<float>(1 << (format.bits - 1));
  GroupGrid grid;
  if (format.symmetric()) {
    const float largest = std::max(-least, greatest);
    const float wanted = range == SymmetricRange::kAllCodes
                             ? 2.0F * largest / top
                             : largest / (half - 1.0F);
    grid.scale = StoredScale(format.scale_type, wanted, largest > 0.0F);
    grid.zero_point = half;
    return grid;
  }
  const bool integer_zero = format.zero_point_type == ZeroPointType::kUint8;
  if (integer_zero) {
    least = std::min(least, 0.0F);
    greatest = std::max(greatest, 0.0F);
  }
  grid.scale = StoredScale(
      format.scale_type, (greatest - least) / top, greatest > least);
  if (!integer_zero) {
    grid.shift = format.zero_point_type == ZeroPointType::kFloat16
                     ? RoundToHalf(-least)
                     : -least;
  } else if (grid.scale > 0.0F) {
    grid.zero_point =
        std::clamp(std::nearbyint(-least / grid.scale), 0.0F, top);
  }
  return grid;
}

Error NotStorable(std::int64_t row,
                  const BitFormat& format,
                  const GroupGrid& grid) {
  const bool scale = !std::isfinite(grid.scale);
  const bool is_half = scale
                           ? format.scale_type == ScaleType::kFloat16
                           : format.zero_point_type == ZeroPointType::kFloat16;
  return {ErrorCode::kUnsupported,
          "row " + std::to_string(row) + ": the " +
              (scale ? "scale" : "shift") + " of a group exceeds " +
              (is_half ? "float16 (65504)" : "float32") + " in format " +
              FormatName(format)};
}

void EncodeGroup(const GroupGrid& grid,
                 int bits,
                 std::span<const float> weights,
                 std::span<std::uint8_t> codes) {
  BITPACT_DCHECK(weights.size() == codes.size(), "one code a weight");
  if (grid.scale == 0.0F) {
    std::ranges::fill(codes, static_cast<std::uint8_t>(grid.zero_point));
    return;
  }
  BestKernels().encode_group(grid, bits, weights, codes.data());
}

}  // namespace bitpact
