// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matmul.h"

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "quant/kernels.h"
#include "quant/matmul.h"

namespace bitpact {
namespace {

// Fewer rows than this make oneDNN's products slow; beyond it a tile should not
// grow out of the second-level cache.
constexpr std::int64_t kLeastTileRows = 128;
constexpr std::int64_t kTileFloats = (1 << 21) / sizeof(float);

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
  if (tokens <= kMostFusedTokens) {
    BestKernels().multiply(w, x.data(), y.data(), tokens);
    return;
  }
  const std::int64_t tile = std::min(
      std::max(kTileFloats / w.cols() / 64 * 64, kLeastTileRows), w.rows());
  thread_local std::vector<float> scratch;
  scratch.resize(std::max(scratch.size(), Size(tile * w.cols())));
  for (std::int64_t row = 0; row < w.rows(); row += tile) {
    const std::int64_t count = std::min(tile, w.rows() - row);
    const std::span<float> rows(scratch.data(), Size(count * w.cols()));
    w.Dequantize(row, count, rows);
    MatMulTransposedInto(
        x,
        rows,
        y.subspan(Size(row)),
        {.tokens = tokens, .in = w.cols(), .out = count, .y_stride = w.rows()});
  }
}

}  // namespace bitpact
