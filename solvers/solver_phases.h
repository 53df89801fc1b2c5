// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_SOLVER_PHASES_H_
#define BITPACT_SOLVERS_SOLVER_PHASES_H_

// Several solvers in sequence that look like one: one clock, one incumbent, one
// pool, one trace. Each starts from the best plan so far; its plans and bounds
// enter the trace, and on_incumbent and on_progress are called, when they are
// found and not when it ends. The last root certificate of the whole problem is
// kept.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "core/error.h"
#include "solvers/allocation_problem.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/solve_clock.h"
#include "solvers/solve_result.h"
#include "solvers/solver.h"

namespace bitpact {

struct Phase {
  // Of the time that is left, when there is a time limit.
  double time_share = 1.0;
  // On top of options.node_limit, which holds for each phase by itself.
  std::int64_t node_limit = std::numeric_limits<std::int64_t>::max();
};

class SolverPhases {
 public:
  // Keeps references.
  SolverPhases(const AllocationProblem& problem, const SolveOptions& options)
      : problem_(problem),
        options_(options),
        clock_(options),
        recorder_(problem, options, clock_) {}

  // The whole problem. What the solver fails with, this fails with; what other
  // phases found stays.
  Expected<void> Run(Solver& solver, const Phase& phase);

  // The problem with some choices pinned. Must be called only when every plan
  // outside is no better than the incumbent: then a bound of the core is one of
  // all plans up to the incumbent's objective.
  Expected<void> RunOnCore(Solver& solver,
                           const AllocationProblem& core,
                           const Phase& phase);

  // The incumbent is proven, no plan exists, or time or patience is over.
  [[nodiscard]] bool IsOver() const;
  [[nodiscard]] bool IsProven() const;

  [[nodiscard]] const SolveClock& clock() const { return clock_; }
  [[nodiscard]] IncumbentRecorder& recorder() { return recorder_; }
  // Sums over all phases.
  [[nodiscard]] SolveStats& stats() { return stats_; }
  // What the last phase says about itself.
  [[nodiscard]] const std::string& detail() const { return detail_; }

  // All of the phases together; `detail` is left to the caller.
  [[nodiscard]] SolveResult Finish() const;

 private:
  [[nodiscard]] SolveOptions PhaseOptions(const Phase& phase) const;
  void Keep(const Solver& solver, const SolveResult& result);

  const AllocationProblem& problem_;
  const SolveOptions& options_;
  SolveClock clock_;
  IncumbentRecorder recorder_;
  SolveStats stats_;
  Limit limit_ = Limit::kNone;
  std::string detail_;
  bool uses_threads_ = false;
  std::optional<RootCertificate> certificate_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_SOLVER_PHASES_H_
