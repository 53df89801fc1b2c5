// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_TILED_PRODUCT_H_
#define BITPACT_QUANT_TILED_PRODUCT_H_

// y = x * w^T where the rows of w come a tile at a time: dequantized, or
// rounded to bfloat16. For use inside quant/.

#include <cstdint>
#include <functional>
#include <span>

#include "quant/matmul.h"
#include "quant/product_precision.h"

namespace bitpact {

// Rows of w in a tile at most; more would only leave the cache again.
inline constexpr std::int64_t kProductTileRows = 120;

// Rows `row` .. `row + count - 1` of w as [count, in], valid until the next
// call.
using TileOfRows =
    std::function<std::span<const float>(std::int64_t row, std::int64_t count)>;

// x: [tokens, in], contiguous; shape.tokens > 0 and shape.in > 0. The precision
// is available (CHECK). Every element has the bits that quant/matmul.h
// promises. Scratch memory is per thread and reused: of bfloat16, x and a tile
// in half their size; packed, the smaller of x and a tile.
void MultiplyByTiles(std::span<const float> x,
                     std::span<float> y,
                     const MatMulShape& shape,
                     ProductPrecision precision,
                     const TileOfRows& tile_of_rows);

}  // namespace bitpact

#endif  // BITPACT_QUANT_TILED_PRODUCT_H_
