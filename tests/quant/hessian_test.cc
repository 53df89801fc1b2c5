// SPDX-License-Identifier: Apache-2.0
#include "quant/hessian.h"

#include <cmath>
#include <limits>
#include <vector>

#include "core/threads.h"
#include "gtest/gtest.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

// float32 sums inside a call: an entry is within tokens * epsilon of the sum of
// absolute products (Higham, Accuracy and Stability, section 3.1).
TEST(HessianSum, IsTwiceTheMeanOuterProduct) {
  for (const std::int64_t cols : {1, 5, 255, 256, 300}) {
    const std::vector<std::int64_t> calls = {7, 1, 64};
    const std::vector<float> x = NormalFloats(72 * cols, "inputs");
    HessianSum sum(cols);
    std::int64_t first = 0;
    for (const std::int64_t tokens : calls) {
      sum.Add(std::span(x).subspan(first * cols, tokens * cols), tokens);
      first += tokens;
    }
    const std::vector<float> hessian = sum.Finish();
    for (std::int64_t i = 0; i < cols; ++i) {
      for (std::int64_t j = 0; j < cols; ++j) {
        double exact = 0.0;
        double size = 0.0;
        for (std::int64_t t = 0; t < 72; ++t) {
          const double product =
              static_cast<double>(x[t * cols + i]) * x[t * cols + j];
          exact += product;
          size += std::abs(product);
        }
        ASSERT_NEAR(hessian[i * cols + j],
                    2.0 * exact / 72,
                    2.0 * size * std::numeric_limits<float>::epsilon())
            << cols << ": " << i << ", " << j;
        ASSERT_EQ(hessian[i * cols + j], hessian[j * cols + i]);
      }
    }
  }
}

TEST(HessianSum, DoesNotDependOnThreads) {
  const std::vector<float> x = NormalFloats(50 * 600, "inputs");
  const auto with = [&](int threads) {
    SetThreadCount(threads);
    HessianSum sum(600);
    sum.Add(x, 50);
    SetThreadCount(0);
    return sum.Finish();
  };
  EXPECT_EQ(with(1), with(3));
}

}  // namespace
}  // namespace bitpact
