// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_KERNELS_INL_H_
#define BITPACT_QUANT_KERNELS_INL_H_

// The bodies of quant/kernels.h, included once by each kernels_<level>.cc with
// its type V of vector operations (quant/decode_inl.h says what V gives).

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "quant/decode_inl.h"
#include "quant/gptq_inl.h"
#include "quant/hqq_inl.h"
#include "quant/kernels.h"
#include "quant/product_inl.h"

namespace bitpact::internal {

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
  // w - w is 0, or NaN when w is not finite; minima and maxima may pass over a
  // NaN.
  auto nothing = V::Set(0.0F);
  std::int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    const auto lanes = V::Load(data + i);
    least = V::Min(least, lanes);
    greatest = V::Max(greatest, lanes);
    nothing = V::Add(nothing, V::Sub(lanes, lanes));
  }
  WeightRange range{V::LeastLane(least), V::GreatestLane(greatest)};
  bool finite = !V::AnyNaN(nothing);
  for (; i < count; ++i) {
    range.least = std::min(range.least, data[i]);
    range.greatest = std::max(range.greatest, data[i]);
    finite = finite && std::isfinite(data[i]);
  }
  if (!finite) {
    constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
    return {kNone, kNone};
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
  return {.lanes = V::kLanes,
          .dequantize_row = &DequantizeRow<V>,
          .multiply = &Multiply<V>,
          .pack_panels = &PackPanels<V>,
          .turn = &Turn<V>,
          .multiply_panels = &MultiplyPanels<V>,
          .find_range = &FindRange<V>,
          .encode_group = &EncodeGroupOf<V>,
          .hqq_step = &HqqStep<V>,
          .gptq_tile = &GptqTileOf<V>};
}

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_KERNELS_INL_H_
