// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matrix.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/check.h"
#include "quant/column_matrix.h"
#include "quant/group_grid.h"
#include "quant/half.h"
#include "quant/kernels.h"
#include "quant/packed_matrix_writer.h"
#include "quant/row_matrix.h"

namespace bitpact {
namespace {

// Numbers and planes lie in memory as they lie on disk.
static_assert(std::endian::native == std::endian::little);

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

float LoadNumber(std::span<const std::byte> bytes,
                 std::size_t index,
                 bool is_half) {
  if (is_half) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, &bytes[2 * index], sizeof(bits));
    return FromHalfBits(bits);
  }
  float value = 0.0F;
  std::memcpy(&value, &bytes[4 * index], sizeof(value));
  return value;
}

// The parameters of group `index` (counted over all rows).
GroupGrid LoadGrid(const PackedMatrix& matrix, std::size_t index) {
  const BitFormat& format = matrix.format();
  GroupGrid grid;
  grid.scale = LoadNumber(
      matrix.scales(), index, format.scale_type == ScaleType::kFloat16);
  switch (format.zero_point_type) {
    case ZeroPointType::kNone:
      grid.zero_point = static_cast<float>(1 << (format.bits - 1));
      break;
    case ZeroPointType::kUint8:
      grid.zero_point =
          static_cast<float>(std::to_integer<int>(matrix.zero_points()[index]));
      break;
    case ZeroPointType::kFloat16:
      grid.shift = LoadNumber(matrix.zero_points(), index, true);
      break;
    case ZeroPointType::kFloat32:
      grid.shift = LoadNumber(matrix.zero_points(), index, false);
      break;
  }
  return grid;
}

// Index of the first value that is not finite, or count.
std::size_t FirstNonFinite(std::span<const std::byte> bytes, bool is_half) {
  const std::size_t count = bytes.size() / (is_half ? 2 : 4);
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(LoadNumber(bytes, i, is_half))) return i;
  }
  return count;
}

Expected<void> CheckLength(const char* array,
                           std::size_t length,
                           std::int64_t wanted) {
  if (length == Size(wanted)) return {};
  return InvalidArgument(std::string(array) + " have " +
                         std::to_string(length) + " bytes, the format takes " +
                         std::to_string(wanted));
}

Expected<void> CheckFinite(const char* array,
                           std::span<const std::byte> bytes,
                           bool is_half,
                           std::int64_t groups) {
  const std::size_t bad = FirstNonFinite(bytes, is_half);
  if (bad == bytes.size() / (is_half ? 2 : 4)) return {};
  return Fail(ErrorCode::kDataLoss,
              std::string(array) + " of row " +
                  std::to_string(bad / Size(groups)) + ", group " +
                  std::to_string(bad % Size(groups)) + " is not finite");
}

// A zero-point outside of the codes is no grid that any quantizer makes.
Expected<void> CheckWhole(const BitFormat& format,
                          std::span<const std::byte> bytes,
                          std::int64_t groups) {
  const int top = (1 << format.bits) - 1;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int value = std::to_integer<int>(bytes[i]);
    if (value <= top) continue;
    return Fail(ErrorCode::kDataLoss,
                "zero_points of row " + std::to_string(i / Size(groups)) +
                    ", group " + std::to_string(i % Size(groups)) + " = " +
                    std::to_string(value) + " violates zero-point <= " +
                    std::to_string(top) + ", the largest code");
  }
  return {};
}

Expected<void> CheckArrays(const BitFormat& format,
                           std::int64_t rows,
                           std::int64_t cols,
                           const StoredArrays& arrays) {
  const std::int64_t groups = GroupsPerRow(format, cols);
  const ZeroPointType zero_type = format.zero_point_type;
  const bool half_scales = format.scale_type == ScaleType::kFloat16;
  const bool half_shifts = zero_type == ZeroPointType::kFloat16;
  const bool float_shifts = half_shifts || zero_type == ZeroPointType::kFloat32;
  const std::array checks = {
      CheckLength(
          "codes", arrays.codes.size(), rows * RowCodeBytes(format.bits, cols)),
      CheckLength("scales",
                  arrays.scales.size(),
                  rows * groups * ScaleBytes(format.scale_type)),
      CheckLength("zero_points",
                  arrays.zero_points.size(),
                  rows * groups * ZeroPointBytes(zero_type)),
      CheckFinite("scales", arrays.scales, half_scales, groups),
      float_shifts
          ? CheckFinite("zero_points", arrays.zero_points, half_shifts, groups)
          : CheckWhole(format, arrays.zero_points, groups)};
  for (const auto& check : checks) {
    if (!check) return check;
  }
  return {};
}

}  // namespace

float RoundToStored(ScaleType type, float value) {
  return type == ScaleType::kFloat16 ? RoundToHalf(value) : value;
}

float RoundToStored(ZeroPointType type, float value) {
  return type == ZeroPointType::kFloat16 ? RoundToHalf(value) : value;
}

PackedMatrix PackedMatrix::Pack(const BitFormat& format,
                                std::int64_t rows,
                                std::int64_t cols,
                                std::span<const std::uint8_t> codes,
                                std::span<const float> scales,
                                std::span<const float> shifts) {
  PackedMatrixWriter writer(format, rows, cols);
  const std::size_t groups = Size(GroupsPerRow(format, cols));
  const std::size_t row_shifts = format.symmetric() ? 0 : groups;
  BITPACT_CHECK(codes.size() == Size(rows * cols), "codes are [rows, cols]");
  BITPACT_CHECK(scales.size() == Size(rows) * groups, "one scale a group");
  BITPACT_CHECK(shifts.size() == Size(rows) * row_shifts,
                "one shift a group, none when symmetric");
  for (std::size_t row = 0; row < Size(rows); ++row) {
    writer.WriteRow(static_cast<std::int64_t>(row),
                    codes.subspan(row * Size(cols), Size(cols)),
                    scales.subspan(row * groups, groups),
                    shifts.subspan(row * row_shifts, row_shifts));
  }
  return std::move(writer).Finish();
}

Expected<PackedMatrix> PackedMatrix::FromStored(const BitFormat& format,
                                                std::int64_t rows,
                                                std::int64_t cols,
                                                const StoredArrays& arrays) {
  Expected<PackedMatrix> seen = FromMapped(format, rows, cols, arrays, nullptr);
  if (!seen) return seen;
  if (format.mixed_columns() || format.row_mix()) return seen->Copied();
  PackedMatrixWriter copy(format, rows, cols);
  copy.Fill(arrays);
  return std::move(copy).Finish();
}

PackedMatrix PackedMatrix::Copied() const {
  const auto bytes = std::make_shared<std::array<std::vector<std::byte>, 3>>();
  const auto copy = [](std::span<const std::byte> from,
                       std::vector<std::byte>& to) {
    to.assign(from.begin(), from.end());
    return std::span<const std::byte>(to);
  };
  PackedMatrix result = *this;
  result.codes_ = copy(codes_, (*bytes)[0]);
  result.scales_ = copy(scales_, (*bytes)[1]);
  result.zero_points_ = copy(zero_points_, (*bytes)[2]);
  result.owner_ = bytes;
  if (row_layout_ != nullptr) {
    // Its segments look at the bytes.
    result.row_layout_ =
        *CheckRows(format_,
                   rows_,
                   cols_,
                   {result.codes_, result.scales_, result.zero_points_});
  }
  return result;
}

Expected<PackedMatrix> PackedMatrix::FromMapped(
    const BitFormat& format,
    std::int64_t rows,
    std::int64_t cols,
    const StoredArrays& arrays,
    std::shared_ptr<const void> owner) {
  if (const auto valid = Validate(format); !valid) {
    return tl::unexpected(valid.error());
  }
  constexpr std::int64_t kLargest = std::int64_t{1} << 30U;
  if (rows < 1 || cols < 1 || rows > kLargest || cols > kLargest) {
    return InvalidArgument("shape " + std::to_string(rows) + " x " +
                           std::to_string(cols) +
                           " violates 1 <= rows, cols <= 2^30");
  }
  PackedMatrix result;
  if (format.mixed_columns()) {
    auto layout = CheckColumns(format, rows, cols, arrays);
    if (!layout) return tl::unexpected(layout.error());
    result.column_layout_ = std::move(*layout);
  } else if (format.row_mix()) {
    auto layout = CheckRows(format, rows, cols, arrays);
    if (!layout) return tl::unexpected(layout.error());
    result.row_layout_ = std::move(*layout);
  } else if (const auto valid = CheckArrays(format, rows, cols, arrays);
             !valid) {
    return tl::unexpected(valid.error());
  }
  result.format_ = format;
  result.rows_ = rows;
  result.cols_ = cols;
  result.owner_ = std::move(owner);
  result.codes_ = arrays.codes;
  result.scales_ = arrays.scales;
  result.zero_points_ = arrays.zero_points;
  return result;
}

std::int64_t PackedMatrix::size_bytes() const {
  return static_cast<std::int64_t>(codes_.size() + scales_.size() +
                                   zero_points_.size());
}

int PackedMatrix::Code(std::int64_t row, std::int64_t col) const {
  BITPACT_DCHECK(row >= 0 && row < rows_ && col >= 0 && col < cols_,
                 "a place in the matrix");
  if (column_layout_ != nullptr) return ColumnCode(*this, row, col);
  if (row_layout_ != nullptr) return RowCode(*this, row, col);
  std::size_t start = Size(row * RowCodeBytes(format_.bits, cols_));
  unsigned code = 0;
  int shift = 0;
  for (const int plane : PlaneBits(format_.bits)) {
    if (plane == 0) break;
    const std::size_t bit = Size(col) * static_cast<std::size_t>(plane);
    const auto byte = std::to_integer<unsigned>(codes_[start + bit / 8]);
    const unsigned mask = (1U << static_cast<unsigned>(plane)) - 1U;
    code |= ((byte >> (bit % 8)) & mask) << shift;
    start += Size((cols_ * plane + 7) / 8);
    shift += plane;
  }
  return static_cast<int>(code);
}

void PackedMatrix::Dequantize(std::int64_t first,
                              std::int64_t count,
                              std::span<float> out) const {
  BITPACT_CHECK(first >= 0 && count >= 0 && first + count <= rows_,
                "rows of the matrix");
  BITPACT_CHECK(out.size() == Size(count * cols_), "out is [count, cols]");
  if (column_layout_ != nullptr) {
    return DequantizeColumns(*this, first, count, out);
  }
  if (row_layout_ != nullptr) return DequantizeRows(*this, first, count, out);
  const Kernels& kernels = BestKernels();
  const PackedShape shape = ShapeOf(*this);
  for (std::int64_t i = 0; i < count; ++i) {
    kernels.dequantize_row(
        shape, RowOf(*this, first + i), &out[Size(i * cols_)]);
  }
}

void PackedMatrix::DequantizeReference(std::int64_t first,
                                       std::int64_t count,
                                       std::span<float> out) const {
  BITPACT_CHECK(first >= 0 && count >= 0 && first + count <= rows_,
                "rows of the matrix");
  BITPACT_CHECK(out.size() == Size(count * cols_), "out is [count, cols]");
  if (column_layout_ != nullptr) {
    return DequantizeColumnsReference(*this, first, count, out);
  }
  if (row_layout_ != nullptr) {
    return DequantizeRowsReference(*this, first, count, out);
  }
  const std::int64_t groups = GroupsPerRow(format_, cols_);
  const std::int64_t width = groups == 1 ? cols_ : format_.group_size;
  for (std::int64_t row = first; row < first + count; ++row) {
    for (std::int64_t col = 0; col < cols_; ++col) {
      const GroupGrid grid = LoadGrid(*this, Size(row * groups + col / width));
      out[Size((row - first) * cols_ + col)] =
          DecodeWeight(grid, Code(row, col));
    }
  }
}

}  // namespace bitpact
