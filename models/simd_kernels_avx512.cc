// SPDX-License-Identifier: Apache-2.0
#if defined(__x86_64__)

#define BITPACT_SIMD_TARGET \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
#define BITPACT_SIMD_LANES 16
#include "models/simd_kernels_inl.h"

namespace bitpact::internal {

constinit const SimdKernels kAvx512SimdKernels = MakeSimdKernels();

}  // namespace bitpact::internal

#endif
