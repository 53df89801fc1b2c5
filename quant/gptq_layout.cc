// SPDX-License-Identifier: Apache-2.0
#include "quant/gptq_layout.h"

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "Eigen/Core"
#include "core/check.h"
#include "quant/packed_matrix_writer.h"

namespace bitpact {
namespace {

constexpr std::int64_t kWordBits = 32;

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

// A line of codes in words that lie `stride` apart.
class BitLine {
 public:
  BitLine(std::uint32_t* words, std::int64_t stride, int bits)
      : words_(words), stride_(stride), bits_(bits) {}

  // The words start as zeros.
  void Put(std::int64_t index, unsigned code) const {
    const std::int64_t at = index * bits_;
    const auto shift = static_cast<unsigned>(at % kWordBits);
    words_[at / kWordBits * stride_] |= code << shift;
    if (static_cast<std::int64_t>(shift) + bits_ > kWordBits) {
      words_[(at / kWordBits + 1) * stride_] |= code >> (32U - shift);
    }
  }

  [[nodiscard]] unsigned Get(std::int64_t index) const {
    const std::int64_t at = index * bits_;
    const auto shift = static_cast<unsigned>(at % kWordBits);
    std::uint64_t pair = words_[at / kWordBits * stride_];
    if (static_cast<std::int64_t>(shift) + bits_ > kWordBits) {
      pair |= std::uint64_t{words_[(at / kWordBits + 1) * stride_]} << 32U;
    }
    return static_cast<unsigned>(pair >> shift) &
           ((1U << unsigned(bits_)) - 1U);
  }

 private:
  std::uint32_t* words_;
  std::int64_t stride_;
  std::int64_t bits_;
};

std::vector<std::uint32_t> Words(std::span<const std::byte> bytes) {
  std::vector<std::uint32_t> words(bytes.size() / 4);
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

// Which group a file's inputs belong to; must be runs of the group size.
Expected<void> CheckGroups(std::span<const std::byte> bytes,
                           std::int64_t width,
                           std::int64_t groups) {
  const std::vector<std::uint32_t> index = Words(bytes);
  bool runs = true;
  for (std::size_t i = 0; i < index.size(); ++i) {
    if (index[i] >= static_cast<std::uint64_t>(groups)) {
      return Fail(ErrorCode::kDataLoss,
                  "g_idx of input " + std::to_string(i) + " = " +
                      std::to_string(static_cast<std::int32_t>(index[i])) +
                      " violates 0 <= g_idx < " + std::to_string(groups));
    }
    runs = runs && index[i] == i / Size(width);
  }
  if (runs) return {};
  return Fail(ErrorCode::kUnsupported,
              "g_idx groups inputs that do not lie side by side (activation "
              "order without static groups), which packed matrices cannot "
              "hold");
}

Expected<void> CheckLengths(const BitFormat& format,
                            std::int64_t rows,
                            std::int64_t cols,
                            const StoredGptqArrays& arrays) {
  if (!IsGptqWidth(format.bits) || rows % kWordBits != 0 ||
      cols % kWordBits != 0) {
    return InvalidArgument(
        "bits = " + std::to_string(format.bits) + ", shape " +
        std::to_string(rows) + " x " + std::to_string(cols) +
        ": GPTQ files have 2, 3, 4 or 8 bits and multiples of 32");
  }
  const std::int64_t groups = GroupsPerRow(format, cols);
  const std::array<std::pair<const char*, std::pair<std::size_t, std::int64_t>>,
                   4>
      lengths = {
          {{"qweight", {arrays.qweight.size(), cols * format.bits / 8 * rows}},
           {"qzeros", {arrays.qzeros.size(), groups * rows * format.bits / 8}},
           {"scales", {arrays.scales.size(), groups * rows * 2}},
           {"g_idx", {arrays.g_idx.size(), cols * 4}}}};
  for (const auto& [name, length] : lengths) {
    if (length.first == Size(length.second)) continue;
    return InvalidArgument(
        std::string(name) + " has " + std::to_string(length.first) +
        " bytes, the format takes " + std::to_string(length.second));
  }
  return {};
}

float HalfAt(std::span<const std::byte> bytes, std::int64_t index) {
  std::uint16_t half = 0;
  std::memcpy(&half, &bytes[Size(2 * index)], sizeof(half));
  return static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(half));
}

// v1 -> 1, v2 -> 0: what was taken off a zero-point.
unsigned StoredOffset(int version) { return version == 1 ? 1U : 0U; }

}  // namespace

GptqArrays ToGptqArrays(const PackedMatrix& packed) {
  const BitFormat& format = packed.format();
  const std::int64_t rows = packed.rows();
  const std::int64_t cols = packed.cols();
  const std::int64_t groups = GroupsPerRow(format, cols);
  const std::int64_t width = groups == 1 ? cols : format.group_size;
  BITPACT_CHECK(IsGptqWidth(format.bits) && rows % kWordBits == 0 &&
                    cols % kWordBits == 0,
                "2, 3, 4 or 8 bits and multiples of 32");
  BITPACT_CHECK(format.scale_type == ScaleType::kFloat16 &&
                    (format.symmetric() ||
                     format.zero_point_type == ZeroPointType::kUint8),
                "float16 scales, integer zero-points");
  const unsigned mask = (1U << static_cast<unsigned>(format.bits)) - 1U;
  const std::int64_t zero_words = rows * format.bits / kWordBits;
  GptqArrays arrays;
  arrays.qweight.resize(Size(cols * format.bits / kWordBits * rows));
  arrays.qzeros.resize(Size(groups * zero_words));
  arrays.scales = ToGptqScales(packed);
  for (std::int64_t row = 0; row < rows; ++row) {
    const BitLine line(&arrays.qweight[Size(row)], rows, format.bits);
    for (std::int64_t col = 0; col < cols; ++col) {
      line.Put(col, static_cast<unsigned>(packed.Code(row, col)));
    }
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::size_t at = Size(row * groups + group);
      const unsigned zero =
          format.symmetric()
              ? (mask + 1U) / 2U
              : std::to_integer<unsigned>(packed.zero_points()[at]);
      arrays.wrapped_zeros += zero == 0 ? 1 : 0;
      BitLine(&arrays.qzeros[Size(group * zero_words)], 1, format.bits)
          .Put(row, (zero - StoredOffset(1)) & mask);
    }
  }
  for (std::int64_t col = 0; col < cols; ++col) {
    arrays.g_idx.push_back(static_cast<std::int32_t>(col / width));
  }
  return arrays;
}

std::vector<std::byte> ToGptqScales(const PackedMatrix& packed) {
  const std::int64_t rows = packed.rows();
  const std::int64_t groups = GroupsPerRow(packed.format(), packed.cols());
  BITPACT_CHECK(packed.format().scale_type == ScaleType::kFloat16,
                "float16 scales");
  std::vector<std::byte> scales(Size(groups * rows * 2));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t group = 0; group < groups; ++group) {
      std::memcpy(&scales[Size(2 * (group * rows + row))],
                  &packed.scales()[Size(2 * (row * groups + group))],
                  2);
    }
  }
  return scales;
}

Expected<PackedMatrix> FromGptqArrays(const BitFormat& format,
                                      std::int64_t rows,
                                      std::int64_t cols,
                                      const StoredGptqArrays& arrays,
                                      int version) {
  if (auto valid = CheckLengths(format, rows, cols, arrays); !valid) {
    return tl::unexpected(valid.error());
  }
  const std::int64_t groups = GroupsPerRow(format, cols);
  const std::int64_t width = groups == 1 ? cols : format.group_size;
  if (auto valid = CheckGroups(arrays.g_idx, width, groups); !valid) {
    return tl::unexpected(valid.error());
  }
  std::vector<std::uint32_t> qweight = Words(arrays.qweight);
  std::vector<std::uint32_t> qzeros = Words(arrays.qzeros);
  const unsigned mask = (1U << static_cast<unsigned>(format.bits)) - 1U;
  const std::int64_t zero_words = rows * format.bits / kWordBits;
  PackedMatrixWriter writer(format, rows, cols);
  std::vector<std::uint8_t> codes(Size(cols));
  std::vector<float> scales(Size(groups));
  std::vector<float> zeros(format.symmetric() ? 0 : Size(groups));
  for (std::int64_t row = 0; row < rows; ++row) {
    const BitLine line(&qweight[Size(row)], rows, format.bits);
    for (std::int64_t col = 0; col < cols; ++col) {
      codes[Size(col)] = static_cast<std::uint8_t>(line.Get(col));
    }
    for (std::int64_t group = 0; group < groups; ++group) {
      const auto place = [&] {
        return " of output " + std::to_string(row) + ", group " +
               std::to_string(group);
      };
      const float scale = HalfAt(arrays.scales, group * rows + row);
      if (!std::isfinite(scale)) {
        return Fail(ErrorCode::kDataLoss,
                    "scales" + place() + " is not finite");
      }
      scales[Size(group)] = scale;
      const unsigned zero =
          (BitLine(&qzeros[Size(group * zero_words)], 1, format.bits).Get(row) +
           StoredOffset(version)) &
          mask;
      if (!format.symmetric()) {
        zeros[Size(group)] = static_cast<float>(zero);
      } else if (zero != (mask + 1U) / 2U) {
        return Fail(ErrorCode::kDataLoss,
                    "zero-point" + place() + " = " + std::to_string(zero) +
                        ": the configuration says symmetric, " +
                        std::to_string((mask + 1U) / 2U));
      }
    }
    writer.WriteRow(row, codes, scales, zeros);
  }
  return std::move(writer).Finish();
}

}  // namespace bitpact
