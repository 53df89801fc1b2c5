// SPDX-License-Identifier: Apache-2.0
#include "quant/column_matrix.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

Expected<void> CheckLength(const char* array,
                           std::size_t length,
                           std::int64_t wanted) {
  if (length == Size(wanted)) return {};
  return InvalidArgument(std::string(array) + " have " +
                         std::to_string(length) + " bytes, the format takes " +
                         std::to_string(wanted));
}

Expected<void> CheckRanges(std::span<const std::byte> rows,
                           std::int64_t count) {
  for (std::int64_t row = 0; row < count; ++row) {
    const auto [least, greatest] = StoredRange(rows, row);
    if (std::isfinite(least) && std::isfinite(greatest) && least <= 0.0F &&
        greatest >= 0.0F) {
      continue;
    }
    return Fail(ErrorCode::kDataLoss,
                "range of row " + std::to_string(row) + " = " +
                    std::to_string(least) + " .. " + std::to_string(greatest) +
                    " violates least <= 0 <= greatest, both finite");
  }
  return {};
}

// Writes count * columns codes of one class as weights. contiguous: the class
// is a run of columns, so that a row's weights lie side by side.
void WriteClass(const PackedMatrix& matrix,
                const ColumnClass& some,
                std::int64_t first,
                std::int64_t count,
                std::span<const std::uint8_t> codes,
                std::span<float> out) {
  const std::int64_t width = std::ssize(some.columns);
  const ColumnGrid kind = matrix.format().column_grid;
  const bool contiguous = some.columns.back() - some.columns[0] == width - 1;
  for (std::int64_t r = 0; r < count; ++r) {
    const RowGrid grid =
        StoredRowGrid(kind, matrix.scales(), first + r, some.levels);
    const std::uint8_t* const q = &codes[Size(r * width)];
    float* const row = &out[Size(r * matrix.cols())];
    if (kind == ColumnGrid::kRange) {
      for (std::int64_t c = 0; c < width; ++c) {
        row[some.columns[Size(c)]] =
            grid.step * (static_cast<float>(q[c]) - grid.zero);
      }
    } else if (contiguous) {
      float* const to = row + some.columns[0];
      const float* const factors = some.factors.data();
      for (std::int64_t c = 0; c < width; ++c) {
        to[c] =
            (grid.step * factors[c]) * (static_cast<float>(q[c]) - grid.zero);
      }
    } else {
      for (std::int64_t c = 0; c < width; ++c) {
        row[some.columns[Size(c)]] = (grid.step * some.factors[Size(c)]) *
                                     (static_cast<float>(q[c]) - grid.zero);
      }
    }
  }
}

// The class of a column and its place there.
std::pair<const ColumnClass*, std::int64_t> FindColumn(
    const ColumnLayout& layout, std::int64_t col) {
  for (const ColumnClass& some : layout.classes) {
    const auto at = std::ranges::lower_bound(some.columns, col);
    if (at == some.columns.end() || *at != col) continue;
    return {&some, at - some.columns.begin()};
  }
  BITPACT_CHECK(false, "every column is in a class");
  return {nullptr, 0};
}

std::span<const std::byte> StreamOf(const PackedMatrix& matrix,
                                    const ColumnClass& some) {
  return matrix.codes().subspan(Size(some.first_byte), Size(some.bytes));
}

}  // namespace

Expected<PackedMatrix> PackColumns(const BitFormat& format,
                                   std::int64_t rows,
                                   std::int64_t cols,
                                   const ColumnCodes& found) {
  BITPACT_CHECK(Validate(format).has_value() && format.mixed_columns(),
                "a format of mixed columns");
  BITPACT_CHECK(
      found.columns.size() == Size(cols) &&
          found.rows.size() == Size(rows * RowGridBytes(format.column_grid)) &&
          found.codes.size() == Size(rows * cols),
      "arrays of the matrix's shape");
  struct Arrays {
    std::vector<std::byte> codes;
    std::vector<std::byte> rows;
    std::vector<std::byte> columns;
  };
  const auto owner = std::make_shared<Arrays>();
  owner->columns.assign(found.columns.begin(), found.columns.end());
  owner->rows.assign(found.rows.begin(), found.rows.end());
  owner->codes.resize(Size(ColumnCodeBytes(format, rows, cols)));
  const ColumnLayout layout =
      MakeColumnLayout(format.column_grid, rows, found.columns);
  if (layout.used_bytes > std::ssize(owner->codes)) {
    return InvalidArgument(
        "the columns' codes take " + std::to_string(layout.used_bytes) +
        " bytes, the rate leaves them " + std::to_string(owner->codes.size()));
  }
  std::vector<std::uint8_t> digits;
  for (const ColumnClass& some : layout.classes) {
    const std::size_t width = some.columns.size();
    digits.resize(Size(rows) * width);
    for (std::size_t c = 0; c < width; ++c) {
      const std::size_t from = Size(some.columns[c] * rows);
      for (std::size_t r = 0; r < Size(rows); ++r) {
        digits[r * width + c] = found.codes[from + r];
      }
    }
    PackDigits(some.levels,
               digits,
               std::span(owner->codes)
                   .subspan(Size(some.first_byte), Size(some.bytes)));
  }
  return PackedMatrix::FromMapped(
      format, rows, cols, {owner->codes, owner->rows, owner->columns}, owner);
}

Expected<std::shared_ptr<const ColumnLayout>> CheckColumns(
    const BitFormat& format,
    std::int64_t rows,
    std::int64_t cols,
    const StoredArrays& arrays) {
  const ColumnGrid grid = format.column_grid;
  for (const auto& check :
       {CheckLength(
            "codes", arrays.codes.size(), ColumnCodeBytes(format, rows, cols)),
        CheckLength("scales", arrays.scales.size(), rows * RowGridBytes(grid)),
        CheckLength("columns", arrays.zero_points.size(), cols)}) {
    if (!check) return tl::unexpected(check.error());
  }
  if (grid == ColumnGrid::kRange) {
    const auto ranges = CheckRanges(arrays.scales, rows);
    if (!ranges) return tl::unexpected(ranges.error());
  }
  auto layout = std::make_shared<const ColumnLayout>(
      MakeColumnLayout(grid, rows, arrays.zero_points));
  if (layout->used_bytes > std::ssize(arrays.codes)) {
    return InvalidArgument(
        "columns state levels that take " + std::to_string(layout->used_bytes) +
        " bytes of codes, there are " + std::to_string(arrays.codes.size()));
  }
  const auto rest = arrays.codes.subspan(Size(layout->used_bytes));
  if (std::ranges::any_of(rest, [](std::byte b) { return b != std::byte{}; })) {
    return Fail(ErrorCode::kDataLoss,
                "codes behind the last column's must be 0");
  }
  return layout;
}

void DequantizeColumns(const PackedMatrix& matrix,
                       std::int64_t first,
                       std::int64_t count,
                       std::span<float> out) {
  thread_local std::vector<std::uint8_t> codes;
  for (const ColumnClass& some : matrix.column_layout()->classes) {
    const std::int64_t width = std::ssize(some.columns);
    codes.resize(std::max(codes.size(), Size(count * width)));
    const std::span<std::uint8_t> part(codes.data(), Size(count * width));
    UnpackDigits(some.levels, StreamOf(matrix, some), first * width, part);
    WriteClass(matrix, some, first, count, part, out);
  }
}

int ColumnCode(const PackedMatrix& matrix, std::int64_t row, std::int64_t col) {
  const auto [some, place] = FindColumn(*matrix.column_layout(), col);
  return UnpackDigitReference(some->levels,
                              StreamOf(matrix, *some),
                              row * std::ssize(some->columns) + place);
}

void DequantizeColumnsReference(const PackedMatrix& matrix,
                                std::int64_t first,
                                std::int64_t count,
                                std::span<float> out) {
  const ColumnGrid kind = matrix.format().column_grid;
  for (std::int64_t col = 0; col < matrix.cols(); ++col) {
    const std::byte column = matrix.zero_points()[Size(col)];
    const int levels = LevelsOfColumn(kind, column);
    for (std::int64_t row = first; row < first + count; ++row) {
      const RowGrid grid = StoredRowGrid(kind, matrix.scales(), row, levels);
      float step = grid.step;
      if (kind == ColumnGrid::kScaled) {
        const auto value = std::to_integer<int>(column);
        step *= ColumnFactor(value & 15, value >> 4);
      }
      out[Size((row - first) * matrix.cols() + col)] =
          step * (static_cast<float>(ColumnCode(matrix, row, col)) - grid.zero);
    }
  }
}

}  // namespace bitpact
