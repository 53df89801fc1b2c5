// SPDX-License-Identifier: Apache-2.0
#include "models/simd.h"

#include <atomic>

#include "core/check.h"

namespace bitpact {
namespace {

std::atomic<SimdLevel>& Level() {
  static std::atomic<SimdLevel> level{BestSimdLevel()};
  return level;
}

}  // namespace

SimdLevel BestSimdLevel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
    return SimdLevel::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return SimdLevel::kAvx2;
  }
#endif
  return SimdLevel::kPortable;
}

SimdLevel CurrentSimdLevel() { return Level().load(std::memory_order_relaxed); }

void SetSimdLevel(SimdLevel level) {
  BITPACT_CHECK(level <= BestSimdLevel(), "the processor has this level");
  Level() = level;
}

}  // namespace bitpact
