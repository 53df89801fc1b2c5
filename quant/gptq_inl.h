// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_GPTQ_INL_H_
#define BITPACT_QUANT_GPTQ_INL_H_

// Kernels::gptq_tile (quant/kernels.h) against a type V of vector operations
// (quant/decode_inl.h).

#include <algorithm>
#include <cstdint>

#include "quant/decode_inl.h"
#include "quant/kernels.h"

namespace bitpact::internal {

// Adds what column j's residual does to the column being rounded.
template <class V>
BITPACT_KERNEL_INLINE void AddResidual(
    const GptqTile& tile,
    const float* coupling,
    std::int64_t j,
    int to,
    typename V::Float (&sums)[kGptqRows / V::kLanes][4]) {
  const auto factor = V::Set(coupling[j]);
  const float* residual = tile.residual + j * tile.stride;
  for (int p = 0; p < kGptqRows / V::kLanes; ++p) {
    sums[p][to] =
        V::MulAdd(factor, V::Load(residual + p * V::kLanes), sums[p][to]);
  }
}

template <class V>
BITPACT_KERNEL_TARGET void GptqTileOf(const GptqTile& tile) {
  constexpr int kParts = kGptqRows / V::kLanes;
  constexpr float kRounder = 0x1.8p23F;
  const auto top = V::Set(static_cast<float>((1 << tile.bits) - 1));
  for (std::int64_t i = 0; i < tile.width; ++i) {
    const GptqLaneGrid& grid = *tile.grids[i];
    const float* coupling = tile.coupling + i * tile.width;
    // Columns lie too far apart for the processor to foresee.
    const std::int64_t soon = std::min(i + 8, tile.width - 1) * tile.stride;
    __builtin_prefetch(tile.current + soon);
    if (tile.original != nullptr) __builtin_prefetch(tile.original + soon);
    // Four sums at once: one alone would wait for each of its additions.
    typename V::Float sums[kParts][4];
    for (int p = 0; p < kParts; ++p) {
      sums[p][0] = V::Load(tile.current + i * tile.stride + p * V::kLanes);
      for (int s = 1; s < 4; ++s) sums[p][s] = V::Set(0.0F);
    }
    std::int64_t j = 0;
    for (; j + 4 <= i; j += 4) {
      for (int s = 0; s < 4; ++s) {
        AddResidual<V>(tile, coupling, j + s, s, sums);
      }
    }
    for (; j < i; ++j) AddResidual<V>(tile, coupling, j, 0, sums);
    for (int p = 0; p < kParts; ++p) {
      const int lane = p * V::kLanes;
      const auto w = V::Add(V::Add(sums[p][0], sums[p][1]),
                            V::Add(sums[p][2], sums[p][3]));
      const auto shift = V::Load(grid.shift.data() + lane);
      const auto zero = V::Load(grid.zero_point.data() + lane);
      auto steps =
          V::Div(V::Add(w, shift), V::Load(grid.divisor.data() + lane));
      steps = V::Max(steps, V::Sub(V::Set(0.0F), zero));
      steps = V::Min(steps, V::Sub(top, zero));
      steps = V::Sub(V::Add(steps, V::Set(kRounder)), V::Set(kRounder));
      V::Store(tile.codes + i * kGptqRows + lane, V::Add(steps, zero));
      const auto decoded =
          V::Sub(V::Mul(V::Load(grid.scale.data() + lane), steps), shift);
      const auto meant = tile.original == nullptr
                             ? w
                             : V::Load(tile.original + i * tile.stride + lane);
      V::Store(tile.residual + i * tile.stride + lane, V::Sub(meant, decoded));
    }
  }
}

}  // namespace bitpact::internal

#endif  // BITPACT_QUANT_GPTQ_INL_H_
