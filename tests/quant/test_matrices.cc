// SPDX-License-Identifier: Apache-2.0
#include "test_matrices.h"

#include <cmath>

#include "core/random.h"
#include "gtest/gtest.h"

namespace bitpact {

std::vector<float> NormalFloats(std::int64_t count, const std::string& name) {
  RandomStream stream(1, name);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(stream.Normal());
  return values;
}

PackedMatrix RandomPacked(const BitFormat& format,
                          std::int64_t rows,
                          std::int64_t cols) {
  RandomStream stream(2, FormatName(format));
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(rows * cols));
  for (std::uint8_t& code : codes) {
    code = static_cast<std::uint8_t>(stream.UniformInt(1 << format.bits));
  }
  const auto groups =
      static_cast<std::size_t>(rows * GroupsPerRow(format, cols));
  std::vector<float> scales(groups);
  for (float& scale : scales) {
    scale = static_cast<float>(0.01 + stream.Uniform());
  }
  std::vector<float> shifts(format.symmetric() ? 0 : groups);
  for (float& shift : shifts) {
    shift = format.zero_point_type == ZeroPointType::kUint8
                ? static_cast<float>(stream.UniformInt(1 << format.bits))
                : static_cast<float>(stream.Normal());
  }
  return PackedMatrix::Pack(format, rows, cols, codes, scales, shifts);
}

std::vector<BitFormat> FormatsWithGroup(int group_size) {
  std::vector<BitFormat> formats;
  for (int bits = 2; bits <= 8; ++bits) {
    for (const auto zero_point : {ZeroPointType::kNone,
                                  ZeroPointType::kUint8,
                                  ZeroPointType::kFloat16,
                                  ZeroPointType::kFloat32}) {
      for (const auto scale : {ScaleType::kFloat16, ScaleType::kFloat32}) {
        formats.push_back({bits, group_size, scale, zero_point});
      }
    }
  }
  return formats;
}

std::vector<float> DequantizedReference(const PackedMatrix& matrix) {
  std::vector<float> values(
      static_cast<std::size_t>(matrix.rows() * matrix.cols()));
  matrix.DequantizeReference(0, matrix.rows(), values);
  return values;
}

namespace {

PackedMatrix WithCodesZero(const PackedMatrix& w) {
  const std::vector<std::byte> codes(w.codes().size());
  return *PackedMatrix::FromStored(
      w.format(), w.rows(), w.cols(), {codes, w.scales(), w.zero_points()});
}

}  // namespace

std::vector<float> CorrelatedHessian(std::int64_t cols,
                                     std::int64_t tokens,
                                     const std::string& name) {
  std::vector<float> x = NormalFloats(tokens * cols, name);
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t c = 0; c < cols; ++c) {
      const float before = c == 0 ? 0.0F : x[t * cols + c - 1];
      const float size = 0.2F + static_cast<float>(c * 13 % 17) / 8.0F;
      x[t * cols + c] = 0.7F * before + size * x[t * cols + c];
    }
  }
  std::vector<float> hessian(static_cast<std::size_t>(cols * cols));
  for (std::int64_t i = 0; i < cols; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      double sum = 0.0;
      for (std::int64_t t = 0; t < tokens; ++t) {
        sum += static_cast<double>(x[t * cols + i]) *
               static_cast<double>(x[t * cols + j]);
      }
      hessian[i * cols + j] =
          static_cast<float>(2.0 * sum / static_cast<double>(tokens));
    }
  }
  return hessian;
}

std::vector<float> Identity(std::int64_t cols, float value) {
  std::vector<float> hessian(static_cast<std::size_t>(cols * cols), 0.0F);
  for (std::int64_t i = 0; i < cols; ++i) hessian[i * cols + i] = value;
  return hessian;
}

std::vector<double> ProductTolerances(std::span<const float> x,
                                      std::span<const float> w,
                                      std::int64_t tokens,
                                      std::int64_t in,
                                      std::int64_t out) {
  const double nu = static_cast<double>(in + 2) * 0x1p-24;
  std::vector<double> tolerances;
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t o = 0; o < out; ++o) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < in; ++i) {
        sum += std::abs(static_cast<double>(x[t * in + i]) *
                        static_cast<double>(w[o * in + i]));
      }
      tolerances.push_back(nu / (1.0 - nu) * sum);
    }
  }
  return tolerances;
}

std::vector<double> SplitProductTolerances(std::span<const float> x,
                                           const PackedMatrix& w,
                                           std::int64_t tokens) {
  const std::int64_t cols = w.cols();
  // w^ = scale * (q - z) - shift: code 0's value is the negative shift.
  const std::vector<float> values = DequantizedReference(w);
  const std::vector<float> zeros = DequantizedReference(WithCodesZero(w));
  const double nu = static_cast<double>(cols + 5) * 0x1p-24;
  std::vector<double> tolerances;
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t r = 0; r < w.rows(); ++r) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < cols; ++i) {
        const double value = values[r * cols + i];
        const double zero = zeros[r * cols + i];
        sum += std::abs(static_cast<double>(x[t * cols + i])) *
               (std::abs(value - zero) + std::abs(zero));
      }
      tolerances.push_back(nu / (1.0 - nu) * sum);
    }
  }
  return tolerances;
}

void ExpectWithin(std::span<const float> y,
                  std::span<const float> expected,
                  std::span<const double> tolerances,
                  const std::string& what) {
  ASSERT_EQ(y.size(), expected.size()) << what;
  for (std::size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], expected[i], tolerances[i]) << what << ", entry " << i;
  }
}

}  // namespace bitpact
