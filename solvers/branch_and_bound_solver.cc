// SPDX-License-Identifier: Apache-2.0
#include "solvers/branch_and_bound_solver.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "solvers/anneal_solver.h"
#include "solvers/convex_model.h"
#include "solvers/convex_relaxation.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"
#include "solvers/two_way_search.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr ConvexRelaxation::Effort kRootEffort{.rounds = 200, .patience = 10};
constexpr ConvexRelaxation::Effort kNodeEffort{.rounds = 6, .patience = 1};
constexpr int kMostRootPasses = 12;
// A pass at the root is repeated while it closes at least this share.
constexpr double kRootProgress = 0.05;
// Sweeps of the annealer that makes the first incumbent, and its share of the
// time limit.
constexpr double kAnnealWork = 2e5;
// Two-way proofs are quick enough for a short start to pay.
constexpr double kTwoWayAnnealWork = 1e5;
constexpr std::int64_t kLeastAnnealSweeps = 300;
constexpr std::int64_t kLeastTwoWaySweeps = 200;
constexpr std::int64_t kMostAnnealSweeps = 3000;
constexpr double kAnnealTimeShare = 0.2;
// Beyond this much memory for open nodes, the worst is expanded first: such
// nodes close soon and the queue stops growing.
constexpr std::size_t kNodeMemory = std::size_t{512} << 20U;
// Every so many nodes a plan is made from the relaxation's point.
constexpr std::int64_t kNodesPerRounding = 64;

struct OpenNode {
  RelaxationNode relaxation;
  ConvexRelaxation::Branch branch;
};

class BranchAndBound {
 public:
  BranchAndBound(const AllocationProblem& problem,
                 const ReducedProblem& reduced,
                 const SolveOptions& options,
                 const SolveClock& clock,
                 IncumbentRecorder& recorder,
                 BranchAndBoundSolver::Start start)
      : reduced_(reduced),
        options_(options),
        clock_(clock),
        recorder_(recorder),
        start_(start),
        proof_tolerance_(ProofTolerance(problem)) {}

  // Returns the limit that ended it; the recorder then has plan and bound.
  Limit Run() {
    domain_ = FullDomain(reduced_);
    ConvexModel model;
    if (!ReduceAtRoot(model)) return CloseProof();
    if (limit_ != Limit::kNone) return limit_;
    ConvexRelaxation relaxation(model);
    Search(model, relaxation);
    iterations_ += relaxation.steps();
    return limit_ == Limit::kNone ? CloseProof() : limit_;
  }

  [[nodiscard]] std::int64_t nodes() const { return nodes_; }
  [[nodiscard]] std::int64_t iterations() const { return iterations_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }

 private:
  // Plans at or above this are not worth finding.
  [[nodiscard]] double Cutoff() const {
    const double best = recorder_.Best();
    if (!std::isfinite(best)) return kInfinity;
    const double gap = options_.relative_gap * std::max(1e-9, std::abs(best));
    return best - std::max(0.9 * gap, 0.5 * proof_tolerance_);
  }

  // Everything is closed: no plan is below the cutoff.
  Limit CloseProof() {
    recorder_.RaiseBound(Cutoff());
    return Limit::kNone;
  }

  [[nodiscard]] std::size_t NumOpen(const Domain& domain) const {
    std::size_t open = 0;
    for (const auto& group : domain) {
      const auto count = std::count(group.begin(), group.end(), 1);
      if (count > 1) open += static_cast<std::size_t>(count) - 1;
    }
    return open;
  }

  void OfferPlan(const Choices& choices) {
    if (start_ == BranchAndBoundSolver::Start::kNothing) return;
    PlanState state(reduced_);
    state.Reset(choices);
    if (!RepairOverflow(reduced_, state)) return;
    DescendWithinLimits(reduced_, state, reduced_.NumVariables());
    if (state.objective() <= recorder_.Worst()) {
      recorder_.Offer(reduced_.Expand(state.choices()));
    }
  }

  void CountNode() {
    ++nodes_;
    limit_ = clock_.Reached(nodes_);
  }

  // One relaxation of the whole domain; closes what it can in `domain`. False
  // when nothing is open below the cutoff.
  bool TightenRoot(const ConvexModel& model,
                   Domain& domain,
                   std::vector<double>& multipliers,
                   double& bound) {
    ConvexRelaxation relaxation(model);
    RelaxationNode root = relaxation.Root();
    root.multipliers = multipliers;
    const bool is_open = relaxation.Tighten(root, Cutoff(), kRootEffort);
    CountNode();
    iterations_ += relaxation.steps();
    bound = root.bound;
    multipliers = root.multipliers;
    if (!is_open) return false;
    for (std::size_t g = 0; g < model.groups.size(); ++g) {
      const ConvexModel::Group& group = model.groups[g];
      auto& open = domain[static_cast<std::size_t>(group.reduced_group)];
      for (int c = 0; c < group.NumChoices(); ++c) {
        if (!relaxation.IsOpen(root, static_cast<int>(g), c)) {
          open[static_cast<std::size_t>(
              group.reduced_choices[static_cast<std::size_t>(c)])] = 0;
        }
      }
    }
    OfferPlan(relaxation.Rounded(root));
    return true;
  }

  // Tightens, closes, compresses, and leaves the model to search. False when
  // the root alone is the proof.
  bool ReduceAtRoot(ConvexModel& model) {
    std::vector<double> multipliers(reduced_.limits.size(), 0.0);
    const std::size_t open_at_start = NumOpen(domain_);
    for (int pass = 0; pass < kMostRootPasses; ++pass) {
      const std::size_t open_before = NumOpen(domain_);
      ConvexModel best;
      double best_bound = -kInfinity;
      std::size_t best_open = std::numeric_limits<std::size_t>::max();
      for (const Shift shift : {Shift::kScaled, Shift::kSemidefinite}) {
        ConvexModel tried =
            MakeConvexModel(reduced_, domain_, shift, multipliers);
        if (tried.groups.empty()) {
          recorder_.Offer(reduced_.Expand(tried.fixed));
          return false;
        }
        double bound = -kInfinity;
        if (!TightenRoot(tried, domain_, multipliers, bound)) return false;
        recorder_.RaiseBound(std::min(bound, Cutoff()));
        if (limit_ != Limit::kNone) return true;
        const std::size_t open = NumOpen(domain_);
        // The second shift starts from what the first has closed, so it must
        // close more, or bound clearly better, to be kept.
        if (open < best_open || bound > best_bound) {
          best_open = open;
          best_bound = bound;
          best = std::move(tried);
        }
      }
      model = std::move(best);
      const auto closed = static_cast<double>(open_before - best_open);
      if (closed < kRootProgress * static_cast<double>(open_before)) break;
    }
    detail_ = std::to_string(NumOpen(domain_)) + " of " +
              std::to_string(open_at_start) + " binaries open after the root";
    return true;
  }

  void Push(RelaxationNode node, ConvexRelaxation::Branch branch) {
    const std::pair<double, std::int64_t> key(node.bound, next_id_++);
    open_.emplace(key, OpenNode{std::move(node), branch});
  }

  [[nodiscard]] OpenNode Pop(const ConvexModel& model) {
    const std::size_t node_bytes =
        model.linear.size() * (sizeof(float) + 2) + 256;
    const bool is_large = open_.size() * node_bytes > kNodeMemory;
    const auto at = is_large ? std::prev(open_.end()) : open_.begin();
    OpenNode node = std::move(at->second);
    open_.erase(at);
    return node;
  }

  void DropAboveCutoff() {
    open_.erase(open_.lower_bound({Cutoff(), 0}), open_.end());
  }

  // Tightens a child; keeps it, or its plan when nothing is left to decide.
  void Examine(ConvexRelaxation& relaxation, RelaxationNode node) {
    const bool is_open = relaxation.Tighten(node, Cutoff(), kNodeEffort);
    CountNode();
    if (!is_open) return;
    const ConvexRelaxation::Branch branch = relaxation.ChooseBranch(node);
    if (branch.group < 0) {
      recorder_.Offer(reduced_.Expand(relaxation.Rounded(node)));
      return;
    }
    if (nodes_ % kNodesPerRounding == 0) {
      OfferPlan(relaxation.Rounded(node));
    }
    if (node.bound < Cutoff()) Push(std::move(node), branch);
  }

  void Search(const ConvexModel& model, ConvexRelaxation& relaxation) {
    RelaxationNode root = relaxation.Root();
    root.bound = recorder_.bound();
    // What the last pass closed after the model was made.
    for (std::size_t g = 0; g < model.groups.size(); ++g) {
      const ConvexModel::Group& group = model.groups[g];
      for (int c = 0; c < group.NumChoices(); ++c) {
        const auto reduced_choice = static_cast<std::size_t>(
            group.reduced_choices[static_cast<std::size_t>(c)]);
        if (domain_[static_cast<std::size_t>(group.reduced_group)]
                   [reduced_choice] == 0) {
          relaxation.Close(root, static_cast<int>(g), c);
        }
      }
    }
    Examine(relaxation, std::move(root));
    while (!open_.empty() && limit_ == Limit::kNone) {
      DropAboveCutoff();
      if (open_.empty()) break;
      recorder_.RaiseBound(std::min(open_.begin()->first.first, Cutoff()));
      const OpenNode parent = Pop(model);
      RelaxationNode take = parent.relaxation;
      relaxation.Fix(take, parent.branch.group, parent.branch.choice);
      RelaxationNode leave = parent.relaxation;
      relaxation.Close(leave, parent.branch.group, parent.branch.choice);
      Examine(relaxation, std::move(take));
      Examine(relaxation, std::move(leave));
    }
    if (limit_ == Limit::kNone) return;
    DropAboveCutoff();
    const double least = open_.empty() ? Cutoff() : open_.begin()->first.first;
    recorder_.RaiseBound(std::min(least, Cutoff()));
    if (open_.empty()) limit_ = Limit::kNone;
  }

  const ReducedProblem& reduced_;
  const SolveOptions& options_;
  const SolveClock& clock_;
  IncumbentRecorder& recorder_;
  BranchAndBoundSolver::Start start_;
  double proof_tolerance_;
  Domain domain_;
  std::map<std::pair<double, std::int64_t>, OpenNode> open_;
  std::int64_t next_id_ = 0;
  std::int64_t nodes_ = 0;
  std::int64_t iterations_ = 0;
  Limit limit_ = Limit::kNone;
  std::string detail_;
};

// The first incumbent.
Expected<void> OfferAnnealed(const AllocationProblem& problem,
                             const ReducedProblem& reduced,
                             const SolveOptions& options,
                             const SolveClock& clock,
                             IncumbentRecorder& recorder) {
  SolveOptions anneal = options;
  anneal.on_incumbent = nullptr;
  const bool is_two_way = IsTwoWayModel(reduced);
  const double work = is_two_way ? kTwoWayAnnealWork : kAnnealWork;
  anneal.node_limit = std::max(
      is_two_way ? kLeastTwoWaySweeps : kLeastAnnealSweeps,
      static_cast<std::int64_t>(work / std::max(1, reduced.NumVariables())));
  if (options.time_limit_s) {
    anneal.time_limit_s = kAnnealTimeShare * clock.SecondsLeft();
  }
  const Expected<SolveResult> result = AnnealSolver().Solve(problem, anneal);
  if (!result) return tl::unexpected(result.error());
  for (const ScoredPlan& plan : result->pool) recorder.Offer(plan.assignment);
  return {};
}

}  // namespace

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
  ReducedProblem reduced = Reduce(problem);
  IncumbentRecorder recorder(problem, options, clock);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  if (reduced.NumVariables() > kMostBinaries) {
    return Fail(ErrorCode::kUnsupported,
                "branch-and-bound: " + std::to_string(reduced.NumVariables()) +
                    " binaries; the most is " + std::to_string(kMostBinaries));
  }
  reduced.pairs.Expand();
  if (reduced.NumGroups() > 0 && start_ == Start::kAnneal) {
    const Expected<void> annealed =
        OfferAnnealed(problem, reduced, options, clock, recorder);
    if (!annealed) return tl::unexpected(annealed.error());
  }
  if (reduced.NumGroups() > 0 && IsTwoWayModel(reduced)) {
    TwoWaySearch search(
        problem, reduced, options, clock, recorder, start_ == Start::kAnneal);
    const Limit limit = search.Run();
    SolveResult result = recorder.Finish(limit);
    result.detail = search.detail();
    result.stats.nodes = search.nodes();
    result.stats.iterations = search.iterations();
    result.root_certificate = search.certificate();
    return result;
  }
  BranchAndBound search(problem, reduced, options, clock, recorder, start_);
  const Limit limit = search.Run();
  SolveResult result = recorder.Finish(limit);
  result.detail = search.detail();
  result.stats.nodes = search.nodes();
  result.stats.iterations = search.iterations();
  result.options["threads"].used = "1";
  return result;
}

}  // namespace bitpact
