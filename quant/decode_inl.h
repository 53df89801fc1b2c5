// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_DECODE_INL_H_
#define BITPACT_QUANT_DECODE_INL_H_

// From the bytes of a packed row to lanes of weights, written against a type V
// of vector operations; the part of quant/kernels_inl.h that knows the layout.
// V gives:
//
//   kLanes        a multiple of 8
//   kTableBits    codes up to this width are turned into weights by looking
//                 them up in a register of 2^kTableBits entries
//   kRowBlock     rows that `multiply` takes at once
//   Float, Int    kLanes floats, kLanes 32-bit integers
//   Set, Load, Store, Add, Sub, Mul, Div, MulAdd, Min, Max, LeastLane,
//   GreatestLane, AnyNaN, AnyNotBelow(a, b), ToFloat, ToInt (of whole numbers),
//   BitsOf, OfBits, Iota, AddInt, SubInt, And, AndInt, Or, ShiftLeft,
//   ShiftRight (keeps the sign), RoundToInt, Abs, StoreBytes (32 numbers
//   0..255) LoadWords(bytes) kLanes 32-bit words LoadPlane<b>(bytes) kLanes
//   codes of b bits, low bits of each lane;
//                             higher bits of a lane are arbitrary when b < 8
//   LookUp(table, index)      uses the low log2(kLanes) bits of each index
//   LoadHalves(bytes)         kLanes float16 to float32
//
// V lives in an unnamed namespace, so every instance of a template below is the
// including file's own. BITPACT_KERNEL_TARGET is the function attribute that
// lets the compiler use the level's instructions; the file itself is compiled
// for the plain processor.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "quant/kernels.h"

#ifndef BITPACT_KERNEL_TARGET
#define BITPACT_KERNEL_TARGET
#endif
#define BITPACT_KERNEL_INLINE \
  BITPACT_KERNEL_TARGET inline __attribute__((always_inline))

namespace bitpact::internal {

// Groups whose parameters are expanded to float32 at once.
inline constexpr std::int64_t kChunk = 32;

struct GroupChunk {
  alignas(64) std::array<float, kChunk> scale;
  alignas(64) std::array<float, kChunk> zero_point;
  alignas(64) std::array<float, kChunk> shift;
};

template <class V>
BITPACT_KERNEL_INLINE void ExpandFloats(const std::uint8_t* bytes,
                                        bool is_half,
                                        std::size_t count,
                                        std::array<float, kChunk>& out) {
  if (is_half) {
    std::array<std::uint8_t, 2 * kChunk> halves{};
    std::memcpy(halves.data(), bytes, 2 * count);
    for (std::size_t i = 0; i < kChunk; i += V::kLanes) {
      V::Store(out.data() + i, V::LoadHalves(halves.data() + 2 * i));
    }
  } else {
    out.fill(0.0F);
    std::memcpy(out.data(), bytes, count * sizeof(float));
  }
}

// Parameters of groups [first, first + count), count <= kChunk; scales behind
// them are 0, the rest is finite.
template <class V>
BITPACT_KERNEL_TARGET void ExpandGroups(const PackedShape& shape,
                                        const PackedRow& row,
                                        std::int64_t first,
                                        std::int64_t count,
                                        GroupChunk& out) {
  const BitFormat& format = shape.format;
  const auto size = static_cast<std::size_t>(count);
  ExpandFloats<V>(row.scales + first * ScaleBytes(format.scale_type),
                  format.scale_type == ScaleType::kFloat16,
                  size,
                  out.scale);
  const std::uint8_t* zero_points =
      row.zero_points + first * ZeroPointBytes(format.zero_point_type);
  switch (format.zero_point_type) {
    case ZeroPointType::kNone:
      out.zero_point.fill(static_cast<float>(1 << (format.bits - 1)));
      out.shift.fill(0.0F);
      break;
    case ZeroPointType::kUint8:
      out.zero_point.fill(0.0F);
      for (std::size_t i = 0; i < size; ++i) {
        out.zero_point[i] = static_cast<float>(zero_points[i]);
      }
      out.shift.fill(0.0F);
      break;
    default:
      out.zero_point.fill(0.0F);
      ExpandFloats<V>(zero_points,
                      format.zero_point_type == ZeroPointType::kFloat16,
                      size,
                      out.shift);
      break;
  }
}

// kLanes codes from column `col`, a multiple of 8. With kLoose, bits above
// kBits are arbitrary.
template <class V, int kBits, bool kLoose>
BITPACT_KERNEL_INLINE typename V::Int LoadCodes(const PackedRow& row,
                                                std::int64_t col) {
  constexpr std::array<int, 3> kPlanes = PlaneBits(kBits);
  auto codes =
      V::template LoadPlane<kPlanes[0]>(row.planes[0] + col * kPlanes[0] / 8);
  if constexpr (kPlanes[1] != 0) {
    codes = V::Or(
        V::And(codes, (1 << kPlanes[0]) - 1),
        V::template ShiftLeft<kPlanes[0]>(V::template LoadPlane<kPlanes[1]>(
            row.planes[1] + col * kPlanes[1] / 8)));
  }
  if constexpr (kPlanes[2] != 0) {
    constexpr int kBelow = kPlanes[0] + kPlanes[1];
    codes =
        V::Or(V::And(codes, (1 << kBelow) - 1),
              V::template ShiftLeft<kBelow>(V::template LoadPlane<kPlanes[2]>(
                  row.planes[2] + col * kPlanes[2] / 8)));
  }
  return kLoose || kBits == 8 ? codes : V::And(codes, (1 << kBits) - 1);
}

template <int kBits>
BITPACT_KERNEL_INLINE int LoadCode(const PackedRow& row, std::int64_t col) {
  constexpr std::array<int, 3> kPlanes = PlaneBits(kBits);
  int code = 0;
  int below = 0;
  for (std::size_t i = 0; i < kPlanes.size() && kPlanes[i] != 0; ++i) {
    const std::int64_t bit = col * kPlanes[i];
    const int byte = row.planes[i][bit / 8];
    code |= ((byte >> (bit % 8)) & ((1 << kPlanes[i]) - 1)) << below;
    below += kPlanes[i];
  }
  return code;
}

template <class V>
BITPACT_KERNEL_INLINE typename V::Float DecodeLanes(typename V::Int codes,
                                                    const GroupGrid& grid) {
  const auto steps = V::Sub(V::ToFloat(codes), V::Set(grid.zero_point));
  return V::Sub(V::Mul(V::Set(grid.scale), steps), V::Set(grid.shift));
}

// Turns the codes of one group into weights, by a table where it fits.
template <class V, int kBits>
struct Decoder {
  static constexpr bool kUsesTable = kBits <= V::kTableBits;
  GroupGrid grid;
  typename V::Float table;

  BITPACT_KERNEL_INLINE void SetGroup(const GroupChunk& chunk, std::size_t i) {
    grid = {chunk.scale[i], chunk.zero_point[i], chunk.shift[i]};
    if constexpr (kUsesTable) {
      // Entry i holds code i mod 2^kBits: loose high bits do no harm.
      table = DecodeLanes<V>(V::And(V::Iota(), (1 << kBits) - 1), grid);
    }
  }
  [[nodiscard]] BITPACT_KERNEL_INLINE typename V::Float Lanes(
      const PackedRow& row, std::int64_t col) const {
    const auto codes = LoadCodes<V, kBits, kUsesTable>(row, col);
    if constexpr (kUsesTable) {
      return V::LookUp(table, codes);
    } else {
      return DecodeLanes<V>(codes, grid);
    }
  }
  [[nodiscard]] BITPACT_KERNEL_INLINE float One(const PackedRow& row,
                                                std::int64_t col) const {
    return DecodeWeight(grid, LoadCode<kBits>(row, col));
  }
};

// Columns of a group: [begin, body) and [tail, end) one by one, [body, tail) in
// whole vectors that start at a byte of every plane.
struct GroupColumns {
  std::int64_t begin;
  std::int64_t body;
  std::int64_t tail;
  std::int64_t end;
};

template <class V>
BITPACT_KERNEL_INLINE GroupColumns ColumnsOf(const PackedShape& shape,
                                             std::int64_t group) {
  GroupColumns columns{};
  columns.begin = group * shape.group_width;
  columns.end = std::min(columns.begin + shape.group_width, shape.cols);
  columns.body = std::min((columns.begin + 7) / 8 * 8, columns.end);
  columns.tail = columns.end - (columns.end - columns.body) % V::kLanes;
  return columns;
}

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_DECODE_INL_H_
