// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matmul.h"

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "quant/kernels.h"
#include "quant/panels.h"
#include "quant/row_matrix.h"

namespace bitpact {
namespace {

// Rows dequantized at once; more would only leave the cache again.
constexpr std::int64_t kTileRows = kPanelRows / 2;

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

}  // namespace

void PackedMatMul(std::span<const float> x,
                  const PackedMatrix& w,
                  std::span<float> y,
                  std::int64_t tokens) {
  BITPACT_CHECK(tokens >= 0 && x.size() == Size(tokens * w.cols()),
                "x is [tokens, cols]");
  BITPACT_CHECK(y.size() == Size(tokens * w.rows()), "y is [tokens, rows]");
  if (tokens == 0) return;
  if (tokens <= kMostFusedTokens && w.column_layout() == nullptr) {
    if (w.row_layout() != nullptr) return MultiplyRows(w, x, y, tokens);
    BestKernels().multiply(w, x.data(), y.data(), tokens);
    return;
  }
  thread_local Panels panels(BestKernels());
  thread_local std::vector<float> scratch;
  const std::int64_t tile = std::min(kTileRows, w.rows());
  scratch.resize(std::max(scratch.size(), Size(tile * w.cols())));
  const bool packs_x = PackingTokensIsCheaper(tokens, w.cols(), w.rows());
  if (packs_x) panels.Pack(x, tokens, w.cols());
  for (std::int64_t row = 0; row < w.rows(); row += tile) {
    const std::int64_t count = std::min(tile, w.rows() - row);
    const std::span<float> rows(scratch.data(), Size(count * w.cols()));
    w.Dequantize(row, count, rows);
    float* const out = y.data() + row;
    if (packs_x) {
      panels.Multiply(
          rows, count, {.y = out, .stride = w.rows(), .turned = true});
    } else {
      panels.Pack(rows, count, w.cols());
      panels.Multiply(
          x, tokens, {.y = out, .stride = w.rows(), .turned = false});
    }
  }
}

}  // namespace bitpact
