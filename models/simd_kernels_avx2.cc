// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#define BITPACT_SIMD_TARGET __attribute__((target("avx2,fma")))
#define BITPACT_SIMD_LANES 8
#include "models/simd_kernels_inl.h"

namespace bitpact::internal {

constinit const SimdKernels kAvx2SimdKernels = MakeSimdKernels();

}  // namespace bitpact::internal

#endif
