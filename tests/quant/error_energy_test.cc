// SPDX-License-Identifier: Apache-2.0
#include "quant/error_energy.h"

#include <cmath>
#include <cstdint>

#include "core/random.h"
#include "gtest/gtest.h"
#include "quant/hessian.h"

namespace bitpact {
namespace {

std::vector<float> Random(std::size_t count, const char* name) {
  RandomStream stream(3, name);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(stream.Normal());
  return values;
}

TEST(RowErrorEnergies, AreMeanSquaredOutputErrors) {
  constexpr std::size_t kRows = 5;
  constexpr std::size_t kCols = 19;
  constexpr std::size_t kTokens = 33;
  const std::vector<float> error = Random(kRows * kCols, "error");
  const std::vector<float> x = Random(kTokens * kCols, "inputs");
  HessianSum sum(kCols);
  sum.Add(x, kTokens);
  const auto energies = RowErrorEnergies(error, kRows, kCols, sum.Finish());
  ASSERT_EQ(energies.size(), kRows);
  for (std::size_t r = 0; r < kRows; ++r) {
    double mean = 0.0;
    for (std::size_t t = 0; t < kTokens; ++t) {
      double output = 0.0;
      for (std::size_t c = 0; c < kCols; ++c) {
        output += static_cast<double>(error[r * kCols + c]) *
                  static_cast<double>(x[t * kCols + c]);
      }
      mean += output * output / kTokens;
    }
    EXPECT_NEAR(energies[r], mean, 1e-5 * mean);
  }
}

// Inputs along one direction only, errors across it: rounding may leave either
// sign.
TEST(RowErrorEnergies, AreNeverNegative) {
  constexpr std::int64_t kCols = 24;
  std::vector<float> direction = Random(kCols, "direction");
  HessianSum sum(kCols);
  sum.Add(direction, 1);
  std::vector<float> error = Random(40 * kCols, "across");
  double length = 0.0;
  for (const float d : direction) length += std::pow(static_cast<double>(d), 2);
  for (std::size_t row = 0; row < error.size(); row += kCols) {
    double along = 0.0;
    for (std::size_t c = 0; c < kCols; ++c) {
      along += static_cast<double>(error[row + c]) *
               static_cast<double>(direction[c]);
    }
    for (std::size_t c = 0; c < kCols; ++c) {
      error[row + c] -= static_cast<float>(along / length) * direction[c];
    }
  }
  const auto energies = RowErrorEnergies(error, 40, kCols, sum.Finish());
  int zeros = 0;
  for (std::size_t r = 0; r < energies.size(); ++r) {
    double squares = 0.0;
    for (std::size_t c = 0; c < kCols; ++c) {
      squares += std::pow(static_cast<double>(error[r * kCols + c]), 2);
    }
    EXPECT_GE(energies[r], 0.0);
    EXPECT_LT(energies[r], 1e-6 * length * squares);
    zeros += energies[r] == 0.0 ? 1 : 0;
  }
  EXPECT_GT(zeros, 0);  // some would have been negative
}

}  // namespace
}  // namespace bitpact
