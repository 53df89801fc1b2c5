// SPDX-License-Identifier: Apache-2.0
#include "quant/error_energy.h"

#include <algorithm>
#include <cstddef>

#include "quant/matmul.h"

namespace bitpact {

std::vector<double> RowErrorEnergies(std::span<const float> error,
                                     std::int64_t rows,
                                     std::int64_t cols,
                                     std::span<const float> hessian) {
  std::vector<float> curved(error.size());
  MatMulTransposed(error, hessian, curved, rows, cols, cols);
  std::vector<double> energies;
  energies.reserve(static_cast<std::size_t>(rows));
  const auto width = static_cast<std::size_t>(cols);
  for (std::size_t row = 0; row < error.size(); row += width) {
    double sum = 0.0;
    for (std::size_t i = row; i < row + width; ++i) {
      sum += static_cast<double>(error[i]) * static_cast<double>(curved[i]);
    }
    energies.push_back(std::max(0.0, 0.5 * sum));
  }
  return energies;
}

}  // namespace bitpact
