// SPDX-License-Identifier: Apache-2.0
#include "solvers/anneal_solver.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/random.h"
#include "solvers/anneal_run.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/pool_fill.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr int kFirstSweeps = 60;
constexpr double kSweepGrowth = 1.15;
constexpr double kSweepWork = 2e7;
constexpr std::int64_t kMostSweeps = 20000;
constexpr std::int64_t kLeastSweeps = 200;

// The choice of each group with the least size, summed over resources relative
// to their mean step.
Choices SmallestChoices(const ReducedProblem& problem, const PlanState& state) {
  Choices smallest(static_cast<std::size_t>(problem.NumGroups()), 0);
  std::vector<double> weight;
  for (int k = 0; k < problem.NumResources(); ++k) {
    const double step = MeanSizeStep(problem, state, k);
    weight.push_back(step > 0.0 ? 1.0 / step : 0.0);
  }
  for (int g = 0; g < problem.NumGroups(); ++g) {
    double least = 0.0;
    const int choices =
        problem.groups[static_cast<std::size_t>(g)].NumChoices();
    for (int c = 1; c < choices; ++c) {
      double size = 0.0;
      for (int k = 0; k < problem.NumResources(); ++k) {
        size += weight[static_cast<std::size_t>(k)] *
                static_cast<double>(state.Size(k, g, c));
      }
      if (size >= least) continue;
      least = size;
      smallest[static_cast<std::size_t>(g)] = c;
    }
  }
  return smallest;
}

// All runs of one solve.
class Annealer {
 public:
  Annealer(const ReducedProblem& problem,
           const SolveOptions& options,
           const SolveClock& clock,
           IncumbentRecorder& recorder)
      : problem_(problem),
        options_(options),
        clock_(clock),
        recorder_(recorder),
        state_(problem),
        tolerance_(1e-12 * problem.scale) {
    sweeps_wanted_ =
        std::clamp(static_cast<std::int64_t>(
                       kSweepWork / std::max(1, problem.NumVariables())),
                   kLeastSweeps,
                   kMostSweeps);
    if (options.node_limit) sweeps_wanted_ = *options.node_limit;
  }

  void Start() {
    StartGreedy();
    greedy_ = state_.choices();
    prices_ = ComputeAnnealPrices(problem_, state_);
    smallest_ = SmallestChoices(problem_, state_);
  }

  // Returns the limit that ended the runs; kNone when the schedule is done.
  Limit RunAll() {
    for (std::uint64_t index = 0; sweeps_ < sweeps_wanted_; ++index) {
      const Limit limit = RunOnce(index);
      if (limit != Limit::kNone) return limit;
    }
    return options_.node_limit ? Limit::kNodes : Limit::kNone;
  }

  [[nodiscard]] std::int64_t sweeps() const { return sweeps_; }

 private:
  void StartGreedy() {
    if (options_.warm_start) {
      state_.Reset(problem_.Contract(*options_.warm_start));
    }
    FinishPlan();
  }

  // Brings the plan within limits, improves it and reports it.
  void FinishPlan() {
    if (!RepairOverflow(problem_, state_)) return;
    DescendWithinLimits(problem_, state_, problem_.NumVariables());
    if (state_.objective() <= recorder_.Worst() + tolerance_) {
      recorder_.Offer(problem_.Expand(state_.choices()));
    }
  }

  Limit RunOnce(std::uint64_t index) {
    const AnnealSchedule& schedule =
        problem_.NumResources() > 0 ? kAnnealWithLimits : kAnnealWithoutLimits;
    AnnealRun run(problem_,
                  prices_,
                  schedule,
                  RandomStream(options_.seed, "solvers/anneal", index),
                  state_);
    if (index % 2 == 0) {
      state_.Reset(greedy_);
    } else {
      run.Randomize(smallest_);
    }
    const auto length = static_cast<std::int64_t>(
        kFirstSweeps *
        std::pow(kSweepGrowth, std::floor(0.5 * static_cast<double>(index))));
    const std::int64_t sweeps = std::min(length, sweeps_wanted_ - sweeps_);
    const double unit =
        std::max(prices_.typical_change, std::numeric_limits<double>::min());
    const double cooling = std::pow(schedule.coldest / schedule.hottest,
                                    1.0 / static_cast<double>(sweeps));
    double temperature = schedule.hottest * unit;
    double target = recorder_.Best() - tolerance_;
    Choices best;
    Limit limit = Limit::kNone;
    for (std::int64_t s = 0; s < sweeps && limit == Limit::kNone; ++s) {
      run.Sweep(temperature, target, best);
      temperature *= cooling;
      run.AdaptPenalty();
      ++sweeps_;
      limit = clock_.Reached(0);
    }
    if (!best.empty()) recorder_.Offer(problem_.Expand(best));
    // Many moves pile up rounding; the end of a run is computed afresh.
    state_.Reset(Choices(state_.choices()));
    FinishPlan();
    return limit;
  }

  const ReducedProblem& problem_;
  const SolveOptions& options_;
  const SolveClock& clock_;
  IncumbentRecorder& recorder_;
  PlanState state_;
  double tolerance_;
  AnnealPrices prices_;
  Choices greedy_;
  Choices smallest_;
  std::int64_t sweeps_wanted_ = 0;
  std::int64_t sweeps_ = 0;
};

}  // namespace

SolverCapabilities AnnealSolver::capabilities() const {
  return {.exact = false,
          .gives_bound = false,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = true,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false};
}

Expected<SolveResult> AnnealSolver::Solve(const AllocationProblem& problem,
                                          const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  if (reduced.NumGroups() == 0) {
    recorder.Offer(reduced.Expand({}));
    return recorder.Finish(Limit::kNone);
  }
  Annealer annealer(reduced, options, clock, recorder);
  annealer.Start();
  const Limit limit = annealer.RunAll();
  FillPool(reduced, options, recorder);
  SolveResult result = recorder.Finish(limit);
  result.stats.nodes = annealer.sweeps();
  result.stats.iterations = annealer.sweeps() * reduced.NumVariables();
  return result;
}

}  // namespace bitpact
