// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_EXPAND_FACTORS_H_
#define BITPACT_SOLVERS_EXPAND_FACTORS_H_

// Low-rank pair parts written out, for whoever really wants each pair.

#include <cstddef>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

// The same problem with every factor as a dense block. kUnsupported when the
// blocks together would hold more than `most_coefficients`. Needs a valid
// problem. O(sum over factors of variables^2 * rank).
Expected<AllocationProblem> ExpandFactors(const AllocationProblem& problem,
                                          std::size_t most_coefficients);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_EXPAND_FACTORS_H_
