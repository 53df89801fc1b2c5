// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BOX_MINIMISER_H_
#define BITPACT_SOLVERS_BOX_MINIMISER_H_

// The least value of a BoxProgramme with a bound, and its rounding to whole
// levels.
//
// Where Q, scaled to the unit box, is not positive semidefinite, sigma * sum
// (y[i]^2 - y[i]) with y = x / upper is added, which is nowhere above 0 in the
// box (Androulakis, Maranas & Floudas, alphaBB, J. Global Optimization 7,
// 1995): what is minimised then bounds f from below and is convex. From its
// minimiser f itself is descended.

#include <cstdint>
#include <vector>

#include "core/error.h"
#include "solvers/box_programme.h"

namespace bitpact {

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
// long as one gains and fits. Empty when all 0 is over the limit. O((levels
// moved) * n).
std::vector<int> RoundToLevels(const BoxProgramme& programme,
                               const std::vector<double>& x,
                               const BoxLevels& levels);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BOX_MINIMISER_H_
