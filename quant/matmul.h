// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_MATMUL_H_
#define BITPACT_QUANT_MATMUL_H_

// Dense float32 products of our own (quant/panels.h), on the calling thread
// alone (core/threads.h), whatever OpenMP is set to. An element of the product
// has the same bits for any number of rows of either operand, at every
// instruction set: its sum's order is a function of the number of columns. That
// is what makes prefix reuse and batching exact. Nothing is kept by shape.
// Scratch memory is per thread and reused: the packed block, at most 240 rows.
// With and without fused operations (AVX2 and later; before) results differ in
// the last bits.

#include <cstdint>
#include <span>

#include "quant/product_precision.h"

namespace bitpact {

// y = x * w^T.  x: [tokens, in], w: [out, in], y: [tokens, out]; all row-major,
// contiguous, not aliasing; the spans' lengths are CHECKed. Thread-safe.
// O(tokens * in * out). in = 0 gives zeros. The precision is available (CHECK).
void MatMulTransposed(std::span<const float> x,
                      std::span<const float> w,
                      std::span<float> y,
                      std::int64_t tokens,
                      std::int64_t in,
                      std::int64_t out,
                      ProductPrecision precision = ProductPrecision::kFloat32);

struct MatMulShape {
  std::int64_t tokens = 0;
  std::int64_t in = 0;
  std::int64_t out = 0;
  // Distance between the starts of two rows of y, >= out.
  std::int64_t y_stride = 0;
};

// The same into some columns of a wider matrix: row t of the product lies at
// y[t * y_stride ...]; what lies between is left alone. y reaches at least to
// the end of the last row.
void MatMulTransposedInto(std::span<const float> x,
                          std::span<const float> w,
                          std::span<float> y,
                          const MatMulShape& shape);

struct UpdateShape {
  std::int64_t rows = 0;   // of c
  std::int64_t cols = 0;   // of c
  std::int64_t inner = 0;  // products summed
  // Distances between the starts of two rows.
  std::int64_t a_stride = 0;  // >= rows
  std::int64_t b_stride = 0;  // >= cols
  std::int64_t c_stride = 0;  // >= cols
};

// c += a^T * b by dnnl_sgemm, on the calling thread alone.  a: [inner, rows],
// b: [inner, cols], c: [rows, cols], rows of each the given distance apart;
// spans reach at least to the end of the last row (CHECK); no aliasing. Nothing
// is kept for the shape, so shapes may be many. Equal calls give equal bits on
// one machine. OpenBLAS's kernel choice (OPENBLAS_CORETYPE) has no effect.
void AddTransposedProduct(std::span<const float> a,
                          std::span<const float> b,
                          std::span<float> c,
                          const UpdateShape& shape);

// Plain loops in double, the judge in tests.
void MatMulTransposedReference(std::span<const float> x,
                               std::span<const float> w,
                               std::span<float> y,
                               std::int64_t tokens,
                               std::int64_t in,
                               std::int64_t out);

}  // namespace bitpact

#endif  // BITPACT_QUANT_MATMUL_H_
