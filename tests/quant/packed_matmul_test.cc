// SPDX-License-Identifier: Apache-2.0
#include "quant/packed_matmul.h"

#include <cstring>
#include <string>
#include <vector>

#include "core/threads.h"
#include "gtest/gtest.h"
#include "quant/matmul.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

std::vector<float> Product(std::span<const float> x,
                           const PackedMatrix& w,
                           std::int64_t tokens) {
  std::vector<float> y(static_cast<std::size_t>(tokens * w.rows()));
  PackedMatMul(
      x.first(static_cast<std::size_t>(tokens * w.cols())), w, y, tokens);
  return y;
}

void ExpectMatchesReference(const BitFormat& format,
                            std::int64_t rows,
                            std::int64_t cols,
                            std::int64_t tokens) {
  const PackedMatrix matrix = RandomPacked(format, rows, cols);
  const std::vector<float> w = DequantizedReference(matrix);
  const std::vector<float> x = NormalFloats(tokens * cols, "x");
  std::vector<float> expected(static_cast<std::size_t>(tokens * rows));
  MatMulTransposedReference(x, w, expected, tokens, cols, rows);
  ExpectWithin(Product(x, matrix, tokens),
               expected,
               tokens <= kMostFusedTokens
                   ? SplitProductTolerances(x, matrix, tokens)
                   : ProductTolerances(x, w, tokens, cols, rows),
               FormatName(format) + " " + std::to_string(tokens) + " x " +
                   std::to_string(cols) + " x " + std::to_string(rows));
}

TEST(PackedMatMul, LiesWithinTheErrorOfFloatSumsInEveryFormat) {
  for (const BitFormat& format : FormatsWithGroup(32)) {
    ExpectMatchesReference(format, 37, 100, 1);
    ExpectMatchesReference(format, 37, 100, 9);
  }
}

TEST(PackedMatMul, LiesWithinTheErrorOfFloatSumsForOddShapes) {
  for (const std::int64_t rows : {1, 3, 16, 65}) {
    for (const std::int64_t cols : {1, 9, 33, 130}) {
      for (const std::int64_t tokens : {1, 2, 7, 8, 9, 33}) {
        ExpectMatchesReference(
            {.bits = 3, .group_size = 20}, rows, cols, tokens);
      }
    }
  }
}

// 2 MiB hold 100 rows of 5,242 columns, fewer than the least tile of 128 rows.
TEST(PackedMatMul, JoinsTiles) {
  ExpectMatchesReference({.bits = 2, .group_size = 64}, 150, 5242, 8);
  ExpectMatchesReference({.bits = 4, .group_size = 64}, 1300, 500, 8);
}

TEST(PackedMatMul, GivesATokenTheSameBitsOnEachSideOfTheChange) {
  constexpr std::int64_t kMost = 40;
  for (const int bits : {2, 3, 4, 8}) {
    const PackedMatrix matrix =
        RandomPacked({.bits = bits, .group_size = 64}, 50, 200);
    const std::vector<float> x = NormalFloats(kMost * 200, "x");
    const std::vector<float> few = Product(x, matrix, kMostFusedTokens);
    const std::vector<float> many = Product(x, matrix, kMost);
    for (std::int64_t tokens = 1; tokens < kMost; ++tokens) {
      const std::vector<float> y = Product(x, matrix, tokens);
      const auto& expected = tokens <= kMostFusedTokens ? few : many;
      EXPECT_EQ(
          std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0)
          << bits << " bits, " << tokens << " tokens";
    }
  }
}

TEST(PackedMatMul, GivesTheSameBitsOnAnyThread) {
  const PackedMatrix matrix =
      RandomPacked({.bits = 4, .group_size = 32}, 70, 128);
  const std::vector<float> x = NormalFloats(20 * 128, "x");
  for (const std::int64_t tokens : {1, 20}) {
    const std::vector<float> alone = Product(x, matrix, tokens);
    std::vector<std::vector<float>> products(12);
    SetThreadCount(4);
    ParallelFor(12, [&](std::int64_t job, int) {
      products[static_cast<std::size_t>(job)] = Product(x, matrix, tokens);
    });
    SetThreadCount(0);
    for (const auto& product : products) EXPECT_EQ(product, alone);
  }
}

TEST(PackedMatMul, DoesNothingForNoTokens) {
  const PackedMatrix matrix = RandomPacked({}, 3, 4);
  PackedMatMul({}, matrix, {}, 0);
}

TEST(PackedMatMulDeathTest, ChecksItsCallersLengths) {
  const PackedMatrix matrix = RandomPacked({}, 3, 4);
  const std::vector<float> x(4);
  std::vector<float> y(2);
  EXPECT_DEATH(PackedMatMul(x, matrix, y, 1), "y is \\[tokens, rows\\]");
}

TEST(PackedMatMul, InBfloat16HasTheBitsOfTheDequantizedWeights) {
  if (!IsAvailable(ProductPrecision::kBfloat16)) {
    GTEST_SKIP() << "this processor has no AVX512_BF16";
  }
  for (const std::int64_t rows : {31, 250}) {
    for (const std::int64_t tokens : {8, 100, 400}) {
      const std::int64_t cols = 131;
      const PackedMatrix matrix =
          RandomPacked({.bits = 3, .group_size = 20}, rows, cols);
      const std::vector<float> x = NormalFloats(tokens * cols, "x");
      std::vector<float> y(static_cast<std::size_t>(tokens * rows));
      std::vector<float> dense = y;
      PackedMatMul(x, matrix, y, tokens, ProductPrecision::kBfloat16);
      MatMulTransposed(x,
                       DequantizedReference(matrix),
                       dense,
                       tokens,
                       cols,
                       rows,
                       ProductPrecision::kBfloat16);
      EXPECT_EQ(std::memcmp(y.data(), dense.data(), y.size() * sizeof(float)),
                0)
          << rows << " rows, " << tokens << " tokens";
    }
  }
}

}  // namespace
}  // namespace bitpact
