// SPDX-License-Identifier: Apache-2.0
#include "solvers/auto_solver.h"

#include <string>
#include <utility>
#include <vector>

#include "solvers/anneal_solver.h"
#include "solvers/block_dp_solver.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/dp_solver.h"
#include "solvers/enumerate_solver.h"
#include "solvers/lagrangian_qkp_solver.h"
#include "solvers/qkp_model.h"
#include "solvers/reduced_problem.h"
#include "solvers/relax_then_prove.h"
#include "solvers/solver_phases.h"
#include "solvers/unit_clusters.h"

namespace bitpact {
namespace {

constexpr double kDpTimeShare = 0.5;
constexpr double kProofTimeShare = 0.8;

bool IsLarge(const ReducedProblem& reduced) {
  return reduced.pairs.has_factors() ||
         !BranchAndBoundSolver::IsSmallEnough(reduced);
}

bool IsKnapsack(const ReducedProblem& reduced) {
  return !reduced.pairs.has_factors() &&
         reduced.NumVariables() <= AutoSolver::kMostKnapsackItems &&
         MakeQkpModel(reduced).has_value();
}

double Combinations(const ReducedProblem& reduced) {
  double combinations = 1.0;
  for (const ReducedGroup& group : reduced.groups) {
    combinations *= group.NumChoices();
  }
  return combinations;
}

// Several, since one block alone is what branch-and-bound proves without
// looking at every plan.
bool HasSmallBlocks(const ReducedProblem& reduced) {
  if (reduced.NumResources() > 1) return false;
  const std::vector<UnitCluster> blocks = FindClusters(reduced);
  double plans = 0.0;
  for (const UnitCluster& block : blocks) plans += NumPlans(reduced, block);
  return blocks.size() > 1 &&
         plans <= static_cast<double>(AutoSolver::kMostBlockPlans);
}

std::string SizeText(const ReducedProblem& reduced) {
  return std::to_string(reduced.NumGroups()) + " free units, " +
         std::to_string(reduced.NumVariables()) + " binaries";
}

class Choice {
 public:
  Choice(const AllocationProblem& problem, const SolveOptions& options)
      : problem_(problem),
        options_(options),
        phases_(problem, options),
        reduced_(Reduce(problem, ReduceFor(options))) {
    phases_.recorder().NotePresolve(reduced_.counts);
  }

  Expected<SolveResult> Run() {
    if (reduced_.infeasible) {
      return phases_.recorder().Infeasible(*reduced_.infeasible);
    }
    Expected<void> done = RunExact();
    if (done && !phases_.IsOver()) {
      AnnealSolver anneal;
      done = Try(anneal, "for a better plan", {});
    }
    if (!done) return tl::unexpected(done.error());
    SolveResult result = phases_.Finish();
    result.detail = std::move(detail_);
    return result;
  }

 private:
  Expected<void> RunExact() {
    if (Combinations(reduced_) <= AutoSolver::kMostEnumerated) {
      EnumerateSolver enumerate;
      const Expected<void> done =
          Try(enumerate, "since few enough combinations", {});
      if (!done || phases_.IsOver()) return done;
    }
    Expected<void> done;
    if (DpRefusal(reduced_).empty()) {
      DpSolver dp;
      done = Try(dp,
                 problem_.pairs.empty()
                     ? "since there are no pair terms"
                     : "since pair terms couple few units at a time",
                 {.time_share = kDpTimeShare,
                  .node_limit = AutoSolver::kMostDpStates});
      if (!done || phases_.IsOver()) return done;
    } else if (HasSmallBlocks(reduced_)) {
      BlockDpSolver block_dp;
      done = Try(block_dp,
                 "since pair terms stay inside blocks",
                 {.time_share = kDpTimeShare,
                  .node_limit = 2 * AutoSolver::kMostBlockPlans});
      if (!done || phases_.IsOver()) return done;
    }
    if (IsKnapsack(reduced_)) {
      LagrangianQkpSolver knapsack;
      done = Try(knapsack,
                 "since no pair cost of the knapsack is above zero",
                 {.time_share = kProofTimeShare});
      // What it cannot prove, others cannot either; a refusal is different.
      if (!done || was_accepted_ || phases_.IsOver()) return done;
    }
    if (IsLarge(reduced_)) return RunLarge();
    BranchAndBoundSolver prove;
    return Try(
        prove, "since too many to enumerate", {.time_share = kProofTimeShare});
  }

  // Runs it on the whole problem. A refusal is no failure: it is noted, and the
  // next solver's turn.
  Expected<void> Try(Solver& solver, const std::string& why, Phase phase) {
    Note(std::string(solver.name()) + ", " + why);
    const Expected<void> done = phases_.Run(solver, phase);
    was_accepted_ = done.has_value();
    if (!done && done.error().code == ErrorCode::kUnsupported) {
      detail_ += ": refused: " + done.error().message;
      return {};
    }
    if (done && !phases_.detail().empty()) detail_ += ": " + phases_.detail();
    return done;
  }

  Expected<void> RunLarge() {
    Note(reduced_.pairs.has_factors()
             ? "relax-round, then the rest, since pairs are low-rank"
             : "relax-round, then the rest, since too large for a matrix");
    const Expected<std::string> done =
        RelaxThenProve(problem_, reduced_, options_, phases_);
    if (!done) return tl::unexpected(done.error());
    detail_ += ": " + *done;
    return {};
  }

  // The first note is followed by the size that all of them depend on.
  void Note(const std::string& text) {
    detail_ += detail_.empty() ? text + " (" + SizeText(reduced_) + ")"
                               : "; then " + text;
  }

  const AllocationProblem& problem_;
  const SolveOptions& options_;
  SolverPhases phases_;  // the clock starts here
  ReducedProblem reduced_;
  std::string detail_;
  bool was_accepted_ = false;
};

}  // namespace

SolverCapabilities AutoSolver::capabilities() const {
  SolverCapabilities can = BranchAndBoundSolver().capabilities();
  can.max_binaries = AnnealSolver().capabilities().max_binaries;
  return can;
}

Expected<SolveResult> AutoSolver::Solve(const AllocationProblem& problem,
                                        const SolveOptions& options) {
  return Choice(problem, options).Run();
}

}  // namespace bitpact
