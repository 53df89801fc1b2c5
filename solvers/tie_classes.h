// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_TIE_CLASSES_H_
#define BITPACT_SOLVERS_TIE_CLASSES_H_

// Units that are tied, directly or through others, choose as one.

#include <vector>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

struct TieClass {
  std::vector<int> units;  // ascending
  // The option that a pin of any member prescribes; -1 when free.
  int pinned_option = -1;
};

// Every unit in exactly one class, classes ordered by their first unit.
// Needs indices in range; kInvalidArgument names two units whose option counts
// differ or whose pins contradict. O((units + ties) log units).
Expected<std::vector<TieClass>> ComputeTieClasses(
    const AllocationProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_TIE_CLASSES_H_
