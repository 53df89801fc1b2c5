// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_TWO_WAY_MODEL_H_
#define BITPACT_SOLVERS_TWO_WAY_MODEL_H_

// A problem of binaries under one row at most, dense and small enough to be
// compressed again and again as a search fixes variables:
//
//   f(z) = constant + linear'z + z'Qz / 2,   Q symmetric without diagonal,
//   lower <= sizes'z <= upper,
//
// and with a shift d (z_i z_i = z_i) the same values as
//
//   constant + (linear - d/2)'z + z'(Q + diag(d))z / 2,
//
// convex once Q + diag(d) is positive semidefinite (solvers/diagonal_shift.h).

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "solvers/reduced_problem.h"

namespace bitpact {

struct TwoWayModel {
  static constexpr std::int64_t kNoUpper =
      std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t kNoLower =
      std::numeric_limits<std::int64_t>::min();

  double constant = 0.0;
  std::vector<double> linear;
  std::vector<double> matrix;       // Q, n x n, row-major
  std::vector<double> shift;        // d, n entries; empty before one is chosen
  std::vector<std::int64_t> sizes;  // n entries, of any sign; zeros: no row
  std::int64_t lower = kNoLower;
  std::int64_t upper = kNoUpper;
  // Variable of the reduced problem (which is also its group), one an entry.
  std::vector<int> reduced_variable;
  // Whatever is computed from f is exact to within this, the shift included.
  double rounding = 0.0;

  [[nodiscard]] int NumVariables() const {
    return static_cast<int>(linear.size());
  }
  [[nodiscard]] bool HasRow() const {
    return lower != kNoLower || upper != kNoUpper;
  }
  [[nodiscard]] std::span<const double> Row(int variable) const {
    const std::size_t n = linear.size();
    return {matrix.data() + static_cast<std::size_t>(variable) * n, n};
  }
  // f at binary z and sizes'z.
  [[nodiscard]] double Value(std::span<const char> z) const;
  [[nodiscard]] std::int64_t Use(std::span<const char> z) const;
};

// What is known of a binary.
enum class Fixing : char { kZero = 0, kOne = 1, kFree = 2 };

// Whether the problem has this form: two-way, and no limit, one limit, or two
// that bound the same row from both sides (an equality, say).
[[nodiscard]] bool IsTwoWayModel(const ReducedProblem& problem);

// The whole problem. O(n^2).
[[nodiscard]] TwoWayModel MakeTwoWayModel(const ReducedProblem& problem);

// The model of what is free, the rest folded in; no shift. `kept` receives the
// old variable of each new one. O(n^2).
[[nodiscard]] TwoWayModel Compress(const TwoWayModel& model,
                                   std::span<const Fixing> state,
                                   std::vector<int>& kept);

// Sets the shift and the rounding that comes with it.
void SetShift(std::vector<double> shift, TwoWayModel& model);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_TWO_WAY_MODEL_H_
