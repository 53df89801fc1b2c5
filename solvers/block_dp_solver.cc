// SPDX-License-Identifier: Apache-2.0
#include "solvers/block_dp_solver.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "solvers/block_plans.h"
#include "solvers/choice_knapsack.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/pool_fill.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/unit_clusters.h"

namespace bitpact {
namespace {

// Sums of one number a group round far below this share of the objective's
// scale, which in turn is below ProofTolerance.
constexpr double kRounding = 2e-12;
constexpr std::int64_t kMostStates = 400'000'000;

// Empty when the method applies.
std::string WhyNot(const ReducedProblem& problem,
                   const std::vector<UnitCluster>& blocks) {
  if (problem.NumResources() > 1) {
    return std::to_string(problem.NumResources()) +
           " resources that bind; it takes one";
  }
  for (const UnitCluster& block : blocks) {
    if (NumPlans(problem, block) <= BlockDpSolver::kMostBlockPlans) continue;
    return std::string(problem.pairs.has_factors() ? "low-rank pair terms"
                                                   : "pair terms") +
           " that couple " + std::to_string(block.size()) + " units (unit " +
           std::to_string(FirstUnit(problem, block)) +
           " is the first): more than 2^28 plans together";
  }
  return {};
}

// A plan to stop with, and one that the dynamic programme must beat.
void OfferLocalSearch(const ReducedProblem& reduced,
                      IncumbentRecorder& recorder) {
  PlanState state(reduced);
  if (!RepairOverflow(reduced, state)) return;
  DescendWithinLimits(reduced, state, reduced.NumVariables());
  recorder.Offer(reduced.Expand(state.choices()));
}

class Search {
 public:
  Search(const ReducedProblem& reduced,
         const std::vector<UnitCluster>& blocks,
         const SolveClock& clock,
         IncumbentRecorder& recorder)
      : reduced_(reduced),
        blocks_(blocks),
        clock_(clock),
        recorder_(recorder) {}

  void Run() {
    std::vector<KnapsackClass> classes;
    for (const UnitCluster& block : blocks_) {
      classes.push_back(ParetoPlans(
          reduced_,
          block,
          [this](std::int64_t nodes) { return MustStop(nodes); },
          nodes_));
      if (limit_ != Limit::kNone) return;
      kept_ += classes.back().size();
    }
    Combine(std::move(classes));
  }

  [[nodiscard]] Limit limit() const { return limit_; }
  [[nodiscard]] std::int64_t nodes() const { return nodes_ + states_; }
  [[nodiscard]] std::string Detail() const {
    return std::to_string(blocks_.size()) + " blocks of " +
           std::to_string(nodes_) + " plans together, " +
           std::to_string(kept_) + " of them on the fronts" +
           (limit_ == Limit::kNone ? "" : ", not finished");
  }

 private:
  bool MustStop(std::int64_t nodes) {
    limit_ = clock_.Reached(nodes);
    return limit_ != Limit::kNone;
  }

  void Combine(std::vector<KnapsackClass> classes) {
    const std::int64_t capacity =
        reduced_.NumResources() == 0 ? 0 : reduced_.limits[0];
    ChoiceKnapsack knapsack(
        std::move(classes), capacity, kRounding * reduced_.scale);
    knapsack.Run(
        recorder_.Best() - reduced_.constant,
        [this](const std::vector<std::int64_t>& codes, double) {
          Choices choices(static_cast<std::size_t>(reduced_.NumGroups()), 0);
          for (std::size_t i = 0; i < codes.size(); ++i) {
            DecodePlan(reduced_, blocks_[i], codes[i], choices);
          }
          recorder_.Offer(reduced_.Expand(choices));
        },
        [this](std::int64_t states) {
          if (!MustStop(nodes_ + states) && states > kMostStates) {
            limit_ = Limit::kNodes;
          }
          return limit_ != Limit::kNone;
        });
    states_ = knapsack.states();
    recorder_.RaiseBound(reduced_.constant + knapsack.bound());
  }

  const ReducedProblem& reduced_;
  const std::vector<UnitCluster>& blocks_;
  const SolveClock& clock_;
  IncumbentRecorder& recorder_;
  Limit limit_ = Limit::kNone;
  std::int64_t nodes_ = 0;  // plans enumerated
  std::int64_t states_ = 0;
  std::size_t kept_ = 0;
};

}  // namespace

SolverCapabilities BlockDpSolver::capabilities() const {
  return {.exact = true,
          .gives_bound = true,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = true,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .needs_structure = true,
          .threads = false};
}

Expected<SolveResult> BlockDpSolver::Solve(const AllocationProblem& problem,
                                           const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  const std::vector<UnitCluster> blocks = FindClusters(reduced);
  const std::string why_not = WhyNot(reduced, blocks);
  if (!why_not.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "solver 'block-dp' does not support: " + why_not);
  }
  OfferLocalSearch(reduced, recorder);
  Search search(reduced, blocks, clock, recorder);
  search.Run();
  FillPool(reduced, options, recorder);
  SolveResult result = recorder.Finish(search.limit());
  result.stats.nodes = search.nodes();
  result.detail = search.Detail();
  return result;
}

}  // namespace bitpact
