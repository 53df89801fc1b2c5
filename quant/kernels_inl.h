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
#include <vector>

#include "quant/decode_inl.h"
#include "quant/dense_few_inl.h"
#include "quant/few_tokens_inl.h"
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

// One chunk of kTokens tokens, whatever the format.
template <class V, int kBits, int kTokens>
BITPACT_KERNEL_TARGET void MultiplyChunk(const PackedMatrix& w,
                                         const PackedShape& shape,
                                         const float* x,
                                         float* y) {
  if (!WordsLieInGroups(shape)) {
    MultiplyTokens<V, kBits, kTokens>(w, shape, x, y);
    return;
  }
  thread_local std::vector<float> scratch;
  constexpr int kRows = std::max(V::kWordRows / kTokens, 1);
  const FewTokens<V, kBits, kTokens, kRows> few(w, shape);
  const auto floats = static_cast<std::size_t>(few.scratch_floats());
  scratch.resize(std::max(scratch.size(), floats));
  few.Multiply(x, y, scratch.data());
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
    MultiplyChunk<V, kBits, 4>(
        w, shape, x + t * shape.cols, y + t * shape.rows);
  }
  for (; t + 2 <= tokens; t += 2) {
    MultiplyChunk<V, kBits, 2>(
        w, shape, x + t * shape.cols, y + t * shape.rows);
  }
  for (; t < tokens; ++t) {
    MultiplyChunk<V, kBits, 1>(
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

// Weights to codes, 32 at a time. The quotient's nearest integer is found from
// a product with the inverse, in a fraction of the time. The two differ by less
// than 2^-14 inside the grid's range, so where the product is further than that
// from the middle between two integers both round alike; the others are
// divided.
template <class V>
class Encoder {
 public:
  static constexpr int kVectors = 32 / V::kLanes;

  BITPACT_KERNEL_INLINE Encoder(const GroupGrid& grid, int bits)
      : scale_(V::Set(grid.scale)),
        inverse_(V::Set(1.0F / grid.scale)),
        shift_(V::Set(grid.shift)),
        zero_(static_cast<int>(grid.zero_point)),
        least_(V::Set(-grid.zero_point)),
        greatest_(
            V::Set(static_cast<float>((1 << bits) - 1) - grid.zero_point)) {}

  BITPACT_KERNEL_INLINE void Encode(const float* weights,
                                    std::uint8_t* codes) const {
    typename V::Int steps[kVectors];
    auto furthest = V::Set(0.0F);
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      const auto moved = V::Add(V::Load(weights + i * V::kLanes), shift_);
      const auto v = Clamp(V::Mul(moved, inverse_));
      steps[i] = V::RoundToInt(v);
      const auto off = V::Sub(v, V::ToFloat(steps[i]));
      // In this order a NaN, of an infinite inverse, is kept.
      furthest = V::Max(V::Abs(off), furthest);
    }
    if (V::AnyNotBelow(furthest, V::Set(0.5F - 0x1p-13F))) {
      Divide(weights, steps);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) steps[i] = V::AddInt(steps[i], zero_);
    V::StoreBytes(codes, steps);
  }

 private:
  [[nodiscard]] BITPACT_KERNEL_INLINE typename V::Float Clamp(
      typename V::Float v) const {
    return V::Min(V::Max(v, least_), greatest_);
  }
  BITPACT_KERNEL_INLINE void Divide(const float* weights,
                                    typename V::Int (&steps)[kVectors]) const {
    for (int i = 0; i < kVectors; ++i) {
      const auto moved = V::Add(V::Load(weights + i * V::kLanes), shift_);
      steps[i] = V::RoundToInt(Clamp(V::Div(moved, scale_)));
    }
  }

  typename V::Float scale_;
  typename V::Float inverse_;
  typename V::Float shift_;
  int zero_;
  typename V::Float least_;
  typename V::Float greatest_;
};

template <class V>
BITPACT_KERNEL_TARGET void EncodeGroupOf(const GroupGrid& grid,
                                         int bits,
                                         std::span<const float> weights,
                                         std::uint8_t* codes) {
  const Encoder<V> encoder(grid, bits);
  const float* data = weights.data();
  const auto count = static_cast<std::int64_t>(weights.size());
  std::int64_t i = 0;
  for (; i + 32 <= count; i += 32) encoder.Encode(data + i, codes + i);
  if (i == count) return;
  std::array<float, 32> rest{};
  std::array<std::uint8_t, 32> rest_codes;
  std::copy(data + i, data + count, rest.begin());
  encoder.Encode(rest.data(), rest_codes.data());
  std::copy_n(rest_codes.begin(), count - i, codes + i);
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
          .pack_columns = &PackColumns<V>,
          .turn = &Turn<V>,
          .multiply_panels = &MultiplyPanels<V>,
          .multiply_rows = &MultiplyRows<V>,
          .find_range = &FindRange<V>,
          .encode_group = &EncodeGroupOf<V>,
          .hqq_step = &HqqStep<V>,
          .gptq_tile = &GptqTileOf<V>};
}

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_KERNELS_INL_H_
