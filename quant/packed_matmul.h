// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_PACKED_MATMUL_H_
#define BITPACT_QUANT_PACKED_MATMUL_H_

// Inference straight from packed weights: y = x * w^T where w never exists as a
// whole in float32. For many tokens a tile of rows is dequantized into scratch
// memory that stays in the cache, multiplied, and forgotten; for few tokens
// (generation) codes are multiplied as whole numbers in registers, and scales
// and shifts meet the groups' sums (quant/few_tokens_inl.h).

#include <cstdint>
#include <span>

#include "quant/packed_matrix.h"
#include "quant/product_precision.h"

namespace bitpact {

// Products of up to this many tokens are computed from registers, larger ones a
// tile at a time.
inline constexpr std::int64_t kMostFusedTokens = 7;

// x: [tokens, w.cols()], y: [tokens, w.rows()], row-major, contiguous, not
// aliasing. Runs on the calling thread alone; thread-safe (scratch is per
// thread and reused: quant/tiled_product.h, and 120 rows of weights).
// O(tokens * rows * cols). The precision is available (CHECK); products of few
// tokens, which wait for memory, are of float32 whatever it is.
//
// Row t of y depends on row t of x alone. It has the same bits for any number
// of tokens from 1 to kMostFusedTokens, and the same bits for any number above:
// there those of MatMulTransposed (quant/matmul.h) on the dequantized weights.
// Between the two, and between instruction sets, the order of summation differs
// and so do the last bits. Matrices of mixed columns (quant/column_layout.h)
// are multiplied a tile at a time for any number of tokens; of row mixes
// (quant/row_matrix.h) each segment is multiplied by itself for few tokens, as
// a matrix of its own would be, and rows are tiled together for many.
void PackedMatMul(std::span<const float> x,
                  const PackedMatrix& w,
                  std::span<float> y,
                  std::int64_t tokens,
                  ProductPrecision precision = ProductPrecision::kFloat32);

}  // namespace bitpact

#endif  // BITPACT_QUANT_PACKED_MATMUL_H_
