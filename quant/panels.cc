// SPDX-License-Identifier: Apache-2.0
#include "quant/panels.h"

#include <algorithm>

#include "core/check.h"

namespace bitpact {
namespace {

// Rows of a product that are computed before they are turned. They pass over
// all runs of columns before the next rows do, so that the plain operand, a
// matrix of weights where there are few tokens, is read from one end to the
// other.
constexpr std::int64_t kTurnedRows = 48;

std::int64_t RoundUp(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

}  // namespace

void Panels::Pack(std::span<const float> rows,
                  std::int64_t num_rows,
                  std::int64_t inner) {
  BITPACT_CHECK(
      num_rows >= 0 && inner > 0 && rows.size() == Size(num_rows * inner),
      "rows are [num_rows, inner]");
  inner_ = inner;
  const std::int64_t lanes = kernels_->lanes;
  floats_.resize(
      std::max(floats_.size(), Size(RoundUp(num_rows, lanes) * inner)));
  blocks_.clear();
  if (num_rows == 0) return;
  const std::int64_t step = BlockRows(num_rows);
  const std::int64_t run = RunColumns(inner);
  float* to = floats_.data();
  for (std::int64_t first = 0; first < num_rows; first += step) {
    const std::int64_t size = std::min(step, num_rows - first);
    const Block block{to, size, RoundUp(size, lanes)};
    for (std::int64_t col = 0; col < inner; col += run) {
      const std::int64_t width = std::min(run, inner - col);
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
                           float* y,
                           std::int64_t y_stride) const {
  const std::int64_t run = RunColumns(inner_);
  for (std::int64_t col = 0; col < inner_; col += run) {
    multiply_({.panels = block.panels + col * block.padded_rows,
               .panel_rows = block.rows,
               .rows = rows + col,
               .num_rows = num_rows,
               .row_stride = inner_,
               .inner = std::min(run, inner_ - col),
               .y = y,
               .y_stride = y_stride,
               .add = col > 0});
  }
}

// Tiles stored straight into columns of y would touch a line of the cache for
// four numbers and lose it before the next four.
void Panels::MultiplyTurned(const Block& block,
                            const float* rows,
                            std::int64_t num_rows,
                            float* y,
                            std::int64_t y_stride) {
  turned_.resize(
      std::max(turned_.size(), Size(kTurnedRows * block.padded_rows)));
  for (std::int64_t row = 0; row < num_rows; row += kTurnedRows) {
    const std::int64_t count = std::min(kTurnedRows, num_rows - row);
    MultiplyBlock(
        block, rows + row * inner_, count, turned_.data(), block.padded_rows);
    kernels_->turn(turned_.data(),
                   block.padded_rows,
                   count,
                   block.rows,
                   y + row,
                   y_stride);
  }
}

void Panels::Multiply(std::span<const float> rows,
                      std::int64_t num_rows,
                      const ProductOut& out) {
  BITPACT_CHECK(rows.size() == Size(num_rows * inner_),
                "rows are [num_rows, inner]");
  float* y = out.y;
  for (const Block& block : blocks_) {
    if (out.turned) {
      MultiplyTurned(block, rows.data(), num_rows, y, out.stride);
    } else {
      MultiplyBlock(block, rows.data(), num_rows, y, out.stride);
    }
    y += out.turned ? block.rows * out.stride : block.rows;
  }
}

}  // namespace bitpact
