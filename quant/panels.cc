// SPDX-License-Identifier: Apache-2.0
#include "quant/panels.h"

#include <algorithm>

#include "core/check.h"

namespace bitpact {
namespace {

// Rows that pass over all runs of columns before the next do, when a block's
// panels stay in the second-level cache as a whole: the plain operand, a matrix
// of weights where there are few tokens, is then read from one end to the
// other.
constexpr std::int64_t kRowsAtOnce = 16;
constexpr std::int64_t kCachedFloats = kPanelRows * kPanelColumns;

std::int64_t RoundUp(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

}  // namespace

void Panels::Pack(std::span<const float> rows,
                  std::int64_t num_rows,
                  std::int64_t inner) {
  BITPACT_CHECK(
      num_rows >= 0 && inner >= 0 && rows.size() == Size(num_rows * inner),
      "rows are [num_rows, inner]");
  inner_ = inner;
  const std::int64_t lanes = kernels_->lanes;
  floats_.resize(
      std::max(floats_.size(), Size(RoundUp(num_rows, lanes) * inner)));
  blocks_.clear();
  // Blocks of about equal size, in whole panels.
  const std::int64_t count = (num_rows + kPanelRows - 1) / kPanelRows;
  const std::int64_t step =
      count == 0 ? 0 : RoundUp((num_rows + count - 1) / count, 3 * lanes);
  float* to = floats_.data();
  for (std::int64_t first = 0; first < num_rows; first += step) {
    const std::int64_t size = std::min(step, num_rows - first);
    const Block block{to, size, RoundUp(size, lanes)};
    for (std::int64_t col = 0; col < inner; col += kPanelColumns) {
      const std::int64_t width = std::min(kPanelColumns, inner - col);
      kernels_->pack_panels(
          rows.data() + first * inner + col, inner, size, width, to);
      to += width * block.padded_rows;
    }
    blocks_.push_back(block);
  }
}

void Panels::MultiplyBlock(const Block& block,
                           const float* rows,
                           std::int64_t num_rows,
                           const ProductOut& out) const {
  for (std::int64_t col = 0; col < inner_; col += kPanelColumns) {
    kernels_->multiply_panels({.panels = block.panels + col * block.padded_rows,
                               .panel_rows = block.rows,
                               .rows = rows + col,
                               .num_rows = num_rows,
                               .row_stride = inner_,
                               .inner = std::min(kPanelColumns, inner_ - col),
                               .y = out.y,
                               .y_lane_stride = out.lane_stride,
                               .y_row_stride = out.row_stride,
                               .add = col > 0});
  }
}

void Panels::Multiply(std::span<const float> rows,
                      std::int64_t num_rows,
                      const ProductOut& out) const {
  BITPACT_CHECK(rows.size() == Size(num_rows * inner_),
                "rows are [num_rows, inner]");
  BITPACT_CHECK(inner_ > 0, "at least one column");
  float* y = out.y;
  for (const Block& block : blocks_) {
    const std::int64_t step = block.padded_rows * inner_ <= kCachedFloats
                                  ? kRowsAtOnce
                                  : std::max<std::int64_t>(num_rows, 1);
    for (std::int64_t row = 0; row < num_rows; row += step) {
      MultiplyBlock(block,
                    rows.data() + row * inner_,
                    std::min(step, num_rows - row),
                    {.y = y + row * out.row_stride,
                     .lane_stride = out.lane_stride,
                     .row_stride = out.row_stride});
    }
    y += block.rows * out.lane_stride;
  }
}

}  // namespace bitpact
