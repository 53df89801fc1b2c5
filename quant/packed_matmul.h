// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_PACKED_MATMUL_H_
#define BITPACT_QUANT_PACKED_MATMUL_H_

// Inference straight from packed weights: y = x * w^T where w never exists as a
// whole in float32. For many tokens a tile of rows is dequantized into scratch
// memory that stays in the cache, multiplied, and forgotten; for few tokens
// (generation) codes are turned into numbers in registers and multiplied at
// once.

#include <cstdint>
#include <span>

#include "quant/packed_matrix.h"

namespace bitpact {

// x: [tokens, w.cols()], y: [tokens, w.rows()], row-major, contiguous, not
// aliasing. Thread-safe (scratch is per thread, at most 1 MiB and reused).
// O(tokens * rows * cols). Row t of y depends on row t of x alone, and has the
// same bits for any number of tokens >= 1.
void PackedMatMul(std::span<const float> x,
                  const PackedMatrix& w,
                  std::span<float> y,
                  std::int64_t tokens);

}  // namespace bitpact

#endif  // BITPACT_QUANT_PACKED_MATMUL_H_
