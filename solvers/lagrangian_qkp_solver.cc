// SPDX-License-Identifier: Apache-2.0
#include "solvers/lagrangian_qkp_solver.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "solvers/annealed_start.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/pool_fill.h"
#include "solvers/qkp_bound.h"
#include "solvers/qkp_model.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr QkpBound::Effort kRootEffort{
    .steps = 200, .patience = 50, .least_gain = 0.02};
constexpr QkpBound::Effort kNodeEffort{
    .steps = 20, .patience = 6, .least_gain = 0.1};
constexpr QkpBound::Effort kTryEffort{
    .steps = 8, .patience = 4, .least_gain = 0.05};
constexpr int kMostRootPasses = 20;
// A pass at the root is repeated while it closes at least this share.
constexpr double kRootProgress = 0.05;
constexpr double kMargin = 1e-12;
// Whole numbers: the next better plan is better by one, less rounding.
constexpr double kNextWhole = 0.999;
constexpr AnnealedStart kAnnealedStart{
    .work = 1e6, .least_sweeps = 300, .time_share = 0.2};

std::size_t At(int index) { return static_cast<std::size_t>(index); }

bool AreWhole(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double value) {
    return std::abs(value) < 1e15 && value == std::round(value);
  });
}

struct Node {
  QkpModel model;
  // Decisions on the items of the first model.
  std::vector<ItemState> decided;
};

// A child that waits: its parent and the decision on one of its items.
struct OpenChild {
  std::shared_ptr<const Node> parent;
  int item = 0;
  ItemState state = ItemState::kFree;
  double bound = kInfinity;
};

class QkpSearch {
 public:
  QkpSearch(const AllocationProblem& problem,
            const ReducedProblem& reduced,
            const SwitchedQkpModel& switched,
            const SolveOptions& options,
            const SolveClock& clock,
            IncumbentRecorder& recorder)
      : reduced_(reduced),
        switched_(switched),
        options_(options),
        clock_(clock),
        recorder_(recorder),
        proof_tolerance_(ProofTolerance(problem)),
        margin_(kMargin * reduced.scale),
        is_whole_(AreWhole(switched.model.profit) &&
                  AreWhole(switched.model.pair)) {}

  Limit Run() {
    Node root{
        switched_.model,
        std::vector<ItemState>(switched_.model.item.size(), ItemState::kFree)};
    double bound = kInfinity;
    if (!TightenRoot(root, bound)) return CloseProof();
    if (limit_ != Limit::kNone) return limit_;
    Split(std::move(root), bound);
    while (!open_.empty()) {
      const OpenChild child = std::move(open_.back());
      open_.pop_back();
      if (child.bound <= Threshold()) continue;
      if (limit_ == Limit::kNone) limit_ = clock_.Reached(nodes_);
      if (limit_ != Limit::kNone) {
        open_.push_back(child);
        break;
      }
      Examine(child);
    }
    if (open_.empty()) return CloseProof();
    RaiseToOpen();
    return limit_;
  }

  [[nodiscard]] std::int64_t nodes() const { return nodes_; }
  [[nodiscard]] std::int64_t steps() const { return bound_.steps(); }
  [[nodiscard]] const std::string& detail() const { return detail_; }

 private:
  // Solutions at or below this value (values are negated objectives) are not
  // worth finding.
  [[nodiscard]] double Threshold() const {
    const double best = recorder_.Best();
    if (!std::isfinite(best)) return -kInfinity;
    if (is_whole_) return -best + kNextWhole;
    const double gap = options_.relative_gap * std::max(1e-9, std::abs(best));
    return -best + std::max(0.9 * gap, 0.5 * proof_tolerance_);
  }

  Limit CloseProof() {
    recorder_.RaiseBound(is_whole_ ? recorder_.Best() : -Threshold());
    return Limit::kNone;
  }

  void RaiseToOpen() {
    double most = Threshold();
    for (const OpenChild& child : open_) most = std::max(most, child.bound);
    RaiseTo(most);
  }

  void RaiseTo(double value) {
    recorder_.RaiseBound(
        std::min(-std::max(value, Threshold()), recorder_.Best()));
  }

  // Every item of the first model is decided.
  void Offer(const std::vector<ItemState>& decided) {
    Choices choices(decided.size(), 0);
    for (std::size_t i = 0; i < decided.size(); ++i) {
      const bool is_in = decided[i] == ItemState::kIn;
      choices[i] = is_in != (switched_.is_exchanged[i] != 0) ? 1 : 0;
    }
    recorder_.Offer(reduced_.Expand(choices));
  }

  // Fold of a copy, which is made of the free items only.
  bool FoldFrom(const Node& parent, std::vector<ItemState> states, Node& node) {
    if (!MarkForced(parent.model, states)) return false;
    node.decided = parent.decided;
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (states[i] == ItemState::kFree) continue;
      node.decided[At(parent.model.item[i])] = states[i];
    }
    node.model = Compress(parent.model, states);
    states.assign(node.model.item.size(), ItemState::kFree);
    return Fold(node, states);
  }

  // Folds the states in, and what they force. False when nothing is left: the
  // node has no solution, or its only one has been offered.
  bool Fold(Node& node, std::vector<ItemState>& states) {
    if (node.model.NumItems() == 0) {
      Offer(node.decided);
      return false;
    }
    if (!MarkForced(node.model, states)) return false;
    bool any = false;
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (states[i] == ItemState::kFree) continue;
      node.decided[At(node.model.item[i])] = states[i];
      any = true;
    }
    if (!any) return true;
    node.model = Compress(node.model, states);
    states.assign(node.model.item.size(), ItemState::kFree);
    return Fold(node, states);
  }

  bool TightenRoot(Node& root, double& bound) {
    std::vector<ItemState> states(root.model.item.size(), ItemState::kFree);
    const int items = root.model.NumItems();
    if (!Fold(root, states)) return false;
    for (int pass = 0; pass < kMostRootPasses; ++pass) {
      const int before = root.model.NumItems();
      const double tightened =
          bound_.Tighten(root.model, states, Threshold(), margin_, kRootEffort);
      bound = std::min(bound, tightened);
      RaiseTo(bound);
      ++nodes_;
      if (bound <= Threshold() || !Fold(root, states)) return false;
      limit_ = clock_.Reached(nodes_);
      if (limit_ != Limit::kNone) return true;
      if (before - root.model.NumItems() < kRootProgress * before &&
          !TryItems(root)) {
        return false;
      }
      states.assign(root.model.item.size(), ItemState::kFree);
      if (limit_ != Limit::kNone) return true;
      if (before - root.model.NumItems() < kRootProgress * before) break;
    }
    bound_.Tighten(root.model, states, Threshold(), margin_, kNodeEffort);
    ChooseItem(root.model, states);
    if (!Fold(root, states)) return false;
    detail_ = std::to_string(root.model.NumItems()) + " of " +
              std::to_string(items) + " binaries open after the root";
    return true;
  }

  // Tries each item both ways; closes those that one way rules out.
  bool TryItems(Node& root) {
    if (recorder_.Best() == kInfinity) return true;
    std::vector<ItemState> states(root.model.item.size(), ItemState::kFree);
    for (std::size_t i = 0; i < states.size(); ++i) {
      for (const ItemState tried : {ItemState::kOut, ItemState::kIn}) {
        if (states[i] != ItemState::kFree) continue;
        std::vector<ItemState> child = states;
        child[i] = tried;
        ++nodes_;
        limit_ = clock_.Reached(nodes_);
        if (limit_ != Limit::kNone) return true;
        if (IsClosed(root, std::move(child))) {
          states[i] =
              tried == ItemState::kIn ? ItemState::kOut : ItemState::kIn;
        }
      }
    }
    return Fold(root, states);
  }

  bool IsClosed(const Node& root, std::vector<ItemState> states) {
    Node child;
    if (!FoldFrom(root, std::move(states), child)) return true;
    states.assign(child.model.item.size(), ItemState::kFree);
    return bound_.Tighten(
               child.model, states, Threshold(), margin_, kTryEffort) <=
           Threshold();
  }

  void Examine(const OpenChild& open) {
    std::vector<ItemState> states(open.parent->model.item.size(),
                                  ItemState::kFree);
    states[At(open.item)] = open.state;
    ++nodes_;
    Node node;
    if (!FoldFrom(*open.parent, std::move(states), node)) return;
    states.assign(node.model.item.size(), ItemState::kFree);
    const double tightened =
        bound_.Tighten(node.model, states, Threshold(), margin_, kNodeEffort);
    const double bound = std::min(open.bound, tightened);
    if (bound <= Threshold()) return;
    ChooseItem(node.model, states);
    if (!Fold(node, states)) return;
    Split(std::move(node), bound);
  }

  // The item to split, from the means of the last Tighten.
  void ChooseItem(const QkpModel& model, const std::vector<ItemState>& states) {
    double best = -1.0;
    const std::vector<double>& mean = bound_.mean();
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (states[i] != ItemState::kFree) continue;
      double worth = std::max(model.profit[i], 0.0);
      for (int e = model.start[i]; e < model.start[i + 1]; ++e) {
        worth += model.pair[At(e)] * mean[At(model.column[At(e)])];
      }
      const double score = (0.02 + std::min(mean[i], 1.0 - mean[i])) * worth;
      if (score <= best) continue;
      best = score;
      chosen_ = model.item[i];
      likelier_ = mean[i] >= 0.5 ? ItemState::kIn : ItemState::kOut;
    }
  }

  void Split(Node node, double bound) {
    const auto parent = std::make_shared<const Node>(std::move(node));
    const std::vector<int>& items = parent->model.item;
    const auto at = std::lower_bound(items.begin(), items.end(), chosen_);
    // What was chosen may have been folded since.
    const bool is_there = at != items.end() && *at == chosen_;
    const int item = is_there ? static_cast<int>(at - items.begin()) : 0;
    const ItemState first = likelier_;
    const ItemState second =
        first == ItemState::kIn ? ItemState::kOut : ItemState::kIn;
    open_.push_back({parent, item, second, bound});
    open_.push_back({parent, item, first, bound});
  }

  const ReducedProblem& reduced_;
  const SwitchedQkpModel& switched_;
  const SolveOptions& options_;
  const SolveClock& clock_;
  IncumbentRecorder& recorder_;
  double proof_tolerance_;
  double margin_;
  bool is_whole_;
  QkpBound bound_;
  std::vector<OpenChild> open_;
  int chosen_ = 0;
  ItemState likelier_ = ItemState::kIn;
  std::int64_t nodes_ = 0;
  Limit limit_ = Limit::kNone;
  std::string detail_;
};

}  // namespace

SolverCapabilities LagrangianQkpSolver::capabilities() const {
  return {.exact = true,
          .gives_bound = true,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = true,
          .multiple_options = false,
          .multiple_resources = false,
          .pair_terms = true,
          .needs_structure = true,
          .threads = false};
}

Expected<SolveResult> LagrangianQkpSolver::Solve(
    const AllocationProblem& problem, const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  const Expected<SwitchedQkpModel> switched = MakeQkpModel(reduced);
  if (!switched) return tl::unexpected(switched.error());
  if (reduced.NumGroups() > 0 && start_ == Start::kAnneal) {
    const Expected<void> annealed = OfferAnnealed(
        problem, reduced, options, clock, kAnnealedStart, recorder);
    if (!annealed) return tl::unexpected(annealed.error());
  }
  QkpSearch search(problem, reduced, *switched, options, clock, recorder);
  const Limit limit = search.Run();
  FillPool(reduced, options, recorder);
  SolveResult result = recorder.Finish(limit);
  result.detail = search.detail();
  result.stats.nodes = search.nodes();
  result.stats.iterations = search.steps();
  return result;
}

}  // namespace bitpact
