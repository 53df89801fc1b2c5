// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_FEW_TOKENS_INL_H_
#define BITPACT_QUANT_FEW_TOKENS_INL_H_

// Kernels::multiply (quant/kernels.h) for formats whose 32-bit words of codes
// lie each in one group, against a type V of vector operations
// (quant/decode_inl.h).
//
// With few tokens a product costs what turning codes into numbers costs, so
// almost nothing is turned. A vector of words is masked to the codes at one
// place of each word, which leaves code * 2^place; converted to float32 that
// number is exact, and 2^-place is put into the inputs beforehand, exactly too.
// So eight (sixteen) weights take a mask, a conversion and a fused product, in
// every width. Scales are multiplied to a group's sum, and zero-points and
// shifts to the sum of its inputs, which is the same for all rows:
//
//   sum over i of w[i] x[i] = sum over groups g of
//       scale[g] * sum over i in g of q[i] x[i]  -  shift[g] * sum of x in g
//
// Lane l of a block of words holds the codes of kLanes words, one plane of bits
// after another; the inputs are arranged to meet them.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "quant/decode_inl.h"
#include "quant/kernels.h"

namespace bitpact::internal {

// Weights of a 32-bit word of a plane.
constexpr int WordWeights(int plane) { return 32 / plane; }

// Whether every word of every plane lies in one group.
constexpr bool WordsLieInGroups(const PackedShape& shape) {
  if (shape.groups == 1) return true;
  std::int64_t most = 0;
  for (const int plane : PlaneBits(shape.format.bits)) {
    if (plane != 0) most = std::max<std::int64_t>(most, WordWeights(plane));
  }
  return shape.group_width % most == 0;
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

constexpr std::int64_t Blocks(std::int64_t count, std::int64_t size) {
  return (count + size - 1) / size;
}

// Where things lie in the scratch memory of a product with kTokens tokens.
template <class V, int kBits, int kTokens, int kRows>
struct FewLayout {
  static constexpr std::array<int, 3> kPlanes = PlaneBits(kBits);

  explicit FewLayout(const PackedShape& shape)
      : padded_groups(Blocks(shape.groups, V::kLanes) * V::kLanes + V::kLanes) {
    std::int64_t at = 0;
    for (std::size_t p = 0; p < kPlanes.size() && kPlanes[p] != 0; ++p) {
      const std::int64_t weights = WordWeights(kPlanes[p]);
      blocks[p] = Blocks(shape.cols, weights * V::kLanes);
      masks[p] = at;
      at += weights * V::kLanes;
      inputs[p] = at;
      at += blocks[p] * weights * V::kLanes * kTokens;
      lanes[p] = at;
      at += blocks[p] * V::kLanes;
    }
    sums = at;
    at += padded_groups * kTokens;
    scales = at;
    at += padded_groups * kRows;
    shifts = at;
    at += padded_groups * kRows;
    floats = at;
  }

  std::int64_t padded_groups;
  std::array<std::int64_t, 3> blocks{};
  // [code of a word, lane], as numbers of bits
  std::array<std::int64_t, 3> masks{};
  // [block, code of a word, token, lane]
  std::array<std::int64_t, 3> inputs{};
  // [block, lane]: the lane's group, counted from the first lane's.
  std::array<std::int64_t, 3> lanes{};
  std::int64_t sums = 0;    // [vector of groups, token, lane], negative
  std::int64_t scales = 0;  // [row, group]
  std::int64_t shifts = 0;
  std::int64_t floats = 0;  // of all
};

// x of one token, for one plane whose codes count 2^below.
template <class V, int kPlane, int kTokens>
BITPACT_KERNEL_TARGET void ArrangePlane(const PackedShape& shape,
                                        int below,
                                        const float* x,
                                        int token,
                                        float* inputs) {
  constexpr std::int64_t kWeights = WordWeights(kPlane);
  constexpr std::int64_t kBlock = kWeights * V::kLanes;
  std::array<float, kWeights> factors;
  for (std::int64_t k = 0; k < kWeights; ++k) {
    const auto place =
        static_cast<int>(std::min(k, kWeights - 2) * kPlane) - below;
    factors[static_cast<std::size_t>(k)] = std::ldexp(1.0F, -place);
  }
  for (std::int64_t first = 0; first < shape.cols; first += kBlock) {
    float* to = inputs + first * kTokens + token * V::kLanes;
    const std::int64_t count = std::min(kBlock, shape.cols - first);
    std::int64_t i = 0;
    for (; i < count; ++i) {
      const std::int64_t k = i % kWeights;
      to[k * kTokens * V::kLanes + i / kWeights] =
          x[first + i] * factors[static_cast<std::size_t>(k)];
    }
    for (; i < kBlock; ++i) {
      to[i % kWeights * kTokens * V::kLanes + i / kWeights] = 0.0F;
    }
  }
}

// The bits of each code of a word. The topmost code is shifted down by one
// place before, or its words would be negative numbers.
template <class V, int kPlane>
BITPACT_KERNEL_TARGET void ArrangeMasks(float* masks) {
  for (int k = 0; k < WordWeights(kPlane); ++k) {
    const int place = std::min(k, WordWeights(kPlane) - 2) * kPlane;
    const std::uint32_t mask = ((1U << unsigned{kPlane}) - 1U) << place;
    for (int lane = 0; lane < V::kLanes; ++lane) {
      std::memcpy(masks + k * V::kLanes + lane, &mask, sizeof(mask));
    }
  }
}

// The group of each lane of each block, as a number of bits.
template <class V, int kPlane>
BITPACT_KERNEL_TARGET void ArrangeLanes(const PackedShape& shape,
                                        std::int64_t blocks,
                                        float* lanes) {
  constexpr std::int64_t kWeights = WordWeights(kPlane);
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first = block * kWeights * V::kLanes;
    for (std::int64_t lane = 0; lane < V::kLanes; ++lane) {
      const std::int64_t col =
          std::min(first + lane * kWeights, shape.cols - 1);
      const auto group = static_cast<std::int32_t>(col / shape.group_width -
                                                   first / shape.group_width);
      std::memcpy(lanes + block * V::kLanes + lane, &group, sizeof(group));
    }
  }
}

// Minus the sum of x over each group: lanes first, the rest in its order.
template <class V, int kTokens>
BITPACT_KERNEL_TARGET void SumGroups(const PackedShape& shape,
                                     std::int64_t padded_groups,
                                     const float* x,
                                     int token,
                                     float* sums) {
  for (std::int64_t g = 0; g < padded_groups; ++g) {
    float total = 0.0F;
    if (g < shape.groups) {
      std::int64_t col = g * shape.group_width;
      const std::int64_t end = std::min(col + shape.group_width, shape.cols);
      auto lanes = V::Set(0.0F);
      for (; col + V::kLanes <= end; col += V::kLanes) {
        lanes = V::Add(lanes, V::Load(x + col));
      }
      total = SumLanes<V>(lanes);
      for (; col < end; ++col) total += x[col];
    }
    sums[g / V::kLanes * V::kLanes * kTokens + token * V::kLanes +
         g % V::kLanes] = -total;
  }
}

// `count` numbers to float32, in whole vectors; 0 behind the last.
template <class V, class Number>
BITPACT_KERNEL_INLINE void ExpandNumbers(const std::uint8_t* bytes,
                                         std::int64_t count,
                                         float* out) {
  std::int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    V::Store(out + i, Number::Load(bytes + i * Number::kBytes));
  }
  if (i == count) return;
  std::array<std::uint8_t, V::kLanes * Number::kBytes> rest{};
  std::memcpy(rest.data(),
              bytes + i * Number::kBytes,
              static_cast<std::size_t>((count - i) * Number::kBytes));
  V::Store(out + i, Number::Load(rest.data()));
}
template <class V>
struct HalfNumber {
  static constexpr std::int64_t kBytes = 2;
  BITPACT_KERNEL_INLINE static typename V::Float Load(
      const std::uint8_t* bytes) {
    return V::LoadHalves(bytes);
  }
};
template <class V>
struct FloatNumber {
  static constexpr std::int64_t kBytes = 4;
  BITPACT_KERNEL_INLINE static typename V::Float Load(
      const std::uint8_t* bytes) {
    return V::OfBits(V::LoadWords(bytes));
  }
};
template <class V>
struct ByteNumber {
  static constexpr std::int64_t kBytes = 1;
  BITPACT_KERNEL_INLINE static typename V::Float Load(
      const std::uint8_t* bytes) {
    return V::ToFloat(V::template LoadPlane<8>(bytes));
  }
};

// Scales and scale * zero_point or shift of all groups of a row.
template <class V>
BITPACT_KERNEL_TARGET void ExpandRow(const PackedShape& shape,
                                     const PackedRow& row,
                                     float* scales,
                                     float* shifts) {
  const std::int64_t count = shape.groups;
  if (shape.format.scale_type == ScaleType::kFloat16) {
    ExpandNumbers<V, HalfNumber<V>>(row.scales, count, scales);
  } else {
    ExpandNumbers<V, FloatNumber<V>>(row.scales, count, scales);
  }
  switch (shape.format.zero_point_type) {
    case ZeroPointType::kFloat16:
      ExpandNumbers<V, HalfNumber<V>>(row.zero_points, count, shifts);
      return;
    case ZeroPointType::kFloat32:
      ExpandNumbers<V, FloatNumber<V>>(row.zero_points, count, shifts);
      return;
    case ZeroPointType::kUint8:
      ExpandNumbers<V, ByteNumber<V>>(row.zero_points, count, shifts);
      break;
    case ZeroPointType::kNone:
      std::fill_n(shifts,
                  Blocks(count, V::kLanes) * V::kLanes,
                  static_cast<float>(1 << (shape.format.bits - 1)));
      break;
  }
  for (std::int64_t g = 0; g < count; g += V::kLanes) {
    V::Store(shifts + g, V::Mul(V::Load(scales + g), V::Load(shifts + g)));
  }
}

template <class V, int kTokens, int kRows>
struct FewSums {
  typename V::Float lanes[kRows][kTokens];
};

// The scales of a block's lanes.
template <class V>
struct BlockScales {
  const float* first;   // the first lane's, of the first row
  std::int64_t stride;  // to the next row's
  const float* lanes;   // each lane's group, counted from the first lane's
  bool one_group;

  [[nodiscard]] BITPACT_KERNEL_INLINE typename V::Float Row(
      std::int64_t r) const {
    const float* scales = first + r * stride;
    if (one_group) return V::Set(*scales);
    return V::LookUp(V::Load(scales), V::BitsOf(V::Load(lanes)));
  }
};

// Adds one block of words of every row: kBlock weights from `words` on. Two
// sums take turns, or each addition would wait for the one before.
template <class V, int kPlane, int kTokens, int kRows>
BITPACT_KERNEL_INLINE void AddBlock(
    const std::array<const std::uint8_t*, kRows>& words,
    const float* masks,
    const float* inputs,
    const BlockScales<V>& scales,
    FewSums<V, kTokens, kRows>& totals) {
  constexpr int kWeights = WordWeights(kPlane);
  typename V::Int codes[kRows];
  typename V::Float sums[2][kRows][kTokens];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) codes[r] = V::LoadWords(words[r]);
#pragma GCC unroll 32
  for (int k = 0; k < kWeights; ++k) {
    const auto mask = V::BitsOf(V::Load(masks + k * V::kLanes));
    typename V::Float x[kTokens];
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      x[t] = V::Load(inputs + (k * kTokens + t) * V::kLanes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      if (k == kWeights - 1) {
        codes[r] = V::template ShiftRight<kPlane>(codes[r]);
      }
      const auto weights = V::ToFloat(V::AndInt(codes[r], mask));
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; ++t) {
        auto& sum = sums[k % 2][r][t];
        sum = k < 2 ? V::Mul(weights, x[t]) : V::MulAdd(weights, x[t], sum);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    const auto scale = scales.Row(r);
#pragma GCC unroll 8
    for (int t = 0; t < kTokens; ++t) {
      totals.lanes[r][t] = V::MulAdd(
          scale, V::Add(sums[0][r][t], sums[1][r][t]), totals.lanes[r][t]);
    }
  }
}

// All of one plane.
template <class V, int kPlane, int kTokens, int kRows>
BITPACT_KERNEL_TARGET __attribute__((noinline)) void AddPlane(
    const PackedShape& shape,
    const std::array<const std::uint8_t*, kRows>& planes,
    const float* masks,
    const float* inputs,
    const float* lanes,
    const float* scales,
    std::int64_t scale_stride,
    std::int64_t prefetch,
    FewSums<V, kTokens, kRows>& totals) {
  constexpr std::int64_t kBlock = std::int64_t{WordWeights(kPlane)} * V::kLanes;
  constexpr std::int64_t kBytes = std::int64_t{4} * V::kLanes;
  const bool one_group = shape.group_width % kBlock == 0 || shape.groups == 1;
  std::array<const std::uint8_t*, kRows> words = planes;
  const std::int64_t whole = shape.cols / kBlock * kBlock;
  FewSums<V, kTokens, kRows> sums = totals;
  std::array<std::uint8_t, kRows * kBytes> rest;
  for (std::int64_t col = 0; col < shape.cols; col += kBlock) {
    if (col == whole) {
      // What lies behind the row is not to be read.
      const std::int64_t bytes = ((shape.cols - col) * kPlane + 7) / 8;
      rest.fill(0);
      for (int r = 0; r < kRows; ++r) {
        std::copy_n(words[r], bytes, rest.data() + r * kBytes);
        words[r] = rest.data() + r * kBytes;
      }
    }
    const BlockScales<V> block_scales = {
        scales + col / shape.group_width, scale_stride, lanes, one_group};
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) __builtin_prefetch(words[r] + prefetch);
    AddBlock<V, kPlane, kTokens, kRows>(
        words, masks, inputs, block_scales, sums);
    inputs += kBlock * kTokens;
    lanes += V::kLanes;
    for (int r = 0; r < kRows; ++r) words[r] += kBytes;
  }
  totals = sums;
}

// kTokens tokens with all rows.
template <class V, int kBits, int kTokens, int kRows>
class FewTokens {
 public:
  FewTokens(const PackedMatrix& w, const PackedShape& shape)
      : w_(w), shape_(shape), layout_(shape) {}

  [[nodiscard]] std::int64_t scratch_floats() const { return layout_.floats; }

  BITPACT_KERNEL_TARGET void Multiply(const float* x,
                                      float* y,
                                      float* scratch) const {
    for (int t = 0; t < kTokens; ++t) {
      ArrangeFrom<0>(x + t * shape_.cols, t, 0, scratch);
      SumGroups<V, kTokens>(shape_,
                            layout_.padded_groups,
                            x + t * shape_.cols,
                            t,
                            scratch + layout_.sums);
    }
    for (std::int64_t row = 0; row < shape_.rows; row += kRows) {
      MultiplyRows(row, y, scratch);
    }
  }

 private:
  using Layout = FewLayout<V, kBits, kTokens, kRows>;

  template <std::size_t kPlane>
  BITPACT_KERNEL_TARGET void ArrangeFrom(const float* x,
                                         int token,
                                         int below,
                                         float* scratch) const {
    if constexpr (kPlane < 3 && Layout::kPlanes[kPlane] != 0) {
      constexpr int kPlaneBits = Layout::kPlanes[kPlane];
      ArrangePlane<V, kPlaneBits, kTokens>(
          shape_, below, x, token, scratch + layout_.inputs[kPlane]);
      if (token == 0) {
        ArrangeMasks<V, kPlaneBits>(scratch + layout_.masks[kPlane]);
        ArrangeLanes<V, kPlaneBits>(
            shape_, layout_.blocks[kPlane], scratch + layout_.lanes[kPlane]);
      }
      if constexpr (kPlane < 2) {
        ArrangeFrom<kPlane + 1>(x, token, below + kPlaneBits, scratch);
      }
    }
  }

  template <std::size_t kPlane>
  BITPACT_KERNEL_TARGET void AddFrom(const std::array<PackedRow, kRows>& rows,
                                     std::int64_t prefetch,
                                     const float* scratch,
                                     FewSums<V, kTokens, kRows>& totals) const {
    if constexpr (kPlane < 3 && Layout::kPlanes[kPlane] != 0) {
      std::array<const std::uint8_t*, kRows> planes;
      for (int r = 0; r < kRows; ++r) planes[r] = rows[r].planes[kPlane];
      AddPlane<V, Layout::kPlanes[kPlane], kTokens, kRows>(
          shape_,
          planes,
          scratch + layout_.masks[kPlane],
          scratch + layout_.inputs[kPlane],
          scratch + layout_.lanes[kPlane],
          scratch + layout_.scales,
          layout_.padded_groups,
          prefetch,
          totals);
      if constexpr (kPlane < 2) {
        AddFrom<kPlane + 1>(rows, prefetch, scratch, totals);
      }
    }
  }

  BITPACT_KERNEL_TARGET void MultiplyRows(std::int64_t row,
                                          float* y,
                                          float* scratch) const {
    const std::int64_t count = std::min<std::int64_t>(kRows, shape_.rows - row);
    std::array<PackedRow, kRows> rows;
    float* scales = scratch + layout_.scales;
    float* shifts = scratch + layout_.shifts;
    for (std::int64_t r = 0; r < kRows; ++r) {
      rows[r] = RowOf(w_, row + std::min(r, count - 1));
      ExpandRow<V>(shape_,
                   rows[r],
                   scales + r * layout_.padded_groups,
                   shifts + r * layout_.padded_groups);
    }
    FewSums<V, kTokens, kRows> totals;
    for (int r = 0; r < kRows; ++r) {
      for (int t = 0; t < kTokens; ++t) totals.lanes[r][t] = V::Set(0.0F);
    }
    // The next rows: the processor foresees a row, not the step to another.
    const std::int64_t ahead =
        kRows * RowCodeBytes(shape_.format.bits, shape_.cols);
    AddFrom<0>(rows, ahead, scratch, totals);
    for (std::int64_t g = 0; g < shape_.groups; g += V::kLanes) {
      for (int r = 0; r < kRows; ++r) {
        const auto shift = V::Load(shifts + r * layout_.padded_groups + g);
        for (int t = 0; t < kTokens; ++t) {
          const auto sum =
              V::Load(scratch + layout_.sums + g * kTokens + t * V::kLanes);
          totals.lanes[r][t] = V::MulAdd(shift, sum, totals.lanes[r][t]);
        }
      }
    }
    for (std::int64_t r = 0; r < count; ++r) {
      for (int t = 0; t < kTokens; ++t) {
        y[t * shape_.rows + row + r] = SumLanes<V>(totals.lanes[r][t]);
      }
    }
  }

  const PackedMatrix& w_;
  PackedShape shape_;
  Layout layout_;
};

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_FEW_TOKENS_INL_H_
