// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_SOLVER_H_
#define BITPACT_SOLVERS_SOLVER_H_

// What every solver is. Callers go through SolveAndCheck
// (solvers/plan_checker.h), which validates the input, refuses what the solver
// cannot do and checks the answer; nobody calls Solve and trusts it. How to add
// one: solvers/solver_template.h.

#include <cstdint>
#include <limits>
#include <string_view>

#include "core/error.h"
#include "solvers/allocation_problem.h"
#include "solvers/solve_result.h"

namespace bitpact {

struct SolverCapabilities {
  // Without limits it ends with kOptimal or kInfeasible.
  bool exact = false;
  // Its results carry a bound that is a proof.
  bool gives_bound = false;
  bool warm_start = false;
  bool time_limit = false;
  bool node_limit = false;
  // pool_size > 1.
  bool pool = false;
  // Units with another number of options than two.
  bool multiple_options = false;
  bool multiple_resources = false;
  bool pair_terms = false;
  // Within all of this it still takes certain problems only (pair terms inside
  // clusters, say); Solve looks and answers kUnsupported for others. It takes
  // every problem without pair terms whose units have two options and whose
  // resources are one at most.
  bool needs_structure = false;
  // Uses more than one thread when asked; others run on one and say so.
  bool threads = false;
  // The largest problem it accepts, counted after pins and ties are folded and
  // an option that can never be taken is dropped.
  int max_free_units = std::numeric_limits<int>::max();
  int max_binaries = std::numeric_limits<int>::max();
};

class Solver {
 public:
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;
  virtual ~Solver() = default;

  // As in the factory; stored in files.
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual SolverCapabilities capabilities() const = 0;

  // Needs Validate(problem) and Validate(options) to have passed and a feasible
  // warm start. Infeasibility and limits are outcomes. kUnsupported names what
  // the solver cannot express or how much too large the problem is; kInternal
  // is a backend that failed. Keeps no state: a solver may be used again, by
  // one thread at a time.
  [[nodiscard]] virtual Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) = 0;

 protected:
  Solver() = default;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_SOLVER_H_
