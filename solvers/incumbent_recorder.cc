// SPDX-License-Identifier: Apache-2.0
#include "solvers/incumbent_recorder.h"

#include <algorithm>
#include <cmath>

namespace bitpact {

IncumbentRecorder::IncumbentRecorder(const AllocationProblem& problem,
                                     const SolveOptions& options,
                                     const SolveClock& clock)
    : problem_(problem),
      options_(options),
      clock_(clock),
      proof_tolerance_(ProofTolerance(problem)) {
  if (options.warm_start) Offer(*options.warm_start);
}

bool IncumbentRecorder::Offer(const Assignment& assignment) {
  if (!IsFeasible(problem_, assignment)) return false;
  ScoredPlan plan{assignment, Objective(problem_, assignment)};
  const auto at =
      std::lower_bound(pool_.begin(), pool_.end(), plan, PlanPrecedes);
  if (at != pool_.end() && *at == plan) return false;
  const bool is_best = at == pool_.begin();
  pool_.insert(at, std::move(plan));
  if (static_cast<int>(pool_.size()) > options_.pool_size) pool_.pop_back();
  if (is_best) {
    time_to_best_s_ = clock_.Seconds();
    Trace();
    if (options_.on_incumbent) options_.on_incumbent(pool_.front());
  }
  return is_best;
}

void IncumbentRecorder::RaiseBound(double bound) {
  if (bound > bound_) {
    bound_ = bound;
    Trace();
  }
}

void IncumbentRecorder::Trace() {
  trace_.push_back({clock_.Seconds(), Best(), bound_});
  if (options_.on_progress) options_.on_progress(trace_.back());
}

SolveResult IncumbentRecorder::Finish(Limit limit) const {
  SolveResult result;
  result.limit = limit;
  result.bound = bound_;
  result.pool = pool_;
  result.trace = trace_;
  result.presolve = presolve_;
  result.stats.time_s = clock_.Seconds();
  result.stats.time_to_best_s = time_to_best_s_;
  if (!pool_.empty()) {
    result.incumbent = pool_.front().assignment;
    result.objective = pool_.front().objective;
    // A bound above the incumbent by rounding says no more than the incumbent.
    result.bound = std::min(result.bound, result.objective);
    const bool is_closed = GapIsClosed(result.objective,
                                       result.bound,
                                       options_.relative_gap,
                                       proof_tolerance_);
    result.termination =
        is_closed ? Termination::kOptimal : Termination::kFeasible;
    if (is_closed) result.limit = Limit::kNone;
  } else if (bound_ == std::numeric_limits<double>::infinity()) {
    result.termination = Termination::kInfeasible;
    result.limit = Limit::kNone;
  }
  return result;
}

SolveResult IncumbentRecorder::Infeasible(const std::string& reason) {
  RaiseBound(std::numeric_limits<double>::infinity());
  SolveResult result = Finish(Limit::kNone);
  result.detail = reason;
  return result;
}

}  // namespace bitpact
