// SPDX-License-Identifier: Apache-2.0
#include "quant/panels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "quant/matmul.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

// Facts that hold at every level this processor runs.
class PanelLevels : public testing::TestWithParam<KernelLevel> {
 protected:
  // [rows, packed] with the packed operand's lanes side by side, or turned.
  [[nodiscard]] std::vector<float> Product(std::span<const float> packed,
                                           std::int64_t num_packed,
                                           std::span<const float> rows,
                                           std::int64_t num_rows,
                                           bool turned) const {
    const std::int64_t inner = std::ssize(packed) / num_packed;
    std::vector<float> y(static_cast<std::size_t>(num_packed * num_rows),
                         std::numeric_limits<float>::quiet_NaN());
    Panels panels(KernelsOf(GetParam()));
    panels.Pack(packed, num_packed, inner);
    panels.Multiply(rows,
                    num_rows,
                    {.y = y.data(),
                     .stride = turned ? num_rows : num_packed,
                     .turned = turned});
    return y;
  }
};

// Around vectors, panels of one to three of them and tiles; beyond a block.
constexpr std::array kPackedRows = {
    1, 7, 8, 9, 16, 17, 24, 31, 32, 33, 48, 49, 63, 71, 95, 113, 240, 241, 500};

TEST_P(PanelLevels, MultiplyWithinTheErrorOfFloatSums) {
  for (const std::int64_t packed : kPackedRows) {
    for (const std::int64_t rows : {1, 3, 4, 5, 8, 13, 33}) {
      for (const std::int64_t inner : {1, 3, 16, 129, 323}) {
        const std::vector<float> a = NormalFloats(packed * inner, "a");
        const std::vector<float> b = NormalFloats(rows * inner, "b");
        std::vector<float> expected(static_cast<std::size_t>(packed * rows));
        MatMulTransposedReference(b, a, expected, rows, inner, packed);
        ExpectWithin(Product(a, packed, b, rows, false),
                     expected,
                     ProductTolerances(b, a, rows, inner, packed),
                     "packed " + std::to_string(packed) + ", rows " +
                         std::to_string(rows) + ", columns " +
                         std::to_string(inner));
      }
    }
  }
}

// The order of a sum that quant/panels.h states, written down again; with a
// fused product and sum on every level but the portable one.
float SumInOrder(const float* a,
                 const float* b,
                 std::int64_t inner,
                 bool fused) {
  const std::int64_t runs = (inner + 319) / 320;
  const std::int64_t run = (inner + runs - 1) / runs;
  float total = 0.0F;
  for (std::int64_t first = 0; first < inner; first += run) {
    float sum = 0.0F;
    const std::int64_t end = std::min(first + run, inner);
    for (std::int64_t k = first; k < end; ++k) {
      const float product = a[k] * b[k];
      sum = fused ? std::fma(a[k], b[k], sum) : product + sum;
    }
    total = first == 0 ? sum : total + sum;
  }
  return total;
}

TEST_P(PanelLevels, SumInTheStatedOrderWhateverTheShape) {
  const bool fused = GetParam() != KernelLevel::kPortable;
  for (const std::int64_t inner : {5, 64, 320, 321, 700}) {
    for (const std::int64_t packed : kPackedRows) {
      for (const std::int64_t rows : {1, 6, 21, 99}) {
        const std::vector<float> a = NormalFloats(packed * inner, "a");
        const std::vector<float> b = NormalFloats(rows * inner, "b");
        const auto plain = Product(a, packed, b, rows, false);
        const auto turned = Product(a, packed, b, rows, true);
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t l = 0; l < packed; ++l) {
            const float expected =
                SumInOrder(&a[l * inner], &b[r * inner], inner, fused);
            ASSERT_EQ(plain[r * packed + l], expected)
                << packed << " packed, " << rows << " rows, " << inner;
            ASSERT_EQ(turned[l * rows + r], expected)
                << packed << " packed, " << rows << " rows, " << inner;
          }
        }
      }
    }
  }
}

TEST_P(PanelLevels, WriteInsideTheProductOnly) {
  const std::vector<float> a = NormalFloats(29 * 20, "a");
  const std::vector<float> b = NormalFloats(7 * 20, "b");
  Panels panels(KernelsOf(GetParam()));
  panels.Pack(a, 29, 20);
  // Seven rows of 29 in lines of 31, an untouched number before and behind.
  std::vector<float> y(1 + 7 * 31 + 1, -7.0F);
  panels.Multiply(b, 7, {.y = &y[1], .stride = 31});
  for (std::size_t i = 0; i < y.size(); ++i) {
    const bool outside = i == 0 || (i - 1) / 31 >= 7 || (i - 1) % 31 >= 29;
    EXPECT_EQ(y[i] == -7.0F, outside) << i;
  }
}

TEST_P(PanelLevels, PackAgainInTheSameMemory) {
  const std::vector<float> large = NormalFloats(40 * 30, "large");
  const std::vector<float> one = {2.0F, 3.0F};
  Panels panels(KernelsOf(GetParam()));
  panels.Pack(large, 40, 30);
  panels.Pack(one, 1, 2);
  float y = 0.0F;
  const std::vector<float> row = {10.0F, 100.0F};
  panels.Multiply(row, 1, {.y = &y, .stride = 1});
  EXPECT_EQ(y, 320.0F);
}

std::string LevelName(const testing::TestParamInfo<KernelLevel>& info) {
  constexpr std::array kNames = {"Portable", "Avx2", "Avx512"};
  return kNames[static_cast<std::size_t>(info.param)];
}

TEST_P(PanelLevels, GiveTheBitsThatRowsReadInPlaceGive) {
  const Kernels& kernels = KernelsOf(GetParam());
  for (const std::int64_t rows : {1, 7, 8, 9, 16, 33, 65}) {
    for (const std::int64_t inner : {1, 3, 16, 19, 320, 323, 700, 1000}) {
      for (std::int64_t few = 1; few <= kMostFewRows; ++few) {
        const std::vector<float> w = NormalFloats(rows * inner, "w");
        const std::vector<float> x = NormalFloats(few * inner, "x");
        const std::vector<float> expected = Product(w, rows, x, few, false);
        std::vector<float> y(expected.size() + 1, -7.0F);
        kernels.multiply_rows({.rows = w.data(),
                               .num_rows = rows,
                               .few = x.data(),
                               .num_few = few,
                               .inner = inner,
                               .run = RunColumns(inner),
                               .y = y.data(),
                               .y_stride = rows});
        EXPECT_EQ(
            std::memcmp(
                y.data(), expected.data(), expected.size() * sizeof(float)),
            0)
            << rows << " x " << inner << ", " << few;
        EXPECT_EQ(y.back(), -7.0F);
      }
    }
  }
}

TEST_P(PanelLevels, PackColumnsAsTheyPackRows) {
  const Kernels& kernels = KernelsOf(GetParam());
  for (const std::int64_t rows : kPackedRows) {
    constexpr std::int64_t kInner = 21;
    const std::vector<float> a = NormalFloats(rows * kInner, "a");
    std::vector<float> turned(a.size());
    kernels.turn(a.data(), kInner, rows, kInner, turned.data(), rows);
    const auto padded = static_cast<std::size_t>(
        (rows + kernels.lanes - 1) / kernels.lanes * kernels.lanes * kInner);
    std::vector<float> from_rows(padded);
    std::vector<float> from_columns(padded, -7.0F);
    kernels.pack_panels(a.data(), kInner, rows, kInner, from_rows.data());
    kernels.pack_columns(
        turned.data(), rows, rows, kInner, from_columns.data());
    EXPECT_EQ(from_rows, from_columns) << rows;
  }
}

INSTANTIATE_TEST_SUITE_P(Levels,
                         PanelLevels,
                         testing::ValuesIn(AvailableKernelLevels()),
                         LevelName);

}  // namespace
}  // namespace bitpact
