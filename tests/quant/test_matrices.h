// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_QUANT_TEST_MATRICES_H_
#define BITPACT_TESTS_QUANT_TEST_MATRICES_H_

// Inputs that the tests of quant/ share.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/bit_format.h"
#include "quant/packed_matrix.h"

namespace bitpact {

// Standard normal numbers, fixed by `name`.
std::vector<float> NormalFloats(std::int64_t count, const std::string& name);

// Random codes, positive scales and shifts of both signs.
PackedMatrix RandomPacked(const BitFormat& format,
                          std::int64_t rows,
                          std::int64_t cols);

// All widths and zero-point types, both scale types, in one group size.
std::vector<BitFormat> FormatsWithGroup(int group_size);

// The whole matrix by the plain reference.
std::vector<float> DequantizedReference(const PackedMatrix& matrix);

// H = 2/tokens * sum x x^T, [cols, cols], of inputs whose columns are
// correlated and differ in size, as activations do; fixed by `name`.
std::vector<float> CorrelatedHessian(std::int64_t cols,
                                     std::int64_t tokens,
                                     const std::string& name);

// `value` on the diagonal, 0 elsewhere.
std::vector<float> Identity(std::int64_t cols, float value);

// For each y = x * w^T: how far a float32 sum in any order, fused or not, may
// lie from the exact one. With u = 2^-24 the error is at most
// n*u / (1 - n*u) * sum |x_i w_i| for n = in products and sums (Higham,
// Accuracy and Stability of Numerical Algorithms, section 3.1); two more
// roundings allow for the judge's own.
std::vector<double> ProductTolerances(std::span<const float> x,
                                      std::span<const float> w,
                                      std::int64_t tokens,
                                      std::int64_t in,
                                      std::int64_t out);

// The same for sums of codes and of inputs that are taken apart
// (quant/kernels.h on `multiply`): |scale * q| + |shift| stand for |w|, and
// three more roundings for those of the products with scales and of the shifts.
std::vector<double> SplitProductTolerances(std::span<const float> x,
                                           const PackedMatrix& w,
                                           std::int64_t tokens);

// Fails at the first y that lies further from `expected` than its tolerance.
void ExpectWithin(std::span<const float> y,
                  std::span<const float> expected,
                  std::span<const double> tolerances,
                  const std::string& what);

}  // namespace bitpact

#endif  // BITPACT_TESTS_QUANT_TEST_MATRICES_H_
