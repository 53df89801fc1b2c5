// SPDX-License-Identifier: Apache-2.0
#define BITPACT_SIMD_TARGET
#define BITPACT_SIMD_LANES 4
#include "models/simd_kernels_inl.h"

namespace bitpact::internal {

constinit const SimdKernels kPortableSimdKernels = MakeSimdKernels();

}  // namespace bitpact::internal
