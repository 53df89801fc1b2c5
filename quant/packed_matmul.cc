// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matmul.h"

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "quant/matmul.h"

namespace bitpact {
namespace {

constexpr std::int64_t kScratchFloats = (1 << 20) / sizeof(float);

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
  const std::int64_t tile = std::clamp<std::int64_t>(
      kScratchFloats / w.cols() / 16 * 16, 1, w.rows());
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
