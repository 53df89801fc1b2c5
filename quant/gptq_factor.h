// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_GPTQ_FACTOR_H_
#define BITPACT_QUANT_GPTQ_FACTOR_H_

// What GPTQ needs of a Hessian: how much of the rounding error of one column is
// to be made up for by each later column.
//
// Both forms start from H = R R^T (H damped, R upper triangular), which is the
// Cholesky factorization of H with rows and columns in reverse order. With
// `moved` weights w' and rounded ones q:
//
//   kInverse  w'_k = w_k + sum over j < k of (w'_j - q_j) * C[j, k],
//             C[j, k] = -U[j, k] / U[j, j], U = R^-1. These are the updates of
//             Frantar et al., "GPTQ" (2022), section 3 (U^T U is the inverse of
//             H): after columns 0..j every later w' is the best there is
//             given q_0..q_j. One potrf and one trtri; the reference's
//             potrf + potri + potrf takes twice the arithmetic.
//   kLdlq     w'_k = w_k + sum over j < k of (w_j - q_j) * C[j, k],
//             C[j, k] = R[j, k] / R[k, k]: the form of Chee et al., "QuIP:
//             2-Bit Quantization of Large Language Models With Guarantees"
//             (2023), section 3, who show that it is the same method. w'_k is
//             the same once all j < k are in, but not before: it serves where
//             nobody looks at half-moved weights. One potrf, no inverse.
//
// Both are OpenBLAS's, on the calling thread alone: the first call here sets
// OpenBLAS to one thread for the whole program. Where OPENBLAS_CORETYPE names
// an older processor than the one at hand (it may be set on purpose, for equal
// bits on all machines, so it is respected), the factorization is slower, by
// 1.4 on processors with wide AVX-512; nothing else in bitpact uses OpenBLAS.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace bitpact {

enum class GptqForm { kInverse, kLdlq };

inline constexpr double kMostDamping = 1.0;

struct GptqFactor {
  // C transposed: [n, n], row-major; entry (k, j), j < k, is C[j, k]; anything
  // on and above the diagonal. So what earlier columns do to one column lies
  // side by side, as products want it.
  std::vector<float> coupling;
  // R[k, k]^2 = 1 / U[k, k]^2, [n], in the order of rounding: with q - w' of
  // each column as it was rounded, tr((W - Q) H (W - Q)^T) of the damped H is
  // the sum over columns of pivots[k] * |w'_k - q_k|^2.
  std::vector<float> pivots;
  // What was added to each diagonal entry, relative to their mean.
  double damping_used = 0.0;
};

// hessian: [n, n], row-major, symmetric (the entries on and above the diagonal
// are read). order: empty, or the columns in the order in which they are to be
// rounded; coupling is in that order. damping: > 0, relative to the mean of the
// diagonal. A column whose diagonal entry is 0 never had an input; it gets the
// mean of the others (1 if all are 0), so that it influences nothing.
//
// If the factorization fails the damping is raised tenfold, up to kMostDamping
// or once, whichever is more.
//
// kInvalidArgument: an entry is not finite or a diagonal entry is negative
// (named); not positive definite even with the most damping. Deterministic;
// thread-safe. n^3 / 6 multiplications and additions, as many again for
// kInverse; 4 n^2 bytes.
Expected<GptqFactor> FactorHessian(std::span<const float> hessian,
                                   std::int64_t n,
                                   std::span<const std::int64_t> order,
                                   double damping,
                                   GptqForm form);

// "0.01", "1e-12".
std::string DampingText(double damping);

}  // namespace bitpact

#endif  // BITPACT_QUANT_GPTQ_FACTOR_H_
