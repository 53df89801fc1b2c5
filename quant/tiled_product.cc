// SPDX-License-Identifier: Apache-2.0
#include "quant/tiled_product.h"

#include <algorithm>
#include <vector>

#include "core/check.h"
#include "quant/bf16_kernels.h"
#include "quant/kernels.h"
#include "quant/panels.h"

namespace bitpact {
namespace {

// An operand's rows as a precision multiplies them.
class Operand {
 public:
  Operand(std::vector<float>& scratch, ProductPrecision precision)
      : scratch_(scratch),
        kernels_(precision == ProductPrecision::kBfloat16 ? FindBf16Kernels()
                                                          : nullptr) {}

  std::span<const float> Rows(std::span<const float> rows,
                              std::int64_t num_rows,
                              std::int64_t cols) {
    if (kernels_ == nullptr) return rows;
    const auto words = static_cast<std::size_t>(num_rows * PairWords(cols));
    scratch_.resize(std::max(scratch_.size(), words));
    kernels_->pair_rows(rows.data(), num_rows, cols, scratch_.data());
    return std::span(scratch_).first(words);
  }

 private:
  std::vector<float>& scratch_;
  const Bf16Kernels* kernels_;
};

Panels& ThreadPanels(ProductPrecision precision) {
  if (precision == ProductPrecision::kBfloat16) {
    thread_local Panels panels(BestKernels(),
                               FindBf16Kernels()->multiply_panels);
    return panels;
  }
  thread_local Panels panels(BestKernels());
  return panels;
}

}  // namespace

void MultiplyByTiles(std::span<const float> x,
                     std::span<float> y,
                     const MatMulShape& shape,
                     ProductPrecision precision,
                     const TileOfRows& tile_of_rows) {
  const auto [tokens, in, out, y_stride] = shape;
  BITPACT_CHECK(IsAvailable(precision), "products of this precision");
  thread_local std::vector<float> input_words;
  thread_local std::vector<float> tile_words;
  Panels& panels = ThreadPanels(precision);
  Operand tiles(tile_words, precision);
  const std::span<const float> inputs =
      Operand(input_words, precision).Rows(x, tokens, in);
  const std::int64_t inner = std::ssize(inputs) / tokens;
  const bool packs_x = PackingTokensIsCheaper(tokens, in, out);
  if (packs_x) panels.Pack(inputs, tokens, inner);
  const std::int64_t tile = std::min(kProductTileRows, out);
  for (std::int64_t row = 0; row < out; row += tile) {
    const std::int64_t count = std::min(tile, out - row);
    const std::span<const float> rows =
        tiles.Rows(tile_of_rows(row, count), count, in);
    float* const to = y.data() + row;
    if (packs_x) {
      panels.Multiply(
          rows, count, {.y = to, .stride = y_stride, .turned = true});
    } else {
      panels.Pack(rows, count, inner);
      panels.Multiply(
          inputs, tokens, {.y = to, .stride = y_stride, .turned = false});
    }
  }
}

}  // namespace bitpact
