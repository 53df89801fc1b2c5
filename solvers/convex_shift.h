// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CONVEX_SHIFT_H_
#define BITPACT_SOLVERS_CONVEX_SHIFT_H_

// What to add to the blocks of a symmetric matrix K so that it has no negative
// curvature (solvers/convex_model.h says why that changes no plan's value).
//
// * LeastEigenvalueShift: D = t * I, t the least that works: minus the least
//   eigenvalue of K (Hammer & Rubin 1970). The weakest of them whenever
//   units differ in scale.
// * ScaledShift: D = t * B, t the least that works, for blocks B that balance
//   K: all block rows of B^(-1/2) K B^(-1/2) get the same norm (Ruiz' scaling,
//   block by block: B <- B^(1/2) (R R')^(1/2) B^(1/2) with R the balanced
//   block row). On a covariance with its diagonal removed that finds the
//   variances, whatever the units' scales.
// * LeastTraceShift: the D of least trace. On a covariance with its diagonal
//   removed that is less than the variances, and it does not ask where the
//   linear costs put the minimum, which leaves fewer weights split: of one-hot
//   problems with 112 units it needed 60-220 nodes where D = t * B with blocks
//   B that balance K took thousands.
// * SemidefiniteShift: the D of the semidefinite relaxation of
//   min f(z) + prices'(sizes z), as in Billionnet & Elloumi's quadratic convex
//   reformulation (2007), with all choices of a group. A better bound at the
//   root, but more variables stay fractional; indispensable when K is far from
//   semidefinite.
//
// The last two by the mixing method (Wang, Chang & Kolter 2017, low-rank
// coordinate descent), least trace with orthonormal vectors inside a block.
//
// None is trusted: MakeConvexModel moves the diagonal to the border of the
// semidefinite cone.

#include <functional>
#include <vector>

#include "Eigen/Dense"

namespace bitpact {

// Consecutive coordinates that belong to one group.
struct CoordinateBlock {
  Eigen::Index first = 0;
  Eigen::Index size = 1;
};

// Diagonal of D, one entry a coordinate. O(m^3).
[[nodiscard]] Eigen::VectorXd LeastEigenvalueShift(const Eigen::MatrixXd& k);

// K: symmetric, zero inside the blocks. Returns the full matrix D, zero outside
// the blocks. O(m^3).
[[nodiscard]] Eigen::MatrixXd ScaledShift(
    const Eigen::MatrixXd& k, const std::vector<CoordinateBlock>& blocks);

// Asked after each sweep; true: the shift is wanted as it stands.
using IsLate = std::function<bool()>;

// Likewise. O(m^2.5) a sweep.
[[nodiscard]] Eigen::MatrixXd LeastTraceShift(
    const Eigen::MatrixXd& k,
    const std::vector<CoordinateBlock>& blocks,
    const IsLate& is_late);

// The choices of one group as points of its coordinate and what they cost.
struct ShiftGroup {
  Eigen::Index coordinate = 0;
  std::vector<double> factor;  // the reference's 0 included, if it is open
  std::vector<double> cost;    // linear + prices, one a factor
};

// Diagonal of D, one entry a coordinate. `groups`: one a coordinate. O(m^2.5) a
// sweep.
[[nodiscard]] Eigen::VectorXd SemidefiniteShift(
    const Eigen::MatrixXd& k,
    const std::vector<ShiftGroup>& groups,
    const IsLate& is_late);

[[nodiscard]] double LeastEigenvalue(const Eigen::MatrixXd& matrix);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CONVEX_SHIFT_H_
