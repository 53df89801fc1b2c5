// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_LEAST_EIGENVALUE_H_
#define BITPACT_SOLVERS_LEAST_EIGENVALUE_H_

// How far a symmetric matrix is from positive semidefinite, fast enough for
// thousands of rows. Nothing here is a proof by itself: who needs one
// factorizes what the estimate made (IsSafelyDefinite).

#include "Eigen/Dense"

namespace bitpact {

// At most the least eigenvalue plus a small error. Up to 100 rows all
// eigenvalues, beyond that Lanczos with full reorthogonalization, at most 60
// steps, less what its residual may hide. Deterministic. O(n^2) a step, n x 61
// doubles.
[[nodiscard]] double EstimateLeastEigenvalue(
    const Eigen::Ref<const Eigen::MatrixXd>& matrix);

// What rounding may hide from a Cholesky factorization of a matrix whose
// largest row sum of magnitudes is `norm`: 4 n epsilon norm.
[[nodiscard]] double CholeskyMargin(Eigen::Index rows, double norm);

// Whether the matrix less `margin` on its diagonal has a Cholesky
// factorization. O(n^3 / 3), one copy.
[[nodiscard]] bool IsSafelyDefinite(Eigen::MatrixXd matrix, double margin);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_LEAST_EIGENVALUE_H_
