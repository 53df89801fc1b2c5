// SPDX-License-Identifier: Apache-2.0
#include "models/simd_kernels.h"

#include <algorithm>
#include <vector>

#include "core/check.h"

namespace bitpact {

const SimdKernels& SimdKernelsOf(KernelLevel level) {
  const std::vector<KernelLevel>& available = AvailableKernelLevels();
  BITPACT_CHECK(std::ranges::count(available, level) == 1,
                "the processor has this level");
#if defined(__x86_64__)
  if (level == KernelLevel::kAvx512) return internal::kAvx512SimdKernels;
  if (level == KernelLevel::kAvx2) return internal::kAvx2SimdKernels;
#endif
  return internal::kPortableSimdKernels;
}

const SimdKernels& BestSimdKernels() {
  static const SimdKernels& best =
      SimdKernelsOf(AvailableKernelLevels().back());
  return best;
}

}  // namespace bitpact
