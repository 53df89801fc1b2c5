// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matmul.h"

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "quant/kernels.h"
#include "quant/row_matrix.h"
#include "quant/tiled_product.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

}  // namespace

void PackedMatMul(std::span<const float> x,
                  const PackedMatrix& w,
                  std::span<float> y,
                  std::int64_t tokens,
                  ProductPrecision precision) {
  BITPACT_CHECK(tokens >= 0 && x.size() == Size(tokens * w.cols()),
                "x is [tokens, cols]");
  BITPACT_CHECK(y.size() == Size(tokens * w.rows()), "y is [tokens, rows]");
  if (tokens == 0) return;
  if (tokens <= kMostFusedTokens && w.column_layout() == nullptr) {
    if (w.row_layout() != nullptr) return MultiplyRows(w, x, y, tokens);
    BestKernels().multiply(w, x.data(), y.data(), tokens);
    return;
  }
  thread_local std::vector<float> scratch;
  scratch.resize(std::max(
      scratch.size(), Size(std::min(kProductTileRows, w.rows()) * w.cols())));
  MultiplyByTiles(
      x,
      y,
      {.tokens = tokens, .in = w.cols(), .out = w.rows(), .y_stride = w.rows()},
      precision,
      [&w](std::int64_t row, std::int64_t count) {
        const std::span<float> rows(scratch.data(), Size(count * w.cols()));
        w.Dequantize(row, count, rows);
        return std::span<const float>(rows);
      });
}

}  // namespace bitpact
