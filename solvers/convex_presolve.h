// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CONVEX_PRESOLVE_H_
#define BITPACT_SOLVERS_CONVEX_PRESOLVE_H_

// What the convex relaxation settles before any search: reduced costs against a
// known plan close choices, the problem shrinks, a smaller matrix needs a
// smaller shift, and so on until a pass closes little. On positive semidefinite
// problems of 224 two-way units it leaves about a tenth open.

#include <vector>

#include "solvers/convex_model.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {

struct ConvexPresolve {
  // True: no plan is below the cutoff, and the rest is empty.
  bool is_closed = false;
  // Proven for all plans that the domain leaves out or in: no plan is below
  // both this and the cutoff.
  double bound = 0.0;
  // The model of the domain; its shift is the one with the better bound.
  ConvexModel model = {};
  // The relaxation's point, one entry a variable of the model.
  std::vector<double> point = {};
};

// Needs a problem with groups. Plans at or above `cutoff`, which may be
// +infinity, may be closed. Looks at the clock between passes and returns what
// it has. O(V^3) a pass.
[[nodiscard]] ConvexPresolve PresolveConvex(const ReducedProblem& problem,
                                            double cutoff,
                                            const SolveClock& clock);

// What presolve leaves open, as a reduced problem of its own with the model's
// groups, variables and limits, unshifted. That a group may not take its
// reference any more (Group::has_reference) the problem does not say. `units`
// and `options` of its groups and `folded` are empty: plans go through the
// model.
[[nodiscard]] ReducedProblem CoreOf(const ConvexModel& model);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CONVEX_PRESOLVE_H_
