// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matrix_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/check.h"
#include "quant/half.h"
#include "quant/kernels.h"

namespace bitpact {
namespace {

// Numbers and planes lie in memory as they lie on disk.
static_assert(std::endian::native == std::endian::little);

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

void StoreNumbers(std::span<const float> values,
                  bool is_half,
                  std::span<std::byte> bytes) {
  if (values.empty()) return;  // memcpy takes no null pointers
  if (!is_half) {
    std::memcpy(bytes.data(), values.data(), values.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t half = HalfBits(values[i]);
    std::memcpy(&bytes[2 * i], &half, sizeof(half));
  }
}

// The low kPlane bits of each of eight bytes.
template <int kPlane>
constexpr std::uint64_t kPlaneMask = ((1U << unsigned{kPlane}) - 1U) *
                                     0x0101010101010101U;

// These bits side by side.
template <int kPlane>
std::uint64_t Compress(std::uint64_t bytes) {
  if constexpr (kPlane == 1) {
    return bytes * 0x0102040810204080U >> 56U;
  } else if constexpr (kPlane == 2) {
    bytes = (bytes | bytes >> 6U) & 0x000f000f000f000fU;
    bytes = (bytes | bytes >> 12U) & 0x000000ff000000ffU;
    return bytes | bytes >> 24U;
  } else if constexpr (kPlane == 4) {
    bytes = (bytes | bytes >> 4U) & 0x00ff00ff00ff00ffU;
    bytes = (bytes | bytes >> 8U) & 0x0000ffff0000ffffU;
    return bytes | bytes >> 16U;
  } else {
    return bytes;
  }
}

// Bits [shift, shift + kPlane) of the codes from the i-th on into `out`, eight
// codes at a time; returns how many codes are done.
template <int kPlane>
std::size_t PackEights(std::span<const std::uint8_t> codes,
                       int shift,
                       std::size_t i,
                       std::span<std::byte> out) {
  for (; i + 8 <= codes.size(); i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, &codes[i], sizeof(eight));
    eight = (eight >> shift) & kPlaneMask<kPlane>;
    const std::uint64_t packed = Compress<kPlane>(eight);
    std::memcpy(&out[i / 8 * kPlane], &packed, kPlane);
  }
  return i;
}

#if defined(__x86_64__)
// The same for 32 codes at a time.
template <int kPlane>
__attribute__((target("avx2"))) std::size_t PackThirtyTwos(
    std::span<const std::uint8_t> codes, int shift, std::span<std::byte> out) {
  const __m128i count = _mm_cvtsi32_si128(shift);
  const __m256i mask = _mm256_set1_epi8(static_cast<char>(kPlaneMask<kPlane>));
  std::size_t i = 0;
  for (; i + 32 <= codes.size(); i += 32) {
    auto* to = &out[i / 8 * kPlane];
    // What 16-bit shifts push into a neighbour is masked away.
    __m256i bits = _mm256_and_si256(
        _mm256_srl_epi16(
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&codes[i])),
            count),
        mask);
    if constexpr (kPlane == 1) {
      const int packed = _mm256_movemask_epi8(_mm256_slli_epi16(bits, 7));
      std::memcpy(to, &packed, sizeof(packed));
    } else if constexpr (kPlane == 2) {
      // Two codes in 16 bits, then four in 32, whose lowest bytes are wanted.
      bits = _mm256_maddubs_epi16(bits, _mm256_set1_epi16(0x0401));
      bits = _mm256_madd_epi16(bits, _mm256_set1_epi32(0x00100001));
      bits = _mm256_packus_epi32(bits, bits);
      bits = _mm256_packus_epi16(bits, bits);
      const auto low = static_cast<std::uint32_t>(
          _mm_cvtsi128_si32(_mm256_castsi256_si128(bits)));
      const auto high = static_cast<std::uint32_t>(
          _mm_cvtsi128_si32(_mm256_extracti128_si256(bits, 1)));
      std::memcpy(to, &low, sizeof(low));
      std::memcpy(to + sizeof(low), &high, sizeof(high));
    } else if constexpr (kPlane == 4) {
      bits = _mm256_maddubs_epi16(bits, _mm256_set1_epi16(0x1001));
      bits = _mm256_permute4x64_epi64(_mm256_packus_epi16(bits, bits), 0x08);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                       _mm256_castsi256_si128(bits));
    } else {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bits);
    }
  }
  return i;
}
#endif

// Bits [shift, shift + kPlane) of each code into `out`, which starts as zeros.
template <int kPlane>
void PackPlane(std::span<const std::uint8_t> codes,
               int shift,
               std::span<std::byte> out) {
  std::size_t i = 0;
#if defined(__x86_64__)
  static const bool has_avx2 =
      AvailableKernelLevels().back() != KernelLevel::kPortable;
  if (has_avx2) i = PackThirtyTwos<kPlane>(codes, shift, out);
#endif
  i = PackEights<kPlane>(codes, shift, i, out);
  for (; i < codes.size(); ++i) {
    out[i * kPlane / 8] |= static_cast<std::byte>(
        ((codes[i] >> shift) & (kPlaneMask<kPlane> & 0xffU))
        << (i * kPlane % 8));
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
    switch (plane) {
      case 1:
        PackPlane<1>(codes, shift, row.first(bytes));
        break;
      case 2:
        PackPlane<2>(codes, shift, row.first(bytes));
        break;
      case 4:
        PackPlane<4>(codes, shift, row.first(bytes));
        break;
      default:
        PackPlane<8>(codes, shift, row.first(bytes));
        break;
    }
    row = row.subspan(bytes);
    shift += plane;
  }
}

// Part `row` of an array of `rows` equal parts.
std::span<std::byte> RowPart(std::span<std::byte> array,
                             std::int64_t row,
                             std::int64_t rows) {
  const std::size_t bytes = array.size() / Size(rows);
  return array.subspan(Size(row) * bytes, bytes);
}

}  // namespace

PackedMatrixWriter::Bytes::Bytes(std::int64_t size)
    : bytes_(static_cast<std::byte*>(std::calloc(Size(size) + 1, 1))),
      size_(Size(size)) {
  if (bytes_ == nullptr) throw std::bad_alloc();
}

PackedMatrixWriter::PackedMatrixWriter(const BitFormat& format,
                                       std::int64_t rows,
                                       std::int64_t cols)
    : format_(format), rows_(rows), cols_(cols) {
  BITPACT_CHECK(Validate(format).has_value(), "a valid format");
  BITPACT_CHECK(!format.mixed_columns() && !format.row_mix(),
                "one width for all weights");
  BITPACT_CHECK(rows > 0 && cols > 0, "a matrix has rows and columns");
  const std::int64_t groups = rows * GroupsPerRow(format, cols);
  arrays_ = std::make_shared<Arrays>(
      Arrays{Bytes(rows * RowCodeBytes(format.bits, cols)),
             Bytes(groups * ScaleBytes(format.scale_type)),
             Bytes(groups * ZeroPointBytes(format.zero_point_type))});
}

PackedMatrix PackedMatrixWriter::Finish() && {
  PackedMatrix matrix;
  matrix.format_ = format_;
  matrix.rows_ = rows_;
  matrix.cols_ = cols_;
  matrix.codes_ = arrays_->codes.span();
  matrix.scales_ = arrays_->scales.span();
  matrix.zero_points_ = arrays_->zero_points.span();
  matrix.owner_ = std::move(arrays_);
  return matrix;
}

void PackedMatrixWriter::Fill(const StoredArrays& arrays) {
  const auto copy = [](std::span<const std::byte> from,
                       std::span<std::byte> to) {
    BITPACT_CHECK(from.size() == to.size(), "arrays of the format's lengths");
    std::ranges::copy(from, to.begin());
  };
  copy(arrays.codes, arrays_->codes.span());
  copy(arrays.scales, arrays_->scales.span());
  copy(arrays.zero_points, arrays_->zero_points.span());
}

void PackedMatrixWriter::WriteRow(std::int64_t row,
                                  std::span<const std::uint8_t> codes,
                                  std::span<const float> scales,
                                  std::span<const float> shifts) {
  const BitFormat& format = format_;
  const std::int64_t rows = rows_;
  const std::size_t groups = Size(GroupsPerRow(format, cols_));
  BITPACT_CHECK(row >= 0 && row < rows, "a row of the matrix");
  BITPACT_CHECK(codes.size() == Size(cols_), "one code a column");
  BITPACT_CHECK(scales.size() == groups, "one scale a group");
  BITPACT_CHECK(shifts.size() == (format.symmetric() ? 0 : groups),
                "one shift a group, none when symmetric");
  PackRow(format.bits, codes, RowPart(arrays_->codes.span(), row, rows));
  StoreNumbers(scales,
               format.scale_type == ScaleType::kFloat16,
               RowPart(arrays_->scales.span(), row, rows));
  const std::span<std::byte> out =
      RowPart(arrays_->zero_points.span(), row, rows);
  if (format.zero_point_type == ZeroPointType::kUint8) {
    for (std::size_t i = 0; i < shifts.size(); ++i) {
      BITPACT_DCHECK(shifts[i] >= 0.0F && shifts[i] <= 255.0F,
                     "a zero-point is 0..255");
      out[i] = static_cast<std::byte>(shifts[i]);
    }
  } else {
    StoreNumbers(
        shifts, format.zero_point_type == ZeroPointType::kFloat16, out);
  }
}

}  // namespace bitpact
