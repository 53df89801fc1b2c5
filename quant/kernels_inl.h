// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_KERNELS_INL_H_
#define BITPACT_QUANT_KERNELS_INL_H_

// The bodies of quant/kernels.h, written against a type V of vector operations
// and included once by each kernels_<level>.cc. V gives:
//
//   kLanes        a multiple of 8
//   kTableBits    codes up to this width are turned into weights by looking
//                 them up in a register of 2^kTableBits entries
//   kRowBlock     rows that `multiply` takes at once
//   Float, Int    kLanes floats, kLanes 32-bit integers
//   Set, Load, Store, Sub, Mul, MulAdd, Min, Max, LeastLane, GreatestLane,
//   ToFloat, Iota, And, Or, ShiftLeft
//   LoadPlane<b>(bytes)       kLanes codes of b bits, low bits of each lane;
//                             higher bits of a lane are arbitrary when b < 8
//   LookUp(table, index)      uses the low log2(kLanes) bits of each index
//   ConvertHalves(bits, out)  kChunk float16 to float32
//
// V lives in an unnamed namespace, so every instance of a template below is the
// including file's own. BITPACT_KERNEL_TARGET is the function attribute that
// lets the compiler use the level's instructions; the file itself is compiled
// for the plain processor.

#include <algorithm>
#include <array>
#include <bit>
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
    std::array<std::uint16_t, kChunk> bits{};
    std::memcpy(bits.data(), bytes, count * sizeof(std::uint16_t));
    V::ConvertHalves(bits.data(), out.data());
  } else {
    std::memcpy(out.data(), bytes, count * sizeof(float));
  }
}

// Parameters of groups [first, first + count), count <= kChunk.
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

template <class V, int kBits>
BITPACT_KERNEL_TARGET void DequantizeRowOf(const PackedShape& shape,
                                           const PackedRow& row,
                                           float* out) {
  GroupChunk chunk;
  Decoder<V, kBits> decoder;
  for (std::int64_t first = 0; first < shape.groups; first += kChunk) {
    const std::int64_t count = std::min(kChunk, shape.groups - first);
    ExpandGroups<V>(shape, row, first, count, chunk);
    for (std::int64_t g = 0; g < count; ++g) {
      decoder.SetGroup(chunk, static_cast<std::size_t>(g));
      const GroupColumns columns = ColumnsOf<V>(shape, first + g);
      std::int64_t col = columns.begin;
      for (; col < columns.body; ++col) out[col] = decoder.One(row, col);
      for (; col < columns.tail; col += V::kLanes) {
        V::Store(out + col, decoder.Lanes(row, col));
      }
      for (; col < columns.end; ++col) out[col] = decoder.One(row, col);
    }
  }
}

// The lanes' sum in the order that quant/kernels.h states.
template <class V>
BITPACT_KERNEL_INLINE float SumLanes(typename V::Float lanes) {
  std::array<float, V::kLanes> sums;
  V::Store(sums.data(), lanes);
  for (std::size_t half = V::kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
  }
  return sums[0];
}

// The running sums of kRowBlock rows times kTokens tokens.
template <class V, int kBits, int kTokens>
struct Block {
  std::array<Decoder<V, kBits>, V::kRowBlock> decoders;
  typename V::Float sums[V::kRowBlock][kTokens];
  float rest[V::kRowBlock][kTokens];

  BITPACT_KERNEL_INLINE void Clear() {
    for (int r = 0; r < V::kRowBlock; ++r) {
      for (int t = 0; t < kTokens; ++t) {
        sums[r][t] = V::Set(0.0F);
        rest[r][t] = 0.0F;
      }
    }
  }
  // Column `col` of every token; x is token 0's, `stride` to the next.
  BITPACT_KERNEL_INLINE void AddOne(
      const std::array<PackedRow, V::kRowBlock>& rows,
      const float* x,
      std::int64_t stride,
      std::int64_t col) {
    for (int r = 0; r < V::kRowBlock; ++r) {
      const float weight = decoders[r].One(rows[r], col);
      for (int t = 0; t < kTokens; ++t) {
        rest[r][t] += weight * x[t * stride + col];
      }
    }
  }
  BITPACT_KERNEL_INLINE void AddLanes(
      const std::array<PackedRow, V::kRowBlock>& rows,
      const float* x,
      std::int64_t stride,
      std::int64_t col) {
    typename V::Float inputs[kTokens];
    for (int t = 0; t < kTokens; ++t) {
      inputs[t] = V::Load(x + t * stride + col);
    }
    for (int r = 0; r < V::kRowBlock; ++r) {
      const auto weights = decoders[r].Lanes(rows[r], col);
      for (int t = 0; t < kTokens; ++t) {
        sums[r][t] = V::MulAdd(weights, inputs[t], sums[r][t]);
      }
    }
  }
};

// x and y point at the first of kTokens tokens; rows beyond the matrix are
// given as copies and not written by the caller.
template <class V, int kBits, int kTokens>
BITPACT_KERNEL_TARGET void MultiplyBlock(
    const PackedShape& shape,
    const std::array<PackedRow, V::kRowBlock>& rows,
    const float* x,
    std::array<std::array<float, V::kRowBlock>, kTokens>& y) {
  Block<V, kBits, kTokens> block;
  block.Clear();
  std::array<GroupChunk, V::kRowBlock> chunks;
  for (std::int64_t first = 0; first < shape.groups; first += kChunk) {
    const std::int64_t count = std::min(kChunk, shape.groups - first);
    for (int r = 0; r < V::kRowBlock; ++r) {
      ExpandGroups<V>(shape, rows[r], first, count, chunks[r]);
    }
    for (std::int64_t g = 0; g < count; ++g) {
      for (int r = 0; r < V::kRowBlock; ++r) {
        block.decoders[r].SetGroup(chunks[r], static_cast<std::size_t>(g));
      }
      const GroupColumns at = ColumnsOf<V>(shape, first + g);
      std::int64_t col = at.begin;
      for (; col < at.body; ++col) block.AddOne(rows, x, shape.cols, col);
      for (; col < at.tail; col += V::kLanes) {
        block.AddLanes(rows, x, shape.cols, col);
      }
      for (; col < at.end; ++col) block.AddOne(rows, x, shape.cols, col);
    }
  }
  for (int r = 0; r < V::kRowBlock; ++r) {
    for (int t = 0; t < kTokens; ++t) {
      y[t][r] = SumLanes<V>(block.sums[r][t]) + block.rest[r][t];
    }
  }
}

template <class V, int kBits, int kTokens>
BITPACT_KERNEL_TARGET void MultiplyTokens(const PackedMatrix& w,
                                          const PackedShape& shape,
                                          const float* x,
                                          float* y) {
  std::array<PackedRow, V::kRowBlock> rows;
  std::array<std::array<float, V::kRowBlock>, kTokens> block;
  for (std::int64_t row = 0; row < shape.rows; row += V::kRowBlock) {
    const std::int64_t count =
        std::min<std::int64_t>(V::kRowBlock, shape.rows - row);
    for (std::int64_t r = 0; r < V::kRowBlock; ++r) {
      rows[r] = RowOf(w, row + std::min(r, count - 1));
    }
    MultiplyBlock<V, kBits, kTokens>(shape, rows, x, block);
    for (int t = 0; t < kTokens; ++t) {
      std::copy_n(block[t].begin(), count, y + t * shape.rows + row);
    }
  }
}

// Tokens are taken four, two and one at a time.
template <class V, int kBits>
BITPACT_KERNEL_TARGET void MultiplyOf(const PackedMatrix& w,
                                      const float* x,
                                      float* y,
                                      std::int64_t tokens) {
  const PackedShape shape = ShapeOf(w);
  std::int64_t t = 0;
  for (; t + 4 <= tokens; t += 4) {
    MultiplyTokens<V, kBits, 4>(
        w, shape, x + t * shape.cols, y + t * shape.rows);
  }
  for (; t + 2 <= tokens; t += 2) {
    MultiplyTokens<V, kBits, 2>(
        w, shape, x + t * shape.cols, y + t * shape.rows);
  }
  for (; t < tokens; ++t) {
    MultiplyTokens<V, kBits, 1>(
        w, shape, x + t * shape.cols, y + t * shape.rows);
  }
}

template <class V>
BITPACT_KERNEL_TARGET WeightRange FindRange(std::span<const float> weights) {
  const float* data = weights.data();
  const auto count = static_cast<std::int64_t>(weights.size());
  auto least = V::Set(data[0]);
  auto greatest = least;
  std::int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    const auto lanes = V::Load(data + i);
    least = V::Min(least, lanes);
    greatest = V::Max(greatest, lanes);
  }
  WeightRange range{V::LeastLane(least), V::GreatestLane(greatest)};
  for (; i < count; ++i) {
    range.least = std::min(range.least, data[i]);
    range.greatest = std::max(range.greatest, data[i]);
  }
  // Which of 0 and -0 is met first depends on the lanes; adding 0 gives 0.
  return {range.least + 0.0F, range.greatest + 0.0F};
}

template <class V>
BITPACT_KERNEL_TARGET void EncodeGroupOf(const GroupGrid& grid,
                                         int bits,
                                         std::span<const float> weights,
                                         std::uint8_t* codes) {
  // Adding and subtracting 1.5 * 2^23 rounds |v| < 2^22 to the nearest integer,
  // halves to even, in any vector unit.
  constexpr float kRounder = 0x1.8p23F;
  const float scale = grid.scale;
  const float shift = grid.shift;
  const float zero = grid.zero_point;
  const float least = -zero;
  const float greatest = static_cast<float>((1 << bits) - 1) - zero;
  const float* data = weights.data();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    float v = (data[i] + shift) / scale;
    v = v < least ? least : v;
    v = v > greatest ? greatest : v;
    v = (v + kRounder) - kRounder;
    codes[i] = static_cast<std::uint8_t>(static_cast<int>(v + zero));
  }
}

// Runtime width to template.
template <class V>
void DequantizeRow(const PackedShape& shape, const PackedRow& row, float* out) {
  constexpr std::array kByBits = {&DequantizeRowOf<V, 2>,
                                  &DequantizeRowOf<V, 3>,
                                  &DequantizeRowOf<V, 4>,
                                  &DequantizeRowOf<V, 5>,
                                  &DequantizeRowOf<V, 6>,
                                  &DequantizeRowOf<V, 7>,
                                  &DequantizeRowOf<V, 8>};
  kByBits[static_cast<std::size_t>(shape.format.bits - 2)](shape, row, out);
}

template <class V>
void Multiply(const PackedMatrix& w,
              const float* x,
              float* y,
              std::int64_t tokens) {
  constexpr std::array kByBits = {&MultiplyOf<V, 2>,
                                  &MultiplyOf<V, 3>,
                                  &MultiplyOf<V, 4>,
                                  &MultiplyOf<V, 5>,
                                  &MultiplyOf<V, 6>,
                                  &MultiplyOf<V, 7>,
                                  &MultiplyOf<V, 8>};
  kByBits[static_cast<std::size_t>(w.format().bits - 2)](w, x, y, tokens);
}

template <class V>
constexpr Kernels MakeKernels() {
  return {.dequantize_row = &DequantizeRow<V>,
          .multiply = &Multiply<V>,
          .find_range = &FindRange<V>,
          .encode_group = &EncodeGroupOf<V>};
}

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_KERNELS_INL_H_
