// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_HQQ_INL_H_
#define BITPACT_QUANT_HQQ_INL_H_

// Kernels::hqq_step (quant/kernels.h) against a type V of vector operations
// (quant/decode_inl.h). Sums run over sixteen lanes at every level and no
// product and sum is fused, so the levels agree bit for bit.

#include <array>
#include <cstdint>
#include <span>

#include "quant/decode_inl.h"
#include "quant/kernels.h"

namespace bitpact::internal {

// a^power for a > 0, as 2^(power * log2 a). Relative error at most 1e-6 while
// |power * log2 a| <= 40; a is raised to 2^-100 first, so that 0 has a finite
// result.
template <class V>
BITPACT_KERNEL_INLINE typename V::Float Power(typename V::Float a,
                                              float power) {
  // a = m * 2^e with m in [sqrt(1/2), sqrt(2)), by subtracting the bits of
  // sqrt(1/2): what is left above the fraction is e.
  constexpr int kRootHalf = 0x3f3504f3;
  a = V::Max(a, V::Set(0x1p-100F));
  const auto bits = V::BitsOf(a);
  const auto e = V::template ShiftRight<23>(V::AddInt(bits, -kRootHalf));
  const auto m = V::OfBits(V::SubInt(bits, V::template ShiftLeft<23>(e)));
  // log2 m = 2/ln 2 * (s + s^3/3 + s^5/5 + ...), s = (m - 1) / (m + 1), whose
  // size is at most 0.172; the first term left out is below 2e-8.
  const auto one = V::Set(1.0F);
  const auto s = V::Div(V::Sub(m, one), V::Add(m, one));
  const auto square = V::Mul(s, s);
  auto series = V::Set(0.41219858F);  // 2 / (7 ln 2)
  series = V::Add(V::Mul(series, square), V::Set(0.57707802F));
  series = V::Add(V::Mul(series, square), V::Set(0.96179669F));
  series = V::Add(V::Mul(series, square), V::Set(2.88539008F));
  const auto log2 = V::Add(V::ToFloat(e), V::Mul(series, s));
  // 2^y = 2^n * exp(f ln 2), n the nearest integer: |f| <= 1/2, and the first
  // term left out of the exponential's series is below 2e-7.
  constexpr float kRounder = 0x1.8p23F;
  const auto y = V::Min(V::Max(V::Mul(log2, V::Set(power)), V::Set(-125.0F)),
                        V::Set(125.0F));
  const auto n = V::Sub(V::Add(y, V::Set(kRounder)), V::Set(kRounder));
  const auto f = V::Mul(V::Sub(y, n), V::Set(0.69314718F));
  auto exp = V::Set(1.0F / 720.0F);
  exp = V::Add(V::Mul(exp, f), V::Set(1.0F / 120.0F));
  exp = V::Add(V::Mul(exp, f), V::Set(1.0F / 24.0F));
  exp = V::Add(V::Mul(exp, f), V::Set(1.0F / 6.0F));
  exp = V::Add(V::Mul(exp, f), V::Set(0.5F));
  exp = V::Add(V::Mul(exp, f), one);
  exp = V::Add(V::Mul(exp, f), one);
  const auto two_to_n = V::template ShiftLeft<23>(V::AddInt(V::ToInt(n), 127));
  return V::Mul(exp, V::OfBits(two_to_n));
}

template <class V>
struct HqqTerms {
  typename V::Float offset;
  typename V::Float power;
  typename V::Float size;
  typename V::Float along;
  typename V::Float squares;
};

template <class V>
BITPACT_KERNEL_INLINE HqqTerms<V> HqqTermsOf(typename V::Float w,
                                             const GroupGrid& grid,
                                             int bits,
                                             const HqqShrinkage& shrinkage) {
  constexpr float kRounder = 0x1.8p23F;
  const auto scale = V::Set(grid.scale);
  const auto shift = V::Set(grid.shift);
  const float top = static_cast<float>((1 << bits) - 1);
  // As EncodeGroup: q - zero_point.
  auto steps = V::Div(V::Add(w, shift), scale);
  steps = V::Max(steps, V::Set(-grid.zero_point));
  steps = V::Min(steps, V::Set(top - grid.zero_point));
  steps = V::Sub(V::Add(steps, V::Set(kRounder)), V::Set(kRounder));
  const auto scaled = V::Mul(scale, steps);
  const auto d = V::Sub(w, V::Sub(scaled, shift));
  const auto zero = V::Set(0.0F);
  const auto size = V::Max(d, V::Sub(zero, d));
  const auto power = Power<V>(size, shrinkage.power);
  const auto threshold = V::Mul(power, V::Set(shrinkage.inverse_beta));
  // The shrunk residual e = sign(d) * max(|d| - threshold, 0) is d without its
  // part inside [-threshold, threshold].
  const auto inside = V::Max(V::Min(d, threshold), V::Sub(zero, threshold));
  const auto e = V::Sub(d, inside);
  const auto wanted = V::Sub(w, e);
  return {V::Sub(scaled, wanted),
          V::Mul(size, power),
          size,
          V::Mul(steps, wanted),
          V::Mul(steps, steps)};
}

// Sixteen running sums.
template <class V>
struct SixteenSums {
  static constexpr int kParts = 16 / V::kLanes;
  typename V::Float part[kParts];

  BITPACT_KERNEL_INLINE void Clear() {
    for (auto& p : part) p = V::Set(0.0F);
  }
  [[nodiscard]] BITPACT_KERNEL_INLINE float Total() const {
    std::array<float, 16> sums;
    for (int i = 0; i < kParts; ++i) {
      V::Store(sums.data() + i * V::kLanes, part[i]);
    }
    for (std::size_t half = 8; half > 0; half /= 2) {
      for (std::size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    return sums[0];
  }
};

// `lanes` with those from `count` on set to 0.
template <class V>
BITPACT_KERNEL_INLINE typename V::Float FirstLanes(typename V::Float lanes,
                                                   std::int64_t count) {
  std::array<float, V::kLanes> values;
  V::Store(values.data(), lanes);
  for (std::int64_t i = std::max<std::int64_t>(count, 0); i < V::kLanes; ++i) {
    values[static_cast<std::size_t>(i)] = 0.0F;
  }
  return V::Load(values.data());
}

template <class V>
BITPACT_KERNEL_TARGET HqqSums HqqStep(const GroupGrid& grid,
                                      int bits,
                                      std::span<const float> weights,
                                      const HqqShrinkage& shrinkage) {
  using Sums = SixteenSums<V>;
  Sums offset;
  Sums power;
  Sums size;
  Sums along;
  Sums squares;
  offset.Clear();
  power.Clear();
  size.Clear();
  along.Clear();
  squares.Clear();
  const auto count = static_cast<std::int64_t>(weights.size());
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    for (int p = 0; p < Sums::kParts; ++p) {
      const auto w = V::Load(weights.data() + i + p * V::kLanes);
      const auto terms = HqqTermsOf<V>(w, grid, bits, shrinkage);
      offset.part[p] = V::Add(offset.part[p], terms.offset);
      power.part[p] = V::Add(power.part[p], terms.power);
      size.part[p] = V::Add(size.part[p], terms.size);
      along.part[p] = V::Add(along.part[p], terms.along);
      squares.part[p] = V::Add(squares.part[p], terms.squares);
    }
  }
  if (i < count) {
    std::array<float, 16> rest{};
    std::copy(weights.begin() + i, weights.end(), rest.begin());
    for (int p = 0; p < Sums::kParts; ++p) {
      const auto w = V::Load(rest.data() + p * V::kLanes);
      const auto terms = HqqTermsOf<V>(w, grid, bits, shrinkage);
      const std::int64_t left = count - i - p * V::kLanes;
      offset.part[p] =
          V::Add(offset.part[p], FirstLanes<V>(terms.offset, left));
      power.part[p] = V::Add(power.part[p], FirstLanes<V>(terms.power, left));
      size.part[p] = V::Add(size.part[p], FirstLanes<V>(terms.size, left));
      along.part[p] = V::Add(along.part[p], FirstLanes<V>(terms.along, left));
      squares.part[p] =
          V::Add(squares.part[p], FirstLanes<V>(terms.squares, left));
    }
  }
  return {offset.Total(),
          power.Total(),
          size.Total(),
          along.Total(),
          squares.Total()};
}

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_HQQ_INL_H_
