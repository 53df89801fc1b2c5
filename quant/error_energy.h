// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_ERROR_ENERGY_H_
#define BITPACT_QUANT_ERROR_ENERGY_H_

// What an error of the weights does to a linear layer's outputs.

#include <cstdint>
#include <span>
#include <vector>

namespace bitpact {

// e_r = 1/2 * d_r H d_r^T for every row d_r of `error`: with H = 2/tokens * sum
// x x^T (quant/hessian.h) the mean over tokens of the squared error of output
// r. error: [rows, cols]; hessian: [cols, cols], symmetric. Sums over a row are
// in double, products of quant/matmul.h in float32, so that a result of size 0
// may come out as a tiny negative number and is then made 0. O(rows * cols^2);
// memory: rows * cols * 4 bytes. Thread-safe.
std::vector<double> RowErrorEnergies(std::span<const float> error,
                                     std::int64_t rows,
                                     std::int64_t cols,
                                     std::span<const float> hessian);

}  // namespace bitpact

#endif  // BITPACT_QUANT_ERROR_ENERGY_H_
