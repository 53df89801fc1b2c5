// SPDX-License-Identifier: Apache-2.0
#include "quant/bf16_kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>
#include <array>

#define BITPACT_KERNEL_TARGET \
  __attribute__((             \
      target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")))
#include "quant/product_inl.h"

namespace bitpact {
namespace {

// What quant/product_inl.h asks for, with words of two bfloat16 where it says
// floats; sums are floats.
struct PairLanes {
  static constexpr int kLanes = 16;
  static constexpr int kPanelVectors = 3;
  static constexpr int kTileRows = 8;
  static constexpr int kNarrowRows = 16;
  using Float = __m512;

  BITPACT_KERNEL_INLINE static Float Set(float value) {
    return _mm512_set1_ps(value);
  }
  BITPACT_KERNEL_INLINE static Float Load(const float* from) {
    return _mm512_loadu_ps(from);
  }
  BITPACT_KERNEL_INLINE static void Store(float* to, Float a) {
    _mm512_storeu_ps(to, a);
  }
  BITPACT_KERNEL_INLINE static Float Add(Float a, Float b) {
    return _mm512_add_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float MulAdd(Float a, Float b, Float c) {
    return _mm512_dpbf16_ps(
        c, __builtin_bit_cast(__m512bh, a), __builtin_bit_cast(__m512bh, b));
  }
};

BITPACT_KERNEL_TARGET void PairRows(const float* from,
                                    std::int64_t rows,
                                    std::int64_t cols,
                                    float* to) {
  constexpr std::int64_t kColumns = 32;
  for (std::int64_t row = 0; row < rows; ++row, from += cols) {
    for (std::int64_t col = 0; col < cols; col += kColumns) {
      const std::int64_t count = std::min(kColumns, cols - col);
      const auto mask = static_cast<__mmask32>((std::uint64_t{1} << count) - 1);
      const __m512 low =
          _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from + col);
      const __m512 high = _mm512_maskz_loadu_ps(
          static_cast<__mmask16>(mask >> 16U), from + col + 16);
      const auto words =
          __builtin_bit_cast(__m512i, _mm512_cvtne2ps_pbh(high, low));
      const std::int64_t pairs = PairWords(count);
      _mm512_mask_storeu_epi32(
          to, static_cast<__mmask16>((1U << pairs) - 1U), words);
      to += pairs;
    }
  }
}

constexpr Bf16Kernels kKernels = {
    .pair_rows = PairRows,
    .multiply_panels = internal::MultiplyPanels<PairLanes>,
};

}  // namespace

const Bf16Kernels* FindBf16Kernels() {
  __builtin_cpu_init();
  static const bool kAvailable =
      AvailableKernelLevels().back() == KernelLevel::kAvx512 &&
      __builtin_cpu_supports("avx512bf16");
  return kAvailable ? &kKernels : nullptr;
}

}  // namespace bitpact

#else

namespace bitpact {
const Bf16Kernels* FindBf16Kernels() { return nullptr; }
}  // namespace bitpact

#endif
