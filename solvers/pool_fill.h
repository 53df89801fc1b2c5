// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_POOL_FILL_H_
#define BITPACT_SOLVERS_POOL_FILL_H_

// Other good plans than the best: a search for one optimum meets few, since it
// closes what cannot be better. Those next to the incumbent are usually among
// the best of all, but only `enumerate` promises that.

#include "solvers/incumbent_recorder.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_result.h"

namespace bitpact {

// Offers the feasible plans that differ from the incumbent in the choice of one
// group, or of two (up to 2,048 variables, no factors), best first; then those
// next to the second plan of the pool, and so on until it is full. A plan that
// is better than the incumbent becomes it. Nothing when one plan is asked for
// or none was found. O(variables^2) a plan expanded. Deterministic.
void FillPool(const ReducedProblem& reduced,
              const SolveOptions& options,
              IncumbentRecorder& recorder);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_POOL_FILL_H_
