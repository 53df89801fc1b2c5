// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BOX_PROGRAMME_H_
#define BITPACT_SOLVERS_BOX_PROGRAMME_H_

// A quadratic programme over a box with one budget row,
//
//   minimise   f(x) = constant + sum linear[i] x[i] + 1/2 sum Q[i][j] x[i] x[j]
//   subject to 0 <= x <= upper,  sum weight[i] x[i] <= limit,
//
// which is how much of each matrix to store wider when the share may be any
// number: the continuous form of HIPR's problem (arXiv 2511.17801, eq. 9).
//
// Where Q, scaled to the unit box, is not positive semidefinite, sigma * sum
// (y[i]^2 - y[i]) with y = x / upper is added, which is nowhere above 0 in the
// box (Androulakis, Maranas & Floudas, alphaBB, J. Global Optimization 7,
// 1995): what is minimised then bounds f from below and is convex. From its
// minimiser f itself is descended.

#include <cstdint>
#include <vector>

#include "core/error.h"

namespace bitpact {

struct BoxProgramme {
  double constant = 0.0;
  std::vector<double> linear;
  std::vector<double> quadratic;  // n x n, row-major, symmetric
  std::vector<double> upper;      // > 0
  std::vector<double> weight;     // >= 0
  double limit = 0.0;

  [[nodiscard]] std::size_t size() const { return linear.size(); }
  // f(x). O(n^2).
  [[nodiscard]] double Value(const std::vector<double>& x) const;
};

// kInvalidArgument: lengths that do not fit, numbers that are not finite, an
// upper bound that is not above 0, a negative weight.
Expected<void> Validate(const BoxProgramme& programme);

struct BoxSolution {
  std::vector<double> x;  // within box and budget; empty: limit < 0
  double objective = 0.0;
  // No point costs less: the convex value less its duality gap.
  double bound = 0.0;
  double shift = 0.0;  // sigma; 0: f is convex
  int iterations = 0;
};

// Accelerated projected gradients (Beck & Teboulle 2009) with restarts, on the
// convex form until its Frank-Wolfe gap is below 1e-9 of its scale, or 20,000
// steps; the bound is right either way. O(n^2) a step. Deterministic. Errors
// are those of Validate.
Expected<BoxSolution> SolveBoxProgramme(const BoxProgramme& programme);

// The same with whole numbers: level k of variable i, 0..levels[i], stands for
// x[i] = upper[i] * k / levels[i] and takes sizes[i][k].
struct BoxLevels {
  std::vector<std::vector<std::int64_t>> sizes;  // not falling with the level
  std::int64_t limit = 0;
};

// Rounds x down to levels, lowers what saves most for its cost until the limit
// holds, then raises by single levels, best gain for its size first, for as
// Empty when all 0 is over the limit. O((levels moved) * n).
std::vector<int> RoundToLevels(const BoxProgramme& programme,
                               const std::vector<double>& x,
                               const BoxLevels& levels);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BOX_PROGRAMME_H_
