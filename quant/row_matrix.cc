// SPDX-License-Identifier: Apache-2.0
#include "quant/row_matrix.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "core/check.h"
#include "quant/half.h"
#include "quant/kernels.h"
#include "quant/matmul.h"
#include "quant/packed_matmul.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

bool IsHigh(std::span<const std::byte> map, std::int64_t row) {
  return std::to_integer<int>(map[Size(row / 8)] >> (row % 8)) % 2 != 0;
}

float LoadHalf(std::span<const std::byte> halves, std::size_t index) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, &halves[2 * index], sizeof(bits));
  return FromHalfBits(bits);
}

Expected<void> CheckLength(const char* array,
                           std::size_t length,
                           std::int64_t wanted) {
  if (length == Size(wanted)) return {};
  return InvalidArgument(std::string(array) + " have " +
                         std::to_string(length) + " bytes, the format takes " +
                         std::to_string(wanted));
}

Expected<void> CheckLengths(const BitFormat& format,
                            std::int64_t rows,
                            std::int64_t cols,
                            const StoredArrays& arrays) {
  const std::int64_t groups =
      ScaledRows(format, rows) * GroupsPerRow(format, cols);
  const std::array checks = {
      CheckLength("codes", arrays.codes.size(), CodeBytes(format, rows, cols)),
      CheckLength("scales",
                  arrays.scales.size(),
                  groups * ScaleBytes(format.scale_type)),
      CheckLength("zero_points",
                  arrays.zero_points.size(),
                  groups * ZeroPointBytes(format.zero_point_type))};
  for (const auto& check : checks) {
    if (!check) return check;
  }
  return {};
}

// The order of the rows by the map.
Expected<std::vector<std::int32_t>> ReadMap(std::span<const std::byte> map,
                                            std::int64_t rows,
                                            std::int64_t high_rows) {
  std::int64_t ones = 0;
  for (const std::byte byte : map) {
    ones += std::popcount(std::to_integer<unsigned>(byte));
  }
  if (ones != high_rows) {
    return Fail(ErrorCode::kDataLoss,
                "the map of rows names " + std::to_string(ones) +
                    " high rows, the format has " + std::to_string(high_rows));
  }
  std::vector<std::int32_t> order;
  order.reserve(Size(rows));
  for (const bool high : {true, false}) {
    for (std::int64_t row = 0; row < rows; ++row) {
      if (IsHigh(map, row) == high) {
        order.push_back(static_cast<std::int32_t>(row));
      }
    }
    if (high && std::ssize(order) != high_rows) {
      return Fail(ErrorCode::kDataLoss,
                  "the map of rows has bits behind the last row, which must be "
                  "0");
    }
  }
  return order;
}

Expected<void> CheckHalves(std::span<const std::byte> halves,
                           std::int64_t cols,
                           std::span<const std::int32_t> order) {
  for (std::size_t i = 0; i < halves.size() / 2; ++i) {
    if (std::isfinite(LoadHalf(halves, i))) continue;
    return Fail(ErrorCode::kDataLoss,
                "weight at row " + std::to_string(order[i / Size(cols)]) +
                    ", column " + std::to_string(i % Size(cols)) +
                    " is not finite");
  }
  return {};
}

// The stretches of the arrays that belong to `count` rows of a plain format
// from the given offsets on, which move on.
StoredArrays TakeRows(const BitFormat& format,
                      std::int64_t count,
                      std::int64_t cols,
                      StoredArrays& rest) {
  const auto take = [](std::span<const std::byte>& from, std::int64_t bytes) {
    const auto taken = from.first(Size(bytes));
    from = from.subspan(Size(bytes));
    return taken;
  };
  const std::int64_t groups = count * GroupsPerRow(format, cols);
  return {
      take(rest.codes, count * RowCodeBytes(format.bits, cols)),
      take(rest.scales, groups * ScaleBytes(format.scale_type)),
      take(rest.zero_points, groups * ZeroPointBytes(format.zero_point_type))};
}

// A segment over its bytes; without rows where there are none.
Expected<PackedMatrix> Segment(const BitFormat& format,
                               std::int64_t count,
                               std::int64_t cols,
                               StoredArrays& rest,
                               const char* which) {
  if (count == 0) return PackedMatrix();
  Expected<PackedMatrix> segment = PackedMatrix::FromMapped(
      format, count, cols, TakeRows(format, count, cols, rest), nullptr);
  if (!segment) {
    Error error = segment.error();
    error.message = std::string("among the ") + which +
                    " rows, counted by themselves: " + error.message;
    return tl::unexpected(std::move(error));
  }
  return segment;
}

void CheckPart(const PackedMatrix* part,
               const BitFormat& format,
               std::int64_t rows,
               std::int64_t cols) {
  if (rows == 0) return;
  BITPACT_CHECK(part != nullptr && part->format() == format &&
                    part->rows() == rows && part->cols() == cols,
                "a part for each kind of rows, of its format and shape");
}

void Append(std::vector<std::byte>& to, std::span<const std::byte> from) {
  to.insert(to.end(), from.begin(), from.end());
}

void DecodeHalves(std::span<const std::byte> halves,
                  std::int64_t row,
                  std::span<float> out) {
  const std::size_t first = Size(row) * out.size();
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = LoadHalf(halves, first + i);
  }
}

// Outputs of rows order[first...] of a segment: [tokens, count] to their rows
// of y.
void Scatter(std::span<const float> from,
             std::span<const std::int32_t> order,
             std::int64_t rows,
             std::span<float> y) {
  const std::size_t count = order.size();
  for (std::size_t t = 0; t * count < from.size(); ++t) {
    float* const to = y.data() + t * Size(rows);
    for (std::size_t i = 0; i < count; ++i) {
      to[Size(order[i])] = from[t * count + i];
    }
  }
}

// The float16 rows' outputs, some rows at a time.
void MultiplyHalves(const PackedMatrix& w,
                    std::span<const float> x,
                    std::span<float> y,
                    std::int64_t tokens) {
  constexpr std::int64_t kTileRows = 64;
  const RowLayout& layout = *w.row_layout();
  thread_local std::vector<float> dense;
  thread_local std::vector<float> product;
  for (std::int64_t row = 0; row < layout.high_rows; row += kTileRows) {
    const std::int64_t count = std::min(kTileRows, layout.high_rows - row);
    dense.resize(Size(count * w.cols()));
    product.resize(Size(tokens * count));
    for (std::int64_t i = 0; i < count; ++i) {
      DecodeHalves(
          layout.halves,
          row + i,
          std::span(dense).subspan(Size(i * w.cols()), Size(w.cols())));
    }
    MatMulTransposed(x, dense, product, tokens, w.cols(), count);
    Scatter(product,
            std::span(layout.order).subspan(Size(row), Size(count)),
            w.rows(),
            y);
  }
}

}  // namespace

PackedMatrix PackRows(const BitFormat& format,
                      std::int64_t rows,
                      std::int64_t cols,
                      const RowParts& parts) {
  BITPACT_CHECK(Validate(format).has_value() && format.row_mix(), "a row mix");
  const std::int64_t high_rows = HighRows(format, rows);
  const bool halves = format.high_bits == kFloat16Bits;
  BITPACT_CHECK(std::ssize(parts.high_rows) == high_rows &&
                    std::ranges::is_sorted(parts.high_rows),
                "as many high rows as the format has, ascending");
  CheckPart(parts.low, LowFormat(format), rows - high_rows, cols);
  if (!halves) CheckPart(parts.high, HighFormat(format), high_rows, cols);
  BITPACT_CHECK(std::ssize(parts.dense) == (halves ? high_rows * cols : 0),
                "float16 rows are [high rows, cols]");
  std::vector<std::byte> codes(Size(RowMapBytes(rows)));
  for (const std::int32_t row : parts.high_rows) {
    BITPACT_CHECK(row >= 0 && row < rows, "a row of the matrix");
    codes[Size(row / 8)] |= std::byte{1} << (row % 8);
  }
  codes.reserve(Size(CodeBytes(format, rows, cols)));
  std::vector<std::byte> scales;
  std::vector<std::byte> zero_points;
  for (const float weight : parts.dense) {
    const std::uint16_t bits = HalfBits(weight);
    codes.push_back(static_cast<std::byte>(bits & 255U));
    codes.push_back(static_cast<std::byte>(bits >> 8U));
  }
  const std::array segments = {!halves && high_rows > 0 ? parts.high : nullptr,
                               high_rows < rows ? parts.low : nullptr};
  for (const PackedMatrix* segment : segments) {
    if (segment == nullptr) continue;
    Append(codes, segment->codes());
    Append(scales, segment->scales());
    Append(zero_points, segment->zero_points());
  }
  Expected<PackedMatrix> packed = PackedMatrix::FromStored(
      format, rows, cols, {codes, scales, zero_points});
  BITPACT_CHECK(packed.has_value(),
                "different high rows, and weights that float16 holds");
  return std::move(*packed);
}

Expected<std::shared_ptr<const RowLayout>> CheckRows(
    const BitFormat& format,
    std::int64_t rows,
    std::int64_t cols,
    const StoredArrays& arrays) {
  if (const auto valid = CheckLengths(format, rows, cols, arrays); !valid) {
    return tl::unexpected(valid.error());
  }
  auto layout = std::make_shared<RowLayout>();
  layout->high_rows = HighRows(format, rows);
  StoredArrays rest = arrays;
  const auto map = rest.codes.first(Size(RowMapBytes(rows)));
  rest.codes = rest.codes.subspan(map.size());
  auto order = ReadMap(map, rows, layout->high_rows);
  if (!order) return tl::unexpected(order.error());
  layout->order = std::move(*order);
  layout->place.resize(Size(rows));
  for (std::size_t i = 0; i < layout->order.size(); ++i) {
    layout->place[Size(layout->order[i])] = static_cast<std::int32_t>(i);
  }
  if (format.high_bits == kFloat16Bits) {
    layout->halves = rest.codes.first(Size(2 * layout->high_rows * cols));
    rest.codes = rest.codes.subspan(layout->halves.size());
    const auto finite = CheckHalves(layout->halves, cols, layout->order);
    if (!finite) return tl::unexpected(finite.error());
  } else {
    auto high =
        Segment(HighFormat(format), layout->high_rows, cols, rest, "high");
    if (!high) return tl::unexpected(high.error());
    layout->high = std::move(*high);
  }
  auto low =
      Segment(LowFormat(format), rows - layout->high_rows, cols, rest, "low");
  if (!low) return tl::unexpected(low.error());
  layout->low = std::move(*low);
  return layout;
}

void DequantizeRows(const PackedMatrix& matrix,
                    std::int64_t first,
                    std::int64_t count,
                    std::span<float> out) {
  const RowLayout& layout = *matrix.row_layout();
  const auto cols = Size(matrix.cols());
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t place = layout.place[Size(first + i)];
    const auto row = out.subspan(Size(i) * cols, cols);
    if (place >= layout.high_rows) {
      layout.low.Dequantize(place - layout.high_rows, 1, row);
    } else if (!layout.halves.empty()) {
      DecodeHalves(layout.halves, place, row);
    } else {
      layout.high.Dequantize(place, 1, row);
    }
  }
}

void DequantizeRowsReference(const PackedMatrix& matrix,
                             std::int64_t first,
                             std::int64_t count,
                             std::span<float> out) {
  const RowLayout& layout = *matrix.row_layout();
  const auto cols = Size(matrix.cols());
  for (std::int64_t i = 0; i < count; ++i) {
    const auto row = out.subspan(Size(i) * cols, cols);
    // The row's place, counted from the map.
    std::int64_t ahead = 0;
    const bool high = IsHigh(matrix.codes(), first + i);
    for (std::int64_t other = 0; other < first + i; ++other) {
      ahead += IsHigh(matrix.codes(), other) == high ? 1 : 0;
    }
    if (!high) {
      layout.low.DequantizeReference(ahead, 1, row);
    } else if (!layout.halves.empty()) {
      DecodeHalves(layout.halves, ahead, row);
    } else {
      layout.high.DequantizeReference(ahead, 1, row);
    }
  }
}

void MultiplyRows(const PackedMatrix& w,
                  std::span<const float> x,
                  std::span<float> y,
                  std::int64_t tokens) {
  const RowLayout& layout = *w.row_layout();
  thread_local std::vector<float> product;
  std::int64_t first = 0;
  if (!layout.halves.empty()) MultiplyHalves(w, x, y, tokens);
  for (const PackedMatrix* segment : {&layout.high, &layout.low}) {
    if (segment == &layout.low) first = layout.high_rows;
    if (segment->rows() == 0) continue;
    product.resize(Size(tokens * segment->rows()));
    PackedMatMul(x, *segment, product, tokens);
    Scatter(product,
            std::span(layout.order).subspan(Size(first), Size(segment->rows())),
            w.rows(),
            y);
  }
}

int RowCode(const PackedMatrix& matrix, std::int64_t row, std::int64_t col) {
  const RowLayout& layout = *matrix.row_layout();
  const std::int64_t place = layout.place[Size(row)];
  if (place >= layout.high_rows) {
    return layout.low.Code(place - layout.high_rows, col);
  }
  if (layout.halves.empty()) return layout.high.Code(place, col);
  std::uint16_t bits = 0;
  std::memcpy(&bits,
              &layout.halves[Size(2 * (place * matrix.cols() + col))],
              sizeof(bits));
  return bits;
}

}  // namespace bitpact
