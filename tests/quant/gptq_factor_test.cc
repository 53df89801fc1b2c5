// SPDX-License-Identifier: Apache-2.0
//
// The two parts that GPTQ is made of: the Hessian's factor and the tile of
// columns and rows.
#include "quant/gptq_factor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "quant/kernels.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

// H = A D A^T with A unit upper: its columns follow from the last backwards.
// kLdlq is A above the diagonal; kInverse, negated, is R's inverse with the
// rows divided by their diagonal entries.
TEST(FactorHessian, GivesTheUnitUpperFactorAndItsInverse) {
  constexpr std::int64_t kCols = 37;
  const std::vector<float> hessian = CorrelatedHessian(kCols, 100, "inputs");
  const auto ldlq = FactorHessian(hessian, kCols, {}, 0.01, GptqForm::kLdlq);
  const auto inverse =
      FactorHessian(hessian, kCols, {}, 0.01, GptqForm::kInverse);
  ASSERT_TRUE(ldlq) << ldlq.error().message;
  ASSERT_TRUE(inverse) << inverse.error().message;
  double mean = 0.0;
  for (std::int64_t i = 0; i < kCols; ++i) mean += hessian[i * kCols + i];
  mean /= kCols;
  std::vector<double> h(hessian.begin(), hessian.end());
  for (std::int64_t i = 0; i < kCols; ++i) h[i * kCols + i] += 0.01 * mean;
  // Errors: a float32 factorization's backward error, 37 * 2^-24, times the
  // condition number of the damped Hessian, below 1e3.
  constexpr double kTolerance = 2e-3;
  std::vector<double> a(h.size(), 0.0);
  for (std::int64_t k = kCols - 1; k >= 0; --k) {
    a[k * kCols + k] = 1.0;
    for (std::int64_t j = 0; j < k; ++j) {
      a[j * kCols + k] = h[j * kCols + k] / h[k * kCols + k];
      EXPECT_NEAR(ldlq->coupling[k * kCols + j], a[j * kCols + k], kTolerance);
    }
    for (std::int64_t i = 0; i < k; ++i) {
      for (std::int64_t j = 0; j < k; ++j) {
        h[i * kCols + j] -=
            h[i * kCols + k] * h[j * kCols + k] / h[k * kCols + k];
      }
    }
  }
  for (std::int64_t j = 0; j < kCols; ++j) {
    for (std::int64_t k = j + 1; k < kCols; ++k) {
      double product = a[j * kCols + k];
      for (std::int64_t m = j + 1; m <= k; ++m) {
        // U[j, m] / U[j, j] * R[m, k] / R[k, k] = -C[j, m] * A[m, k].
        product -= static_cast<double>(inverse->coupling[m * kCols + j]) *
                   a[m * kCols + k];
      }
      EXPECT_NEAR(product, 0.0, kTolerance);
    }
  }
}

// Every level rounds what it says it rounds.
TEST(GptqTile, AgreesWithPlainLoopsAtEveryLevel) {
  constexpr std::int64_t kWidth = 23;
  constexpr std::int64_t kStride = 32;
  const std::vector<float> original = NormalFloats(kWidth * kStride, "w");
  const std::vector<float> current = NormalFloats(kWidth * kStride, "c");
  const std::vector<float> coupling = NormalFloats(kWidth * kWidth, "a");
  GptqLaneGrid grid{};
  for (std::size_t lane = 0; lane < kGptqRows; ++lane) {
    grid.scale[lane] = 0.25F + 0.01F * static_cast<float>(lane);
    grid.zero_point[lane] = static_cast<float>(lane % 8);
    grid.divisor[lane] = grid.scale[lane];
  }
  grid.scale[5] = 0.0F;
  grid.divisor[5] = std::numeric_limits<float>::infinity();
  const std::vector<const GptqLaneGrid*> grids(kWidth, &grid);
  for (const KernelLevel level : AvailableKernelLevels()) {
    std::vector<float> residual(kWidth * kStride);
    std::vector<float> codes(kWidth * kGptqRows);
    KernelsOf(level).gptq_tile({.width = kWidth,
                                .stride = kStride,
                                .bits = 3,
                                .original = original.data(),
                                .current = current.data(),
                                .coupling = coupling.data(),
                                .grids = grids.data(),
                                .residual = residual.data(),
                                .codes = codes.data()});
    for (std::int64_t lane = 0; lane < kGptqRows; ++lane) {
      const auto at = static_cast<std::size_t>(lane);
      for (std::int64_t i = 0; i < kWidth; ++i) {
        double w = current[i * kStride + lane];
        double size = std::abs(w);
        for (std::int64_t j = 0; j < i; ++j) {
          const double term = static_cast<double>(coupling[i * kWidth + j]) *
                              residual[j * kStride + lane];
          w += term;
          size += std::abs(term);
        }
        const float code = codes[i * kGptqRows + lane];
        ASSERT_EQ(code, std::nearbyint(code));
        const double wanted = std::clamp(
            w / static_cast<double>(grid.divisor[at]) + grid.zero_point[at],
            0.0,
            7.0);
        // Half a step, and the rounding of a sum of up to kWidth terms.
        ASSERT_NEAR(code, wanted, 0.5 + size * (kWidth + 3) * 0x1p-22)
            << "column " << i << ", lane " << lane;
        ASSERT_EQ(residual[i * kStride + lane],
                  original[i * kStride + lane] -
                      DecodeWeight({grid.scale[at], grid.zero_point[at], 0.0F},
                                   static_cast<int>(code)));
      }
    }
  }
}

}  // namespace
}  // namespace bitpact
