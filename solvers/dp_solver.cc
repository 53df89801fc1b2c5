// SPDX-License-Identifier: Apache-2.0
#include "solvers/dp_solver.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "solvers/choice_knapsack.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/pool_fill.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/unit_clusters.h"

namespace bitpact {
namespace {

// States are sums of at most as many numbers as there are groups; their
// rounding stays far below this share of the objective's scale, which in turn
// is below ProofTolerance.
constexpr double kRounding = 2e-12;
constexpr std::int64_t kMostStates = 400'000'000;

// All plans of one cluster, numbered as DecodePlan wants them.
class ClusterPlans {
 public:
  ClusterPlans(const ReducedProblem& problem, const UnitCluster& cluster)
      : problem_(problem), cluster_(cluster) {
    items_.reserve(static_cast<std::size_t>(NumPlans(problem, cluster)));
    Extend(0, {});
    KeepParetoItems(items_);
  }

  KnapsackClass Take() { return std::move(items_); }

 private:
  void Extend(std::size_t depth, const KnapsackItem& partial) {
    if (depth == cluster_.size()) {
      items_.push_back(partial);
      return;
    }
    const auto& group =
        problem_.groups[static_cast<std::size_t>(cluster_[depth])];
    for (int c = 0; c < group.NumChoices(); ++c) {
      KnapsackItem item = partial;
      item.code = partial.code * group.NumChoices() + c;
      const int variable = problem_.VariableOf(cluster_[depth], c);
      if (variable >= 0) {
        const auto v = static_cast<std::size_t>(variable);
        item.cost += problem_.linear[v];
        for (const int other : taken_) {
          item.cost += problem_.pairs.At(variable, other);
        }
        if (!problem_.sizes.empty()) item.size += problem_.sizes[0][v];
        taken_.push_back(variable);
      }
      Extend(depth + 1, item);
      if (variable >= 0) taken_.pop_back();
    }
  }

  const ReducedProblem& problem_;
  const UnitCluster& cluster_;
  std::vector<int> taken_;
  KnapsackClass items_;
};

// Empty when the method applies.
std::string WhyNot(const ReducedProblem& problem,
                   const std::vector<UnitCluster>& clusters) {
  if (problem.NumResources() > 1) {
    return std::to_string(problem.NumResources()) +
           " resources that bind; it takes one";
  }
  for (const UnitCluster& cluster : clusters) {
    if (NumPlans(problem, cluster) <= DpSolver::kMostClusterPlans) continue;
    return "pair terms that couple " + std::to_string(cluster.size()) +
           " units (unit " + std::to_string(FirstUnit(problem, cluster)) +
           " is the first): more than 2^20 plans together";
  }
  return {};
}

}  // namespace

std::string DpRefusal(const ReducedProblem& problem) {
  return WhyNot(problem, FindClusters(problem));
}

SolverCapabilities DpSolver::capabilities() const {
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

Expected<SolveResult> DpSolver::Solve(const AllocationProblem& problem,
                                      const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  const std::vector<UnitCluster> clusters = FindClusters(reduced);
  const std::string why_not = WhyNot(reduced, clusters);
  if (!why_not.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "solver 'dp' does not support: " + why_not);
  }
  std::vector<KnapsackClass> classes;
  for (const UnitCluster& cluster : clusters) {
    classes.push_back(ClusterPlans(reduced, cluster).Take());
  }
  const std::int64_t capacity =
      reduced.NumResources() == 0 ? 0 : reduced.limits[0];
  ChoiceKnapsack knapsack(
      std::move(classes), capacity, kRounding * reduced.scale);
  Limit limit = Limit::kNone;
  const bool is_complete = knapsack.Run(
      recorder.Best() - reduced.constant,
      [&](const std::vector<std::int64_t>& codes, double) {
        Choices choices(static_cast<std::size_t>(reduced.NumGroups()), 0);
        for (std::size_t i = 0; i < codes.size(); ++i) {
          DecodePlan(reduced, clusters[i], codes[i], choices);
        }
        recorder.Offer(reduced.Expand(choices));
      },
      [&](std::int64_t states) {
        limit = clock.Reached(states);
        if (limit == Limit::kNone && states > kMostStates)
          limit = Limit::kNodes;
        return limit != Limit::kNone;
      });
  recorder.RaiseBound(reduced.constant + knapsack.bound());
  FillPool(reduced, options, recorder);
  SolveResult result = recorder.Finish(limit);
  result.stats.nodes = knapsack.states();
  result.detail = std::to_string(clusters.size()) + " classes" +
                  (is_complete ? "" : ", not finished: the bound is the LP's");
  return result;
}

}  // namespace bitpact
