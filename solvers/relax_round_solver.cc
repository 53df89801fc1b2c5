// SPDX-License-Identifier: Apache-2.0
#include "solvers/relax_round_solver.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "solvers/convex_presolve.h"
#include "solvers/factored_relaxation.h"
#include "solvers/plan_state.h"
#include "solvers/pool_fill.h"

namespace bitpact {
namespace {

constexpr std::int64_t kRounds = 400;
// Bound gains below this share of the objective's magnitude count as none.
constexpr double kProgress = 1e-7;

void OfferImproved(const ReducedProblem& reduced,
                   const Choices& choices,
                   IncumbentRecorder& recorder) {
  PlanState state(reduced);
  state.Reset(choices);
  if (!RepairOverflow(reduced, state)) return;
  DescendWithinLimits(reduced, state, reduced.NumVariables());
  recorder.Offer(reduced.Expand(state.choices()));
}

void RelaxDense(const ReducedProblem& reduced,
                const SolveClock& clock,
                IncumbentRecorder& recorder,
                SolveStats& stats) {
  // No cutoff: the bound must hold for all plans.
  const ConvexPresolve relaxed =
      PresolveConvex(reduced, std::numeric_limits<double>::infinity(), clock);
  ++stats.nodes;
  if (relaxed.is_closed) {
    recorder.RaiseBound(std::numeric_limits<double>::infinity());
    return;
  }
  recorder.RaiseBound(relaxed.bound);
  Choices choices = relaxed.model.fixed;
  for (const ConvexModel::Group& group : relaxed.model.groups) {
    double rest = 1.0;
    int best = group.has_reference ? 0 : 1;
    double most = -1.0;
    for (int c = 1; c < group.NumChoices(); ++c) {
      const double y =
          relaxed.point[static_cast<std::size_t>(group.first + c - 1)];
      rest -= y;
      if (y <= most) continue;
      most = y;
      best = c;
    }
    if (group.has_reference && rest >= most) best = 0;
    choices[static_cast<std::size_t>(group.reduced_group)] =
        group.reduced_choices[static_cast<std::size_t>(best)];
  }
  OfferImproved(reduced, choices, recorder);
}

}  // namespace

void RelaxAndRound(const ReducedProblem& reduced,
                   const SolveOptions& options,
                   const SolveClock& clock,
                   FactoredRelaxation& relaxation,
                   IncumbentRecorder& recorder,
                   SolveStats& stats) {
  const std::int64_t rounds = options.node_limit.value_or(kRounds);
  for (std::int64_t done = 0; done < rounds;) {
    const double before = relaxation.bound();
    const double magnitude = std::isfinite(before) ? std::abs(before) : 0.0;
    const auto now =
        static_cast<int>(std::min<std::int64_t>(20, rounds - done));
    relaxation.Improve(now, kProgress * magnitude, clock);
    done += now;
    stats.nodes = done;
    recorder.RaiseBound(relaxation.bound());
    if (clock.Reached(-1) != Limit::kNone) break;
    if (relaxation.bound() - before <= 2.0 * kProgress * magnitude) break;
  }
  stats.iterations = relaxation.steps();
  OfferImproved(reduced, relaxation.Rounded(), recorder);
}

SolverCapabilities RelaxRoundSolver::capabilities() const {
  return {.exact = false,
          .gives_bound = true,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = true,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false};
}

Expected<SolveResult> RelaxRoundSolver::Solve(const AllocationProblem& problem,
                                              const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  SolveStats stats;
  if (reduced.NumGroups() == 0) {
    recorder.Offer(reduced.Expand({}));
    recorder.RaiseBound(recorder.Best());
  } else if (reduced.pairs.has_factors() ||
             reduced.NumVariables() > kMostDense) {
    FactoredRelaxation relaxation(reduced);
    RelaxAndRound(reduced, options, clock, relaxation, recorder, stats);
  } else {
    RelaxDense(reduced, clock, recorder, stats);
  }
  FillPool(reduced, options, recorder);
  SolveResult result = recorder.Finish(clock.Reached(stats.nodes));
  result.stats.nodes = stats.nodes;
  result.stats.iterations = stats.iterations;
  return result;
}

}  // namespace bitpact
