// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_OUTER_APPROXIMATION_H_
#define BITPACT_SOLVERS_OUTER_APPROXIMATION_H_

// Outer approximation (Duran & Grossmann 1986; Fletcher & Leyffer 1994) of the
// convexified objective (solvers/convex_model.h) over a linear master that any
// MILP backend solves: with Q + diag(d) = M positive semidefinite,
//
//   minimise constant + linear'z + t
//   subject to  t >= (My)'z - y'My / 2     for every y met so far,  t >= 0,
//               the problem's own rows, z binary.
//
// A cut is true at any y, so the master's optimum is a bound, and it is exact
// at the plans already met. V + 1 columns whatever the number of pairs.
//
// 1. A plan: the warm start, and a short run of `anneal`.
// 2. PresolveConvex closes choices by reduced cost (solvers/convex_presolve.h).
//    If few binaries are left, those are linearized whole (McCormick)
//    and that one model ends it.
// 3. Otherwise the first cuts: at the relaxation's point, which alone give its
// bound to
//    the master, and by cutting planes between there and the master's own
//    relaxation (in-out).
// 4. Multi-tree: solve the master, to a gap of its own that shrinks with ours;
//    its plans go to the recorder and become cuts, until the bound meets the
//    best plan.
//
// The bound rests on the backend's, so it is as good as the backend's
// tolerances.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "solvers/allocation_problem.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/milp_backend.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/solve_result.h"

namespace bitpact {

// Whether step 1 anneals, or stands on the warm start and the master's plans
// alone, for tests.
enum class OuterStart { kAnneal, kNothing };

struct OuterApproximation {
  MilpBackend backend;
  // The master's continuous relaxation: its optimal columns; see
  // RelaxationByClp.
  std::function<Expected<double>(
      const MilpModel&, const SolveClock&, std::vector<double>*)>
      relax;
  OuterStart start = OuterStart::kAnneal;
  // Up to here what presolve leaves is linearized whole.
  int most_core_binaries = 90;
};

struct OuterOutcome {
  Limit limit = Limit::kNone;
  std::int64_t nodes = 0;  // the backend's, over all masters
  std::int64_t iterations = 0;
  std::string detail;
};

// Leaves plans and bound in the recorder. Needs a reduced problem with groups
// that folding did not prove infeasible. The shift takes O(V^3).
[[nodiscard]] Expected<OuterOutcome> SolveByOuterApproximation(
    const OuterApproximation& method,
    const AllocationProblem& problem,
    const ReducedProblem& reduced,
    const SolveOptions& options,
    const SolveClock& clock,
    IncumbentRecorder& recorder);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_OUTER_APPROXIMATION_H_
