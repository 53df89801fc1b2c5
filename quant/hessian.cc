// SPDX-License-Identifier: Apache-2.0
#include "quant/hessian.h"

#include <algorithm>

#include "core/check.h"
#include "core/threads.h"
#include "quant/matmul.h"

namespace bitpact {
namespace {

// Rows of the triangle that one product makes: enough for a fast product, few
// enough that little is computed below the diagonal.
constexpr std::int64_t kStripRows = 256;

std::size_t At(std::int64_t row, std::int64_t col, std::int64_t cols) {
  return static_cast<std::size_t>(row * cols + col);
}

}  // namespace

HessianSum::HessianSum(std::int64_t cols) : cols_(cols) {
  BITPACT_CHECK(cols > 0, "a layer has inputs");
  sum_.resize(At(cols, 0, cols));
}

void HessianSum::Add(std::span<const float> x, std::int64_t tokens) {
  BITPACT_CHECK(x.size() == At(tokens, 0, cols_), "x is [tokens, cols]");
  if (tokens == 0) return;
  tokens_ += tokens;
  ParallelFor((cols_ + kStripRows - 1) / kStripRows,
              [&](std::int64_t strip, int) {
                const std::int64_t begin = strip * kStripRows;
                const std::int64_t rows = std::min(kStripRows, cols_ - begin);
                const std::int64_t width = cols_ - begin;
                std::vector<float> product(At(rows, 0, width));
                const auto inputs = x.subspan(static_cast<std::size_t>(begin));
                AddTransposedProduct(inputs,
                                     inputs,
                                     product,
                                     {.rows = rows,
                                      .cols = width,
                                      .inner = tokens,
                                      .a_stride = cols_,
                                      .b_stride = cols_,
                                      .c_stride = width});
                for (std::int64_t i = 0; i < rows; ++i) {
                  for (std::int64_t j = i; j < width; ++j) {
                    sum_[At(begin + i, begin + j, cols_)] +=
                        static_cast<double>(product[At(i, j, width)]);
                  }
                }
              });
}

std::vector<float> HessianSum::Finish() const {
  BITPACT_CHECK(tokens_ > 0, "at least one token");
  const double factor = 2.0 / static_cast<double>(tokens_);
  std::vector<float> hessian(sum_.size());
  for (std::int64_t i = 0; i < cols_; ++i) {
    for (std::int64_t j = i; j < cols_; ++j) {
      const auto entry = static_cast<float>(factor * sum_[At(i, j, cols_)]);
      hessian[At(i, j, cols_)] = entry;
      hessian[At(j, i, cols_)] = entry;
    }
  }
  return hessian;
}

}  // namespace bitpact
