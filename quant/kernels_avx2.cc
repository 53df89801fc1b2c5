// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#include <immintrin.h>

#define BITPACT_KERNEL_TARGET __attribute__((target("avx2,fma,f16c")))
#include "quant/kernels_inl.h"

namespace bitpact::internal {
namespace {

struct Avx2Lanes {
  static constexpr int kLanes = 8;
  static constexpr int kTableBits = 3;
  static constexpr int kRowBlock = 2;
  static constexpr int kWordRows = 4;
  static constexpr int kPanelVectors = 3;
  static constexpr int kTileRows = 4;
  static constexpr int kNarrowRows = 8;
  using Float = __m256;
  using Int = __m256i;

  BITPACT_KERNEL_INLINE static Float Set(float value) {
    return _mm256_set1_ps(value);
  }
  BITPACT_KERNEL_INLINE static Float Load(const float* from) {
    return _mm256_loadu_ps(from);
  }
  BITPACT_KERNEL_INLINE static void Store(float* to, Float a) {
    _mm256_storeu_ps(to, a);
  }
  BITPACT_KERNEL_INLINE static Float Add(Float a, Float b) {
    return _mm256_add_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float Sub(Float a, Float b) {
    return _mm256_sub_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float Mul(Float a, Float b) {
    return _mm256_mul_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float Div(Float a, Float b) {
    return _mm256_div_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float MulAdd(Float a, Float b, Float c) {
    return _mm256_fmadd_ps(a, b, c);
  }
  BITPACT_KERNEL_INLINE static Float Min(Float a, Float b) {
    return _mm256_min_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static Float Max(Float a, Float b) {
    return _mm256_max_ps(a, b);
  }
  BITPACT_KERNEL_INLINE static float LeastLane(Float a) {
    __m128 four =
        _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    four = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(four, _mm_movehdup_ps(four)));
  }
  BITPACT_KERNEL_INLINE static float GreatestLane(Float a) {
    __m128 four =
        _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }
  BITPACT_KERNEL_INLINE static bool AnyNaN(Float a) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)) != 0;
  }
  BITPACT_KERNEL_INLINE static bool AnyNotBelow(Float a, Float b) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NLT_UQ)) != 0;
  }
  BITPACT_KERNEL_INLINE static Float ToFloat(Int a) {
    return _mm256_cvtepi32_ps(a);
  }
  BITPACT_KERNEL_INLINE static Int ToInt(Float a) {
    return _mm256_cvtps_epi32(a);
  }
  // To nearest, halves to even.
  BITPACT_KERNEL_INLINE static Int RoundToInt(Float a) {
    return _mm256_cvtps_epi32(a);
  }
  BITPACT_KERNEL_INLINE static Float Abs(Float a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a);
  }
  BITPACT_KERNEL_INLINE static Int BitsOf(Float a) {
    return _mm256_castps_si256(a);
  }
  BITPACT_KERNEL_INLINE static Float OfBits(Int a) {
    return _mm256_castsi256_ps(a);
  }
  BITPACT_KERNEL_INLINE static Int SubInt(Int a, Int b) {
    return _mm256_sub_epi32(a, b);
  }
  BITPACT_KERNEL_INLINE static Int AddInt(Int a, int b) {
    return _mm256_add_epi32(a, _mm256_set1_epi32(b));
  }
  BITPACT_KERNEL_INLINE static Int Iota() {
    return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  }
  BITPACT_KERNEL_INLINE static Int And(Int a, int mask) {
    return _mm256_and_si256(a, _mm256_set1_epi32(mask));
  }
  BITPACT_KERNEL_INLINE static Int AndInt(Int a, Int b) {
    return _mm256_and_si256(a, b);
  }
  BITPACT_KERNEL_INLINE static Int Or(Int a, Int b) {
    return _mm256_or_si256(a, b);
  }
  template <int kCount>
  BITPACT_KERNEL_INLINE static Int ShiftLeft(Int a) {
    return _mm256_slli_epi32(a, kCount);
  }
  template <int kCount>
  BITPACT_KERNEL_INLINE static Int ShiftRight(Int a) {
    return _mm256_srai_epi32(a, kCount);
  }
  BITPACT_KERNEL_INLINE static Float LookUp(Float table, Int index) {
    return _mm256_permutevar8x32_ps(table, index);
  }
  BITPACT_KERNEL_INLINE static Int LoadWords(const std::uint8_t* bytes) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  }
  // Eight codes take kPlane bytes: below 8 bits they fit in one 32-bit number,
  // which every lane shifts to its own place.
  template <int kPlane>
  BITPACT_KERNEL_INLINE static Int LoadPlane(const std::uint8_t* bytes) {
    if constexpr (kPlane == 8) {
      return _mm256_cvtepu8_epi32(
          _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
    } else {
      std::uint32_t codes = 0;
      std::memcpy(&codes, bytes, kPlane);
      const Int shifts = _mm256_mullo_epi32(Iota(), _mm256_set1_epi32(kPlane));
      return _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(codes)),
                               shifts);
    }
  }
  // Of 32 numbers 0..255.
  BITPACT_KERNEL_INLINE static void StoreBytes(std::uint8_t* to,
                                               const Int (&a)[4]) {
    const Int bytes = _mm256_packus_epi16(_mm256_packus_epi32(a[0], a[1]),
                                          _mm256_packus_epi32(a[2], a[3]));
    // Packing interleaves the halves of its operands.
    const Int order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_permutevar8x32_epi32(bytes, order));
  }
  BITPACT_KERNEL_INLINE static Float LoadQuarters(
      const std::array<const float*, 2>& from) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from[0])),
                                _mm_loadu_ps(from[1]),
                                1);
  }
  BITPACT_KERNEL_INLINE static void Transpose(Float& a,
                                              Float& b,
                                              Float& c,
                                              Float& d) {
    const Float ab_low = _mm256_unpacklo_ps(a, b);
    const Float ab_high = _mm256_unpackhi_ps(a, b);
    const Float cd_low = _mm256_unpacklo_ps(c, d);
    const Float cd_high = _mm256_unpackhi_ps(c, d);
    a = _mm256_shuffle_ps(ab_low, cd_low, 0x44);
    b = _mm256_shuffle_ps(ab_low, cd_low, 0xEE);
    c = _mm256_shuffle_ps(ab_high, cd_high, 0x44);
    d = _mm256_shuffle_ps(ab_high, cd_high, 0xEE);
  }
  BITPACT_KERNEL_INLINE static Float LoadHalves(const std::uint8_t* bytes) {
    return _mm256_cvtph_ps(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
  }
};

}  // namespace

const Kernels kAvx2Kernels = MakeKernels<Avx2Lanes>();

}  // namespace bitpact::internal

#endif
