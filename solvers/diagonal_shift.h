// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_DIAGONAL_SHIFT_H_
#define BITPACT_SOLVERS_DIAGONAL_SHIFT_H_

// Diagonals d that make Q + diag(d) positive semidefinite, Q symmetric without
// diagonal. For binaries any such d leaves the problem what it is; which one
// decides how good the convex bound is.
//
// * ScaledShift: d = t s, t the least that works (Lanczos), s in two steps.
//   First Q is balanced: rows of diag(b)^-1/2 Q diag(b)^-1/2 of equal norm, so
//   that a covariance a_i a_j r_ij gets b near a_i^2. Then s = the shift of
//   least trace of the balanced matrix, by a few sweeps of the mixing method
//   without linear terms (minimum trace factor analysis: the diagonal that a
//   covariance lost). Moves as little as needed, so that most of a relaxation's
//   point stays at 0 and 1. With s = b alone the root gap of covariances at a
//   quadratic/linear ratio of 10 is 14%, with this 1%.
// * SemidefiniteShift: d from the semidefinite relaxation of min f over the
//   row, the best root bound of all d (Billionnet & Elloumi 2007), by the
//   mixing method (Wang, Chang & Kolter 2017) on
//     min c'x + x'Qx / 2 + price (sizes'x),
//   the price by bisection on the row's use at the relaxed point.
//
// Both then add to d what is still missing, measured by a Cholesky
// factorization of Q + diag(d) less a margin of 4 n epsilon times its largest
// row sum: whatever a method left undone costs tightness, never truth.

#include <vector>

#include "solvers/two_way_model.h"

namespace bitpact {

// O(n^3 / 3) for the factorization, O(n^2) for each of some forty Lanczos
// steps; memory of two n x n matrices.
[[nodiscard]] std::vector<double> ScaledShift(const TwoWayModel& model);

// The unit vectors of the relaxation, kept for a warm start.
struct MixingState {
  std::vector<double> vectors;  // n x rank
  double price = 0.0;           // per size
  bool is_warm = false;
};
// O(n^2 sqrt(2n)) a sweep, some hundred sweeps. Deterministic.
[[nodiscard]] std::vector<double> SemidefiniteShift(const TwoWayModel& model,
                                                    MixingState& state);

// The same at a price that is known well enough, with a dozen sweeps: for the
// many small models inside a search.
[[nodiscard]] std::vector<double> QuickSemidefiniteShift(
    const TwoWayModel& model, double price);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_DIAGONAL_SHIFT_H_
