// SPDX-License-Identifier: Apache-2.0
#include "quant/matmul.h"

#include <omp.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "core/threads.h"
#include "gtest/gtest.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

bool SameBits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::vector<float> Product(std::span<const float> x,
                           std::span<const float> w,
                           std::int64_t tokens,
                           std::int64_t in,
                           std::int64_t out) {
  std::vector<float> y(static_cast<std::size_t>(tokens * out));
  MatMulTransposed(x, w, y, tokens, in, out);
  return y;
}

TEST(MatMulTransposed, LiesWithinTheErrorOfFloatSums) {
  for (const std::int64_t tokens : {1, 2, 7, 17}) {
    for (const std::int64_t in : {1, 3, 16, 33, 130}) {
      for (const std::int64_t out : {1, 5, 16, 31, 64}) {
        const std::vector<float> x = NormalFloats(tokens * in, "x");
        const std::vector<float> w = NormalFloats(out * in, "w");
        std::vector<float> expected(static_cast<std::size_t>(tokens * out));
        MatMulTransposedReference(x, w, expected, tokens, in, out);
        ExpectWithin(Product(x, w, tokens, in, out),
                     expected,
                     ProductTolerances(x, w, tokens, in, out),
                     "product");
      }
    }
  }
}

TEST(MatMulTransposed, GivesARowTheSameBitsForAnyNumberOfTokens) {
  constexpr std::array<std::pair<int, int>, 6> kShapes = {
      {{33, 17}, {64, 172}, {172, 64}, {128, 512}, {300, 100}, {700, 96}}};
  for (const auto& [in, out] : kShapes) {
    constexpr std::int64_t kMost = 520;
    const std::vector<float> x = NormalFloats(kMost * in, "x");
    const std::vector<float> w = NormalFloats(out * in, "w");
    const std::vector<float> all = Product(x, w, kMost, in, out);
    for (const std::int64_t tokens :
         {1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 64, 65, 100, 128, 200, 512}) {
      const auto some =
          std::span(x).first(static_cast<std::size_t>(tokens * in));
      const std::vector<float> y = Product(some, w, tokens, in, out);
      EXPECT_TRUE(SameBits(y, std::span(all).first(y.size())))
          << in << " -> " << out << ", " << tokens << " tokens";
    }
  }
}

TEST(MatMulTransposed, GivesTheSameBitsOnAnyThread) {
  constexpr std::int64_t kTokens = 40;
  constexpr std::int64_t kIn = 96;
  constexpr std::int64_t kOut = 80;
  const std::vector<float> x = NormalFloats(kTokens * kIn, "x");
  const std::vector<float> w = NormalFloats(kOut * kIn, "w");
  const std::vector<float> alone = Product(x, w, kTokens, kIn, kOut);
  SetThreadCount(4);
  std::vector<std::vector<float>> products(16);
  ParallelFor(16, [&](std::int64_t job, int) {
    products[static_cast<std::size_t>(job)] = Product(x, w, kTokens, kIn, kOut);
  });
  SetThreadCount(0);
  for (const auto& product : products) EXPECT_TRUE(SameBits(product, alone));
}

TEST(MatMulTransposed, NeitherUsesNorChangesTheCallersOpenMpThreads) {
  constexpr std::int64_t kSize = 257;
  const std::vector<float> x = NormalFloats(kSize * kSize, "x");
  const std::vector<float> w = NormalFloats(kSize * kSize, "w");
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const std::vector<float> one = Product(x, w, kSize, kSize, kSize);
  omp_set_num_threads(3);
  const std::vector<float> three = Product(x, w, kSize, kSize, kSize);
  EXPECT_EQ(omp_get_max_threads(), 3);
  omp_set_num_threads(before);
  EXPECT_TRUE(SameBits(one, three));
}

TEST(MatMulTransposed, GivesZerosForNoInputsAndNothingForNoTokens) {
  std::vector<float> y(6, 5.0F);
  MatMulTransposed({}, {}, y, 2, 0, 3);
  EXPECT_EQ(y, std::vector<float>(6, 0.0F));
  const std::vector<float> w(3, 1.0F);
  MatMulTransposed({}, w, {}, 0, 1, 3);
}

TEST(MatMulTransposed, PassesNanOn) {
  const std::vector<float> x = {1.0F, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> w = {1.0F, 2.0F};
  const std::vector<float> y = Product(x, w, 1, 2, 1);
  EXPECT_NE(y[0], y[0]);
}

TEST(MatMulTransposedInto, LeavesWhatLiesBetweenRowsAlone) {
  const std::vector<float> x = {1.0F, 2.0F, 3.0F};
  const std::vector<float> w = {10.0F, 20.0F};
  std::vector<float> y(3 * 5 - 3, -1.0F);
  MatMulTransposedInto(
      x, w, y, {.tokens = 3, .in = 1, .out = 2, .y_stride = 5});
  EXPECT_EQ(
      y, (std::vector<float>{10, 20, -1, -1, -1, 20, 40, -1, -1, -1, 30, 60}));
}

TEST(MatMulTransposedDeathTest, ChecksItsCallersLengths) {
  const std::vector<float> x(6);
  std::vector<float> y(4);
  EXPECT_DEATH(MatMulTransposed(x, x, y, 2, 2, 2), "x is \\[tokens, in\\]");
  EXPECT_DEATH(MatMulTransposed(x, x, y, 3, 2, 3), "y is \\[tokens, out\\]");
}

TEST(AddTransposedProduct, AddsWithinTheErrorOfFloatSums) {
  for (const std::int64_t rows : {1, 7, 33}) {
    for (const std::int64_t cols : {1, 16, 40}) {
      for (const std::int64_t inner : {1, 5, 128}) {
        const std::int64_t stride = 50;
        const std::vector<float> a = NormalFloats(inner * stride, "a");
        const std::vector<float> b = NormalFloats(inner * stride, "b");
        std::vector<float> c = NormalFloats(rows * stride, "c");
        const std::vector<float> before = c;
        AddTransposedProduct(a,
                             b,
                             c,
                             {.rows = rows,
                              .cols = cols,
                              .inner = inner,
                              .a_stride = stride,
                              .b_stride = stride,
                              .c_stride = stride});
        for (std::int64_t i = 0; i < rows * stride; ++i) {
          const std::int64_t row = i / stride;
          const std::int64_t col = i % stride;
          if (col >= cols) {
            ASSERT_EQ(c[i], before[i]) << "between two rows";
            continue;
          }
          double sum = before[i];
          double size = std::abs(before[i]);
          for (std::int64_t k = 0; k < inner; ++k) {
            const double term = static_cast<double>(a[k * stride + row]) *
                                static_cast<double>(b[k * stride + col]);
            sum += term;
            size += std::abs(term);
          }
          const auto terms = static_cast<double>(inner + 2);
          ASSERT_NEAR(c[i], sum, terms * 0x1p-24 * size);
        }
      }
    }
  }
}

// As the processor rounds: to nearest, halves to even; x is not tiny.
float ToBfloat16(float x) {
  auto bits = std::bit_cast<std::uint32_t>(x);
  bits += 0x7FFFU + ((bits >> 16U) & 1U);
  return std::bit_cast<float>(bits & 0xFFFF0000U);
}

std::vector<float> ToBfloat16(std::vector<float> values) {
  for (float& value : values) value = ToBfloat16(value);
  return values;
}

class Bfloat16Products : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!IsAvailable(ProductPrecision::kBfloat16)) {
      GTEST_SKIP() << "this processor has no AVX512_BF16";
    }
  }

  static std::vector<float> Product(std::span<const float> x,
                                    std::span<const float> w,
                                    std::int64_t tokens,
                                    std::int64_t in,
                                    std::int64_t out) {
    std::vector<float> y(static_cast<std::size_t>(tokens * out));
    MatMulTransposed(x, w, y, tokens, in, out, ProductPrecision::kBfloat16);
    return y;
  }
};

TEST_F(Bfloat16Products, AreFloatSumsOverRoundedOperands) {
  for (const std::int64_t tokens : {1, 2, 7, 17, 130}) {
    for (const std::int64_t in : {1, 3, 16, 31, 33, 64, 130, 701}) {
      for (const std::int64_t out : {1, 5, 16, 31, 64, 250}) {
        const std::vector<float> x = NormalFloats(tokens * in, "x");
        const std::vector<float> w = NormalFloats(out * in, "w");
        const std::vector<float> near_x = ToBfloat16(x);
        const std::vector<float> near_w = ToBfloat16(w);
        std::vector<float> expected(static_cast<std::size_t>(tokens * out));
        MatMulTransposedReference(near_x, near_w, expected, tokens, in, out);
        ExpectWithin(Product(x, w, tokens, in, out),
                     expected,
                     ProductTolerances(near_x, near_w, tokens, in, out),
                     "product");
      }
    }
  }
}

TEST_F(Bfloat16Products, GiveARowTheSameBitsForAnyNumberOfTokens) {
  constexpr std::array<std::pair<int, int>, 5> kShapes = {
      {{33, 17}, {64, 172}, {172, 64}, {128, 512}, {1300, 96}}};
  for (const auto& [in, out] : kShapes) {
    constexpr std::int64_t kMost = 520;
    const std::vector<float> x = NormalFloats(kMost * in, "x");
    const std::vector<float> w = NormalFloats(std::int64_t{out} * in, "w");
    const std::vector<float> all = Product(x, w, kMost, in, out);
    for (const std::int64_t tokens : {1, 2, 7, 16, 31, 65, 128, 512}) {
      const std::vector<float> some =
          Product(std::span(x).first(static_cast<std::size_t>(tokens * in)),
                  w,
                  tokens,
                  in,
                  out);
      EXPECT_TRUE(SameBits(some, std::span(all).first(some.size())))
          << tokens << " x " << in << " x " << out;
    }
  }
}

TEST_F(Bfloat16Products, PassNanAndInfinityOn) {
  std::vector<float> x(66, 1.0F);
  x[40] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> w(99, 0.5F);
  w[35] = std::numeric_limits<float>::infinity();
  const std::vector<float> y = Product(x, w, 2, 33, 3);
  EXPECT_EQ(y[0], 16.5F);
  EXPECT_EQ(y[1], std::numeric_limits<float>::infinity());
  for (int i = 3; i < 6; ++i) EXPECT_TRUE(std::isnan(y[i]));
}

TEST_F(Bfloat16Products, GiveZerosForNoInputs) {
  std::vector<float> y(6, 1.0F);
  MatMulTransposed({}, {}, y, 2, 0, 3, ProductPrecision::kBfloat16);
  EXPECT_EQ(y, std::vector<float>(6, 0.0F));
}

}  // namespace
}  // namespace bitpact
