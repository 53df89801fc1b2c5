// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_MCCORMICK_H_
#define BITPACT_SOLVERS_MCCORMICK_H_

// The standard linearization of a binary quadratic programme (McCormick 1976,
// Fortet 1960): one continuous column y in [0, 1] for each pair coefficient q
// that is not zero,
//
//   q > 0:  y >= z_i + z_j - 1        (q pushes y down)
//   q < 0:  y <= z_i,  y <= z_j       (q pushes y up)
//
// so only the rows that the sign needs. Exact at binary z; its continuous bound
// is weak when pairs are many, and very weak when the matrix is positive
// semidefinite. Size: V + P columns, up to G + K + 2P rows for V variables, P
// pairs, G groups, K resources.

#include <cstddef>

#include "solvers/linearization.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// Pair coefficients that are not zero.
[[nodiscard]] std::size_t CountPairs(const ReducedProblem& problem);

// Needs a problem that folding did not prove infeasible. O(pairs).
[[nodiscard]] LinearModel LinearizeMcCormick(const ReducedProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_MCCORMICK_H_
