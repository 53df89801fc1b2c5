// SPDX-License-Identifier: Apache-2.0
#include "solvers/relax_then_prove.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "solvers/anneal_solver.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/factored_relaxation.h"
#include "solvers/pool_fill.h"
#include "solvers/relax_round_solver.h"

namespace bitpact {
namespace {

constexpr double kAnnealTimeShare = 0.25;

using OpenChoices = std::vector<std::vector<char>>;

// The problem with every choice pinned that RelaxAndRound left alone.
AllocationProblem PinClosed(const AllocationProblem& problem,
                            const ReducedProblem& reduced,
                            const OpenChoices& open) {
  AllocationProblem core = problem;
  for (std::size_t g = 0; g < open.size(); ++g) {
    if (std::count(open[g].begin(), open[g].end(), '\1') != 1) continue;
    const auto choice = static_cast<std::size_t>(
        std::find(open[g].begin(), open[g].end(), '\1') - open[g].begin());
    for (const int unit : reduced.groups[g].units) {
      core.pins.push_back({unit, reduced.groups[g].options[choice]});
    }
  }
  return core;
}

// Binaries that are open; -1 when a group has nothing left, so that no plan is
// better than the incumbent.
int CountOpen(const OpenChoices& open) {
  int left = 0;
  for (const std::vector<char>& group : open) {
    const auto count =
        static_cast<int>(std::count(group.begin(), group.end(), '\1'));
    if (count == 0) return -1;
    left += count - 1;
  }
  return left;
}

}  // namespace

Expected<std::string> RelaxThenProve(const AllocationProblem& problem,
                                     const ReducedProblem& reduced,
                                     const SolveOptions& options,
                                     SolverPhases& phases) {
  IncumbentRecorder& recorder = phases.recorder();
  AnnealSolver anneal;
  BranchAndBoundSolver prove;
  FactoredRelaxation relaxation(reduced);
  SolveStats stats;
  RelaxAndRound(reduced, options, phases.clock(), relaxation, recorder, stats);
  phases.stats().nodes += stats.nodes;
  phases.stats().iterations += stats.iterations;
  if (!recorder.HasIncumbent()) {
    const Expected<void> done = phases.Run(anneal, {});
    if (!done) return tl::unexpected(done.error());
    return "no plan next to the relaxation, so annealed";
  }
  FillPool(reduced, options, recorder);
  std::string detail = "time is over after the relaxation";
  for (Solver* solver :
       {static_cast<Solver*>(&anneal), static_cast<Solver*>(&prove)}) {
    if (phases.IsOver()) break;
    const OpenChoices open = relaxation.OpenChoices(recorder.Best());
    const int left = CountOpen(open);
    if (left < 0) {
      recorder.RaiseBound(recorder.Best());
      return "reduced costs close all";
    }
    detail = "reduced costs leave " + std::to_string(left) + " binaries open";
    if (solver == &prove && left > kMostInCore) {
      return detail + ", too many for a proof";
    }
    const Phase phase{.time_share = solver == &anneal ? kAnnealTimeShare : 1.0};
    const Expected<void> done =
        phases.RunOnCore(*solver, PinClosed(problem, reduced, open), phase);
    if (!done) return tl::unexpected(done.error());
  }
  return detail;
}

}  // namespace bitpact
