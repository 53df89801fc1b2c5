// SPDX-License-Identifier: Apache-2.0
#include "models/linear_reverse.h"

#include <algorithm>

#include "core/check.h"
#include "quant/matmul.h"

namespace bitpact {
namespace {

// Rows of a packed weight that are dense at once.
constexpr std::int64_t kStripRows = 256;

std::size_t Size(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

// to[c, r] = from[r, c].
void Transpose(std::span<const float> from,
               std::int64_t rows,
               std::int64_t cols,
               std::vector<float>& to) {
  to.resize(Size(rows, cols));
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* line = from.data() + r * cols;
    for (std::int64_t c = 0; c < cols; ++c) {
      to[static_cast<std::size_t>(c * rows + r)] = line[c];
    }
  }
}

}  // namespace

void WeightGradient(const LinearBackprop& linear, std::span<float> gradient) {
  BITPACT_CHECK(linear.x.size() == Size(linear.tokens, linear.cols) &&
                    linear.dy.size() == Size(linear.tokens, linear.rows) &&
                    gradient.size() == Size(linear.rows, linear.cols),
                "x [tokens, cols], dy [tokens, rows], gradient [rows, cols]");
  std::ranges::fill(gradient, 0.0F);
  AddTransposedProduct(linear.dy,
                       linear.x,
                       gradient,
                       {.rows = linear.rows,
                        .cols = linear.cols,
                        .inner = linear.tokens,
                        .a_stride = linear.rows,
                        .b_stride = linear.cols,
                        .c_stride = linear.cols});
}

void AddInputGradient(const LinearWeight& weight,
                      std::span<const float> dy,
                      std::span<float> dx,
                      std::int64_t tokens,
                      LinearReverseScratch& scratch) {
  const std::int64_t rows = weight.rows();
  const std::int64_t cols = weight.cols();
  BITPACT_CHECK(rows > 0 && dy.size() == Size(tokens, rows) &&
                    dx.size() == Size(tokens, cols),
                "a weight is set, dy is [tokens, rows], dx [tokens, cols]");
  Transpose(dy, tokens, rows, scratch.turned);
  const std::int64_t step =
      weight.packed() == nullptr ? rows : std::min(rows, kStripRows);
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    std::span<const float> dense = weight.dense();
    if (weight.packed() != nullptr) {
      scratch.dense.resize(Size(count, cols));
      weight.packed()->Dequantize(first, count, scratch.dense);
      dense = scratch.dense;
    }
    AddTransposedProduct(std::span(scratch.turned).subspan(Size(first, tokens)),
                         dense,
                         dx,
                         {.rows = tokens,
                          .cols = cols,
                          .inner = count,
                          .a_stride = tokens,
                          .b_stride = cols,
                          .c_stride = cols});
  }
}

}  // namespace bitpact
