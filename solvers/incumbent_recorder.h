// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_INCUMBENT_RECORDER_H_
#define BITPACT_SOLVERS_INCUMBENT_RECORDER_H_

// Where a search reports the plans it meets: keeps the best distinct ones in
// the order of PlanPrecedes, scores them exactly, writes the trace, calls
// on_incumbent. A search thinks in approximate objectives; only what comes out
// of here is reported. Not thread-safe.

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "solvers/allocation_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/solve_result.h"

namespace bitpact {

class IncumbentRecorder {
 public:
  // Keeps references; offers options.warm_start, when there is one.
  IncumbentRecorder(const AllocationProblem& problem,
                    const SolveOptions& options,
                    const SolveClock& clock);

  // Scores and keeps the plan if it belongs into the pool; an infeasible one is
  // dropped. Returns whether the incumbent changed. O(units + pairs).
  bool Offer(const Assignment& assignment);

  // What was folded before the search, for the result.
  void NotePresolve(const PresolveCounts& counts) { presolve_ = counts; }

  // Raises the proven bound (never lowers it) and notes it in the trace.
  void RaiseBound(double bound);

  [[nodiscard]] bool HasIncumbent() const { return !pool_.empty(); }
  // The incumbent's objective; +infinity without one.
  [[nodiscard]] double Best() const {
    return pool_.empty() ? std::numeric_limits<double>::infinity()
                         : pool_.front().objective;
  }
  [[nodiscard]] const Assignment& BestAssignment() const {
    return pool_.front().assignment;
  }
  // An objective above this cannot enter the pool.
  [[nodiscard]] double Worst() const {
    return static_cast<int>(pool_.size()) < options_.pool_size
               ? std::numeric_limits<double>::infinity()
               : pool_.back().objective;
  }
  [[nodiscard]] double bound() const { return bound_; }
  // Best first.
  [[nodiscard]] const std::vector<ScoredPlan>& pool() const { return pool_; }

  // The result so far: pool, incumbent, bound, trace, times. Termination is
  // kOptimal when the gap is closed, else kFeasible or, without an incumbent,
  // kNoSolutionFound (kInfeasible when the bound is +infinity).
  [[nodiscard]] SolveResult Finish(Limit limit) const;

  // The result when folding alone proves that no plan exists: raises the bound
  // to +infinity, which is how infeasibility is claimed, and says why.
  [[nodiscard]] SolveResult Infeasible(const std::string& reason);

 private:
  void Trace();

  const AllocationProblem& problem_;
  const SolveOptions& options_;
  const SolveClock& clock_;
  double proof_tolerance_;
  double bound_ = -std::numeric_limits<double>::infinity();
  double time_to_best_s_ = 0.0;
  std::vector<ScoredPlan> pool_;
  std::vector<TracePoint> trace_;
  std::optional<PresolveCounts> presolve_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_INCUMBENT_RECORDER_H_
