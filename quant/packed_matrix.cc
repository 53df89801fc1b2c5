// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matrix.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "Eigen/Core"
#include "core/check.h"
#include "quant/group_grid.h"
#include "quant/kernels.h"

namespace bitpact {
namespace {

// Numbers and planes lie in memory as they lie on disk.
static_assert(std::endian::native == std::endian::little);

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

std::uint16_t HalfBits(float value) {
  return Eigen::numext::bit_cast<std::uint16_t>(Eigen::half(value));
}

float FromHalfBits(std::uint16_t bits) {
  return static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(bits));
}

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

std::vector<std::byte> StoreNumbers(std::span<const float> values,
                                    bool is_half) {
  std::vector<std::byte> bytes(values.size() * (is_half ? 2 : 4));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_half) {
      const std::uint16_t half = HalfBits(values[i]);
      std::memcpy(&bytes[2 * i], &half, sizeof(half));
    } else {
      std::memcpy(&bytes[4 * i], &values[i], sizeof(float));
    }
  }
  return bytes;
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

// The low `plane` bits of eight bytes, side by side.
std::uint64_t Compress(std::uint64_t bytes, int plane) {
  switch (plane) {
    case 1:
      return bytes * 0x0102040810204080U >> 56U;
    case 2:
      bytes = (bytes | bytes >> 6U) & 0x000f000f000f000fU;
      bytes = (bytes | bytes >> 12U) & 0x000000ff000000ffU;
      return bytes | bytes >> 24U;
    case 4:
      bytes = (bytes | bytes >> 4U) & 0x00ff00ff00ff00ffU;
      bytes = (bytes | bytes >> 8U) & 0x0000ffff0000ffffU;
      return bytes | bytes >> 16U;
    default:
      return bytes;
  }
}

// Bits [shift, shift + plane) of each code into `out`, which starts as zeros.
void PackPlane(std::span<const std::uint8_t> codes,
               int shift,
               int plane,
               std::span<std::byte> out) {
  const auto width = static_cast<std::size_t>(plane);
  const std::uint64_t mask = (1U << static_cast<unsigned>(plane)) - 1U;
  std::size_t i = 0;
  for (; i + 8 <= codes.size(); i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, &codes[i], sizeof(eight));
    eight = (eight >> shift) & (mask * 0x0101010101010101U);
    const std::uint64_t packed = Compress(eight, plane);
    std::memcpy(&out[i / 8 * width], &packed, width);
  }
  for (; i < codes.size(); ++i) {
    out[i * width / 8] |=
        static_cast<std::byte>(((codes[i] >> shift) & mask) << (i * width % 8));
  }
}

// Codes of one row into its planes; `row` starts as zeros.
void PackRow(int bits,
             std::span<const std::uint8_t> codes,
             std::span<std::byte> row) {
  int shift = 0;
  for (const int plane : PlaneBits(bits)) {
    if (plane == 0) break;
    const std::size_t bytes =
        (codes.size() * static_cast<std::size_t>(plane) + 7) / 8;
    PackPlane(codes, shift, plane, row.first(bytes));
    row = row.subspan(bytes);
    shift += plane;
  }
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

}  // namespace

float RoundToStored(ScaleType type, float value) {
  return type == ScaleType::kFloat16 ? FromHalfBits(HalfBits(value)) : value;
}

float RoundToStored(ZeroPointType type, float value) {
  return type == ZeroPointType::kFloat16 ? FromHalfBits(HalfBits(value))
                                         : value;
}

PackedMatrix PackedMatrix::Pack(const BitFormat& format,
                                std::int64_t rows,
                                std::int64_t cols,
                                std::span<const std::uint8_t> codes,
                                std::span<const float> scales,
                                std::span<const float> shifts) {
  BITPACT_CHECK(Validate(format).has_value(), "a valid format");
  BITPACT_CHECK(rows > 0 && cols > 0, "a matrix has rows and columns");
  const std::int64_t groups = rows * GroupsPerRow(format, cols);
  BITPACT_CHECK(codes.size() == Size(rows * cols), "codes are [rows, cols]");
  BITPACT_CHECK(scales.size() == Size(groups), "one scale a group");
  BITPACT_CHECK(shifts.size() == (format.symmetric() ? 0 : Size(groups)),
                "one shift a group, none when symmetric");
  PackedMatrix result;
  result.format_ = format;
  result.rows_ = rows;
  result.cols_ = cols;
  const std::size_t row_bytes = Size(RowCodeBytes(format.bits, cols));
  result.codes_.resize(Size(rows) * row_bytes);
  for (std::size_t row = 0; row < Size(rows); ++row) {
    PackRow(format.bits,
            codes.subspan(row * Size(cols), Size(cols)),
            std::span(result.codes_).subspan(row * row_bytes, row_bytes));
  }
  result.scales_ =
      StoreNumbers(scales, format.scale_type == ScaleType::kFloat16);
  if (format.zero_point_type == ZeroPointType::kUint8) {
    result.zero_points_.resize(shifts.size());
    std::ranges::transform(shifts, result.zero_points_.begin(), [](float z) {
      BITPACT_DCHECK(z >= 0.0F && z <= 255.0F, "a zero-point is 0..255");
      return static_cast<std::byte>(z);
    });
  } else {
    result.zero_points_ =
        StoreNumbers(shifts, format.zero_point_type == ZeroPointType::kFloat16);
  }
  return result;
}

Expected<PackedMatrix> PackedMatrix::FromStored(
    const BitFormat& format,
    std::int64_t rows,
    std::int64_t cols,
    std::span<const std::byte> codes,
    std::span<const std::byte> scales,
    std::span<const std::byte> zero_points) {
  if (const auto valid = Validate(format); !valid) {
    return tl::unexpected(valid.error());
  }
  constexpr std::int64_t kLargest = std::int64_t{1} << 30U;
  if (rows < 1 || cols < 1 || rows > kLargest || cols > kLargest) {
    return InvalidArgument("shape " + std::to_string(rows) + " x " +
                           std::to_string(cols) +
                           " violates 1 <= rows, cols <= 2^30");
  }
  const std::int64_t groups = GroupsPerRow(format, cols);
  const bool half_scales = format.scale_type == ScaleType::kFloat16;
  const bool half_shifts = format.zero_point_type == ZeroPointType::kFloat16;
  const bool float_shifts =
      half_shifts || format.zero_point_type == ZeroPointType::kFloat32;
  const std::array checks = {
      CheckLength(
          "codes", codes.size(), rows * RowCodeBytes(format.bits, cols)),
      CheckLength("scales",
                  scales.size(),
                  rows * groups * ScaleBytes(format.scale_type)),
      CheckLength("zero_points",
                  zero_points.size(),
                  rows * groups * ZeroPointBytes(format.zero_point_type)),
      CheckFinite("scales", scales, half_scales, groups),
      float_shifts
          ? CheckFinite("zero_points", zero_points, half_shifts, groups)
          : Expected<void>()};
  for (const auto& check : checks) {
    if (!check) return tl::unexpected(check.error());
  }
  PackedMatrix result;
  result.format_ = format;
  result.rows_ = rows;
  result.cols_ = cols;
  result.codes_.assign(codes.begin(), codes.end());
  result.scales_.assign(scales.begin(), scales.end());
  result.zero_points_.assign(zero_points.begin(), zero_points.end());
  return result;
}

std::int64_t PackedMatrix::size_bytes() const {
  return static_cast<std::int64_t>(codes_.size() + scales_.size() +
                                   zero_points_.size());
}

int PackedMatrix::Code(std::int64_t row, std::int64_t col) const {
  BITPACT_DCHECK(row >= 0 && row < rows_ && col >= 0 && col < cols_,
                 "a place in the matrix");
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
