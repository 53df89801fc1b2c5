// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_SIMD_H_
#define BITPACT_MODELS_SIMD_H_

// One source, three instruction sets. A kernel is a struct with a static
// function Run that is written with 16-lane vectors (the GCC vector extension)
// and marked BITPACT_SIMD_INLINE; DispatchSimd<Kernel>(arguments...) runs the
// copy that was compiled for the best instruction set the processor has. Only
// the kernels are compiled for more than the baseline, as function attributes:
// a whole file compiled with -mavx512f would also emit the standard library's
// inline functions for it, and the linker might keep those for everybody.
//
// Lanes never mix in the operations below except in SumLanes and MaxLane, which
// have a fixed order, so results depend on the instruction set only through
// fused multiply-add.

#include <cstdint>
#include <cstring>

namespace bitpact {

enum class SimdLevel : std::uint8_t { kPortable, kAvx2, kAvx512 };

// The best level the processor has.
SimdLevel BestSimdLevel();
// The level in use: the best one, unless set. Setting is for tests and for
// comparing results with a smaller machine; a level the processor lacks is
// CHECKed. Not to be called while kernels run.
SimdLevel CurrentSimdLevel();
void SetSimdLevel(SimdLevel level);

#define BITPACT_SIMD_INLINE inline __attribute__((always_inline))

namespace simd {

inline constexpr int kLanes = 16;
using Floats = float __attribute__((vector_size(64)));
using Ints = std::int32_t __attribute__((vector_size(64)));

#if defined(__x86_64__)
template <typename Kernel, typename... Arguments>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))) auto
RunAvx512(const Arguments&... arguments) {
  return Kernel::Run(arguments...);
}

template <typename Kernel, typename... Arguments>
__attribute__((target("avx2,fma"))) auto RunAvx2(
    const Arguments&... arguments) {
  return Kernel::Run(arguments...);
}
#endif

BITPACT_SIMD_INLINE Floats Load(const float* from) {
  Floats value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

BITPACT_SIMD_INLINE void Store(Floats value, float* to) {
  std::memcpy(to, &value, sizeof(value));
}

// The first `count` lanes from memory, `fill` in the others.
BITPACT_SIMD_INLINE Floats LoadSome(const float* from, int count, float fill) {
  Floats value = Floats{} + fill;
  std::memcpy(&value, from, static_cast<std::size_t>(count) * sizeof(float));
  return value;
}

BITPACT_SIMD_INLINE void StoreSome(Floats value, float* to, int count) {
  std::memcpy(to, &value, static_cast<std::size_t>(count) * sizeof(float));
}

BITPACT_SIMD_INLINE Floats Max(Floats a, Floats b) { return a > b ? a : b; }

BITPACT_SIMD_INLINE float SumLanes(Floats value) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) value[i] += value[i + half];
  }
  return value[0];
}

BITPACT_SIMD_INLINE float MaxLane(Floats value) {
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) {
      value[i] = value[i] > value[i + half] ? value[i] : value[i + half];
    }
  }
  return value[0];
}

// exp(x), relative error below 3e-7 (Cody-Waite reduction and the polynomial of
// the Cephes library's expf). Below -87: exactly 0, also for -infinity; above
// 88: exp(88). NaN gives some number.
BITPACT_SIMD_INLINE Floats Exp(Floats x) {
  constexpr float kLeast = -87.0F;
  constexpr float kMost = 88.0F;
  const Floats clamped_below = x > kLeast ? x : Floats{} + kLeast;
  const Floats clamped =
      clamped_below < kMost ? clamped_below : Floats{} + kMost;
  // Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
  constexpr float kRound = 12582912.0F;
  const Floats n = (clamped * 1.44269504F + kRound) - kRound;
  const Floats r = (clamped - n * 0.693359375F) - n * -2.12194440e-4F;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  const Floats y = p * (r * r) + (r + 1.0F);
  const Ints exponent = __builtin_convertvector(n, Ints);
  const Ints bits = (exponent + 127) << 23;
  Floats power;
  std::memcpy(&power, &bits, sizeof(power));
  return x > kLeast ? y * power : Floats{};
}

}  // namespace simd

template <typename Kernel, typename... Arguments>
auto DispatchSimd(const Arguments&... arguments) {
#if defined(__x86_64__)
  switch (CurrentSimdLevel()) {
    case SimdLevel::kAvx512:
      return simd::RunAvx512<Kernel>(arguments...);
    case SimdLevel::kAvx2:
      return simd::RunAvx2<Kernel>(arguments...);
    case SimdLevel::kPortable:
      break;
  }
#endif
  return Kernel::Run(arguments...);
}

}  // namespace bitpact

#endif  // BITPACT_MODELS_SIMD_H_
