// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_MATMUL_H_
#define BITPACT_QUANT_MATMUL_H_

// Dense float32 products by oneDNN's matmul primitive, single-threaded on the
// calling thread (core/threads.h). oneDNN's matmul gives each output row the
// same bits for any number of rows M and any thread count, which is what makes
// prefix reuse and batching exact; dnnl_sgemm does not, so it is not used.
// Primitives are cached by shape for the life of the process; execution
// allocates nothing. Results differ in the last bits between instruction sets.

#include <cstdint>
#include <span>

namespace bitpact {

// y = x * w^T.  x: [tokens, in], w: [out, in], y: [tokens, out]; all row-major,
// contiguous, not aliasing. Thread-safe. O(tokens * in * out).
void MatMulTransposed(std::span<const float> x,
                      std::span<const float> w,
                      std::span<float> y,
                      std::int64_t tokens,
                      std::int64_t in,
                      std::int64_t out);

// Plain loops in double, the judge in tests.
void MatMulTransposedReference(std::span<const float> x,
                               std::span<const float> w,
                               std::span<float> y,
                               std::int64_t tokens,
                               std::int64_t in,
                               std::int64_t out);

}  // namespace bitpact

#endif  // BITPACT_QUANT_MATMUL_H_
