// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_DENSE_FEW_INL_H_
#define BITPACT_QUANT_DENSE_FEW_INL_H_

// Kernels::multiply_rows (quant/kernels.h): a dense product of many rows with a
// few, against a type V of vector operations (quant/decode_inl.h,
// quant/product_inl.h).
//
// It takes as long as reading the many rows once, so they are read where they
// lie: a vector of rows is turned four columns at a time, in registers, into
// vectors whose lanes are rows. Each lane then adds products in ascending order
// of columns, as a tile of packed panels does: the bits are the same.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "quant/kernels.h"
#include "quant/product_inl.h"

namespace bitpact::internal {

// One vector of rows, from `row` on, times kTokens few ones.
template <class V, int kTokens>
class RowsTimesFew {
 public:
  BITPACT_KERNEL_INLINE RowsTimesFew(const FewProduct& product,
                                     std::int64_t row)
      : product_(product), row_(row) {
    for (std::int64_t i = 0; i < V::kLanes; ++i) {
      rows_[static_cast<std::size_t>(i)] =
          product.rows +
          std::min(row + i, product.num_rows - 1) * product.inner;
    }
  }

  // The run of columns [begin, end).
  BITPACT_KERNEL_INLINE void Multiply(std::int64_t begin, std::int64_t end) {
    Sums sums;
    for (int t = 0; t < kTokens; ++t) sums.token[t] = V::Set(0.0F);
    std::int64_t k = begin;
    // A line of the cache of each row at a time: rows are often a power of two
    // apart, and their lines would push one another out before the next visit.
    // For the same reason one vector of rows is better here than several, whose
    // sums would not wait for one another.
    for (; k + kStrip <= end; k += kStrip) {
      for (const float* row : rows_) __builtin_prefetch(row + k + kAhead);
#pragma GCC unroll 4
      for (std::int64_t c = 0; c < kStrip; c += 4) AddFour(k + c, sums);
    }
    for (; k + 4 <= end; k += 4) AddFour(k, sums);
    for (; k < end; ++k) AddOne(k, sums);
    Store(sums, begin > 0);
  }

 private:
  struct Sums {
    typename V::Float token[kTokens];
  };
  static constexpr std::int64_t kStrip = 16;  // a line of the cache
  static constexpr std::int64_t kAhead = 64;

  BITPACT_KERNEL_INLINE void AddFour(std::int64_t k, Sums& sums) const {
    typename V::Float columns[4];
    LoadFourColumns<V>(rows_, k, columns);
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
#pragma GCC unroll 4
      for (int t = 0; t < kTokens; ++t) {
        const auto x = V::Set(product_.few[t * product_.inner + k + c]);
        sums.token[t] = V::MulAdd(columns[c], x, sums.token[t]);
      }
    }
  }
  BITPACT_KERNEL_INLINE void AddOne(std::int64_t k, Sums& sums) const {
    std::array<float, V::kLanes> column;
    for (std::size_t i = 0; i < V::kLanes; ++i) column[i] = rows_[i][k];
    const auto lanes = V::Load(column.data());
    for (int t = 0; t < kTokens; ++t) {
      const auto x = V::Set(product_.few[t * product_.inner + k]);
      sums.token[t] = V::MulAdd(lanes, x, sums.token[t]);
    }
  }
  BITPACT_KERNEL_INLINE void Store(const Sums& sums, bool add) const {
    const std::int64_t count =
        std::min<std::int64_t>(V::kLanes, product_.num_rows - row_);
    for (int t = 0; t < kTokens; ++t) {
      float* y = product_.y + t * product_.y_stride + row_;
      const auto sum = sums.token[t];
      if (count == V::kLanes) {
        V::Store(y, add ? V::Add(V::Load(y), sum) : sum);
        continue;
      }
      std::array<float, V::kLanes> lanes;
      V::Store(lanes.data(), sum);
      for (std::int64_t i = 0; i < count; ++i) {
        const float lane = lanes[static_cast<std::size_t>(i)];
        y[i] = add ? y[i] + lane : lane;
      }
    }
  }

  const FewProduct& product_;
  std::int64_t row_;
  std::array<const float*, V::kLanes> rows_;
};

template <class V, int kTokens>
BITPACT_KERNEL_TARGET void MultiplyRowsOf(const FewProduct& product) {
  for (std::int64_t row = 0; row < product.num_rows; row += V::kLanes) {
    RowsTimesFew<V, kTokens> rows(product, row);
    for (std::int64_t k = 0; k < product.inner; k += product.run) {
      rows.Multiply(k, std::min(k + product.run, product.inner));
    }
  }
}

template <class V>
void MultiplyRows(const FewProduct& product) {
  constexpr std::array kByTokens = {&MultiplyRowsOf<V, 1>,
                                    &MultiplyRowsOf<V, 2>,
                                    &MultiplyRowsOf<V, 3>,
                                    &MultiplyRowsOf<V, 4>};
  kByTokens[static_cast<std::size_t>(product.num_few - 1)](product);
}

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_DENSE_FEW_INL_H_
