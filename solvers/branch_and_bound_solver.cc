// SPDX-License-Identifier: Apache-2.0
#include "solvers/branch_and_bound_solver.h"

#include <string>

#include "solvers/annealed_start.h"
#include "solvers/choice_search.h"
#include "solvers/convex_model.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/pool_fill.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/two_way_search.h"

namespace bitpact {
namespace {

// The first incumbent of a two-way problem.
constexpr AnnealedStart kAnnealedStart{
    .work = 1e5, .least_sweeps = 200, .time_share = 0.2};

Expected<void> CheckSize(const ReducedProblem& reduced) {
  const int binaries = reduced.NumVariables();
  if (binaries > BranchAndBoundSolver::kMostBinaries) {
    return Fail(ErrorCode::kUnsupported,
                "branch-and-bound: " + std::to_string(binaries) +
                    " binaries; the most is " +
                    std::to_string(BranchAndBoundSolver::kMostBinaries));
  }
  if (BranchAndBoundSolver::IsSmallEnough(reduced)) return {};
  return Fail(ErrorCode::kUnsupported,
              "branch-and-bound: " + std::to_string(binaries) +
                  " binaries in " + std::to_string(CountCoordinates(reduced)) +
                  " coordinates; the most is " +
                  std::to_string(BranchAndBoundSolver::kMostCoordinates));
}

}  // namespace

bool BranchAndBoundSolver::IsSmallEnough(const ReducedProblem& reduced) {
  const int binaries = reduced.NumVariables();
  return binaries <= kMostCoordinates ||
         (binaries <= kMostBinaries &&
          CountCoordinates(reduced) <= kMostCoordinates);
}

SolverCapabilities BranchAndBoundSolver::capabilities() const {
  return {.exact = true,
          .gives_bound = true,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = true,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = true,
          .max_binaries = kMostBinaries};
}

Expected<SolveResult> BranchAndBoundSolver::Solve(
    const AllocationProblem& problem, const SolveOptions& options) {
  const SolveClock clock(options);
  ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  const Expected<void> fits = CheckSize(reduced);
  if (!fits) return tl::unexpected(fits.error());
  reduced.pairs.Expand();
  // One-hot problems are annealed when the root has closed most of them.
  if (reduced.NumGroups() > 0 && IsTwoWayModel(reduced) &&
      start_ == Start::kAnneal) {
    const Expected<void> annealed = OfferAnnealed(
        problem, reduced, options, clock, kAnnealedStart, recorder);
    if (!annealed) return tl::unexpected(annealed.error());
  }
  if (reduced.NumGroups() > 0 && IsTwoWayModel(reduced)) {
    TwoWaySearch search(
        problem, reduced, options, clock, recorder, start_ == Start::kAnneal);
    const Limit limit = search.Run();
    FillPool(reduced, options, recorder);
    SolveResult result = recorder.Finish(limit);
    result.detail = search.detail();
    result.stats.nodes = search.nodes();
    result.stats.iterations = search.iterations();
    result.root_certificate = search.certificate();
    if (result.root_certificate) {
      result.root_certificate->drops_dominated =
          ReduceFor(options).drop_dominated;
    }
    return result;
  }
  const ChoiceSearchSummary search = SearchChoices(
      problem, reduced, options, clock, recorder, start_ == Start::kAnneal);
  FillPool(reduced, options, recorder);
  SolveResult result = recorder.Finish(search.limit);
  result.detail = search.detail;
  result.stats.nodes = search.nodes;
  result.stats.iterations = search.iterations;
  result.root_certificate = search.certificate;
  if (result.root_certificate) {
    result.root_certificate->drops_dominated =
        ReduceFor(options).drop_dominated;
  }
  result.options["threads"].used = "1";
  return result;
}

}  // namespace bitpact
