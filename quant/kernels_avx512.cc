// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#include <immintrin.h>

#define BITPACT_KERNEL_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#include "quant/kernels_inl.h"

namespace bitpact::internal {
namespace {

struct Avx512Lanes {
  static constexpr int kLanes = 16;
  static constexpr int kTableBits = 4;
  static constexpr int kRowBlock = 4;
  static constexpr int kWordRows = 4;
  static constexpr int kPanelVectors = 3;
  static constexpr int kTileRows = 8;
  static constexpr int kNarrowRows = 16;
  using Float = __m512;
  using Int = __m512i;

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
  BITPACT_KERNEL_INLINE static Float Sub(Float a, Float b) {
    return _mm512_sub_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float Mul(Float a, Float b) {
    return _mm512_mul_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float Div(Float a, Float b) {
    return _mm512_div_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float MulAdd(Float a, Float b, Float c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  BITPACT_KERNEL_INLINE static Float Min(Float a, Float b) {
    return _mm512_min_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float Max(Float a, Float b) {
    return _mm512_max_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static float LeastLane(Float a) {
    return _mm512_reduce_min_ps(a);
  }
  BITPACT_KERNEL_INLINE static float GreatestLane(Float a) {
    return _mm512_reduce_max_ps(a);
  }
  BITPACT_KERNEL_INLINE static bool AnyNaN(Float a) {
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q) != 0;
  }
  BITPACT_KERNEL_INLINE static bool AnyNotBelow(Float a, Float b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ) != 0;
  }
  BITPACT_KERNEL_INLINE static Float ToFloat(Int a) {
    return _mm512_cvtepi32_ps(a);
  }
  BITPACT_KERNEL_INLINE static Int ToInt(Float a) {
    return _mm512_cvtps_epi32(a);
  }
  // To nearest, halves to even.
  BITPACT_KERNEL_INLINE static Int RoundToInt(Float a) {
    return _mm512_cvtps_epi32(a);
  }
  BITPACT_KERNEL_INLINE static Float Abs(Float a) { return _mm512_abs_ps(a); }
  BITPACT_KERNEL_INLINE static Int BitsOf(Float a) {
    return _mm512_castps_si512(a);
  }
  BITPACT_KERNEL_INLINE static Float OfBits(Int a) {
    return _mm512_castsi512_ps(a);
  }
  BITPACT_KERNEL_INLINE static Int SubInt(Int a, Int b) {
    return _mm512_sub_epi32(a, b);
  }
  BITPACT_KERNEL_INLINE static Int AddInt(Int a, int b) {
    return _mm512_add_epi32(a, _mm512_set1_epi32(b));
  }
  BITPACT_KERNEL_INLINE static Int Iota() {
    return _mm512_setr_epi32(
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  BITPACT_KERNEL_INLINE static Int And(Int a, int mask) {
    return _mm512_and_si512(a, _mm512_set1_epi32(mask));
  }
  BITPACT_KERNEL_INLINE static Int AndInt(Int a, Int b) {
    return _mm512_and_si512(a, b);
  }
  BITPACT_KERNEL_INLINE static Int Or(Int a, Int b) {
    return _mm512_or_si512(a, b);
  }
  template <int kCount>
  BITPACT_KERNEL_INLINE static Int ShiftLeft(Int a) {
    return _mm512_slli_epi32(a, kCount);
  }
  template <int kCount>
  BITPACT_KERNEL_INLINE static Int ShiftRight(Int a) {
    return _mm512_srai_epi32(a, kCount);
  }
  BITPACT_KERNEL_INLINE static Float LookUp(Float table, Int index) {
    return _mm512_permutexvar_ps(index, table);
  }
  BITPACT_KERNEL_INLINE static Int LoadWords(const std::uint8_t* bytes) {
    return _mm512_loadu_si512(bytes);
  }
  // Sixteen codes take 2 * kPlane bytes: up to 2 bits they fit in one 32-bit
  // number, which every lane shifts to its own place; 4-bit codes fill two, one
  // for the lower and one for the upper lanes.
  template <int kPlane>
  BITPACT_KERNEL_INLINE static Int LoadPlane(const std::uint8_t* bytes) {
    if constexpr (kPlane == 8) {
      return _mm512_cvtepu8_epi32(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    } else if constexpr (kPlane == 4) {
      const Int words = _mm512_castsi128_si512(
          _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
      const Int upper = _mm512_srli_epi32(Iota(), 3);
      const Int shifts = _mm512_slli_epi32(And(Iota(), 7), 2);
      return _mm512_srlv_epi32(_mm512_permutexvar_epi32(upper, words), shifts);
    } else {
      std::uint32_t codes = 0;
      std::memcpy(&codes, bytes, std::size_t{2} * kPlane);
      const Int shifts = _mm512_mullo_epi32(Iota(), _mm512_set1_epi32(kPlane));
      return _mm512_srlv_epi32(_mm512_set1_epi32(static_cast<int>(codes)),
                               shifts);
    }
  }
  // Of 32 numbers 0..255.
  BITPACT_KERNEL_INLINE static void StoreBytes(std::uint8_t* to,
                                               const Int (&a)[2]) {
    for (int i = 0; i < 2; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to) + i,
                       _mm512_cvtepi32_epi8(a[i]));
    }
  }
  BITPACT_KERNEL_INLINE static Float LoadQuarters(
      const std::array<const float*, 4>& from) {
    const Float first = _mm512_castps128_ps512(_mm_loadu_ps(from[0]));
    const Float two = _mm512_insertf32x4(first, _mm_loadu_ps(from[1]), 1);
    const Float three = _mm512_insertf32x4(two, _mm_loadu_ps(from[2]), 2);
    return _mm512_insertf32x4(three, _mm_loadu_ps(from[3]), 3);
  }
  BITPACT_KERNEL_INLINE static void Transpose(Float& a,
                                              Float& b,
                                              Float& c,
                                              Float& d) {
    const Float ab_low = _mm512_unpacklo_ps(a, b);
    const Float ab_high = _mm512_unpackhi_ps(a, b);
    const Float cd_low = _mm512_unpacklo_ps(c, d);
    const Float cd_high = _mm512_unpackhi_ps(c, d);
    a = _mm512_shuffle_ps(ab_low, cd_low, 0x44);
    b = _mm512_shuffle_ps(ab_low, cd_low, 0xEE);
    c = _mm512_shuffle_ps(ab_high, cd_high, 0x44);
    d = _mm512_shuffle_ps(ab_high, cd_high, 0xEE);
  }
  BITPACT_KERNEL_INLINE static Float LoadHalves(const std::uint8_t* bytes) {
    return _mm512_cvtph_ps(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)));
  }
};

}  // namespace

const Kernels kAvx512Kernels = MakeKernels<Avx512Lanes>();

}  // namespace bitpact::internal

#endif
