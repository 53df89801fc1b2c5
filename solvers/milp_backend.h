// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_MILP_BACKEND_H_
#define BITPACT_SOLVERS_MILP_BACKEND_H_

// What every third-party code for mixed-integer linear models is behind: one
// function from a model to an outcome, all in the model's own columns and
// values.

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "core/error.h"
#include "solvers/milp_model.h"
#include "solvers/solve_clock.h"

namespace bitpact {

struct MilpRequest {
  // Of the model's value.
  double relative_gap = 1e-7;
  std::uint64_t seed = 1;
  // Branch-and-cut nodes at most.
  std::optional<std::int64_t> node_limit = {};
  // One of many small models with few new rows each: no cuts, no heuristics.
  bool is_one_of_many = false;
  // Values of all columns to start from; empty for none. A backend may ignore
  // what it finds infeasible.
  std::vector<double> start = {};
  // Called with the column values of each solution that the backend reports,
  // best last, on the calling thread. Whole columns are whole only to the
  // backend's tolerance.
  std::function<void(std::span<const double>)> on_solution = {};
};

struct MilpOutcome {
  // The backend says that its last solution is optimal within the gap.
  bool is_proven = false;
  // The backend says that the model has no solution.
  bool is_infeasible = false;
  // What the backend claims that no solution is below, lowered by a margin for
  // its tolerances unless is_proven; -infinity for no claim.
  double bound = -std::numeric_limits<double>::infinity();
  std::int64_t nodes = 0;
  std::int64_t iterations = 0;
};

// `clock` says when to stop. kInternal is a backend that failed. Not reentrant
// for backends with global state: they lock.
using MilpBackend =
    std::function<Expected<MilpOutcome>(const MilpModel& milp,
                                        const MilpRequest& request,
                                        const SolveClock& clock)>;

// An unfinished search's bound, lowered for a backend that works to tolerances
// of 1e-7 on rows and whole numbers.
[[nodiscard]] inline double LoweredBound(double bound) {
  return bound - 1e-6 * (1.0 + (bound < 0.0 ? -bound : bound));
}

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_MILP_BACKEND_H_
