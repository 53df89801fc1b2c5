// SPDX-License-Identifier: Apache-2.0
#include "solvers/choice_search.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "solvers/convex_model.h"
#include "solvers/convex_relaxation.h"
#include "solvers/core_plans.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/reduced_problem.h"
#include "solvers/root_certificate.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr ConvexRelaxation::Effort kNodeEffort{.rounds = 6, .patience = 1};
constexpr int kMostRootPasses = 12;
// A pass at the root is repeated while it closes at least this share.
constexpr double kRootProgress = 0.05;
// Beyond this much memory for open nodes, the worst is expanded first: such
// nodes close soon and the queue stops growing.
constexpr std::size_t kNodeMemory = std::size_t{512} << 20U;
// The semidefinite shift is searched with when it leaves this share of the gap.
constexpr double kSemidefiniteShare = 0.3;
// Annealing runs after a pass at the root, and their sweeps.
constexpr std::int64_t kCoreWork = 30000;  // proposals
constexpr int kLeastCoreRuns = 2;
constexpr int kMostCoreRuns = 40;
constexpr std::int64_t kCoreSweeps = 60;
// Every so many nodes a plan is made from the relaxation's point.
constexpr std::int64_t kNodesPerRounding = 64;

struct OpenNode {
  RelaxationNode relaxation;
  ConvexRelaxation::Branch branch;
};

class ChoiceSearch {
 public:
  ChoiceSearch(const AllocationProblem& problem,
               const ReducedProblem& reduced,
               const SolveOptions& options,
               const SolveClock& clock,
               IncumbentRecorder& recorder,
               bool uses_heuristics)
      : reduced_(reduced),
        options_(options),
        clock_(clock),
        recorder_(recorder),
        uses_heuristics_(uses_heuristics),
        proof_tolerance_(ProofTolerance(problem)) {}

  // Returns the limit that ended it; the recorder then has plan and bound.
  Limit Run() {
    domain_ = FullDomain(reduced_);
    ConvexModel model;
    if (!ReduceAtRoot(model)) return CloseProof();
    if (limit_ != Limit::kNone) return limit_;
    ConvexRelaxation relaxation(model);
    if (uses_heuristics_) {
      plans_ = std::make_unique<CorePlans>(model);
    }
    Search(model, relaxation);
    iterations_ += relaxation.steps();
    return limit_ == Limit::kNone ? CloseProof() : limit_;
  }

  [[nodiscard]] std::int64_t nodes() const { return nodes_; }
  [[nodiscard]] std::int64_t iterations() const { return iterations_; }
  [[nodiscard]] const std::string& detail() const { return detail_; }
  [[nodiscard]] const std::optional<RootCertificate>& certificate() const {
    return certificate_;
  }

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

  void OfferBetter(const std::optional<Choices>& plan, double objective) {
    if (!plan || objective > recorder_.Worst()) return;
    recorder_.Offer(reduced_.Expand(*plan));
  }

  // Plans of what the model leaves open: the relaxation's, and annealed ones.
  void OfferPlans(const ConvexModel& model, const Choices& rounded) {
    if (!uses_heuristics_) return;
    CorePlans plans(model);
    OfferBetter(plans.Improve(rounded), plans.objective());
    const int runs = std::clamp(
        static_cast<int>(kCoreWork / (kCoreSweeps * model.NumVariables())),
        kLeastCoreRuns,
        kMostCoreRuns);
    for (int run = 0; run < runs; ++run) {
      OfferBetter(plans.Anneal(options_.seed, core_runs_++, kCoreSweeps),
                  plans.objective());
    }
  }

  void CountNode() {
    ++nodes_;
    limit_ = clock_.Reached(nodes_);
  }

  void KeepCertificate(const ConvexModel& model,
                       const ConvexRelaxation& relaxation) {
    RootCertificate made = CertifyRoot(reduced_,
                                       model,
                                       relaxation.best_point(),
                                       relaxation.best_multipliers());
    if (!std::isfinite(made.bound)) return;
    if (certificate_ && certificate_->bound >= made.bound) return;
    certificate_ = std::move(made);
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
    const ConvexRelaxation::Effort effort{
        .rounds = 200, .patience = 10, .clock = &clock_};
    const bool is_whole = model.NumVariables() == reduced_.NumVariables();
    // The certificate must not depend on the incumbent.
    bool is_open =
        relaxation.Tighten(root, is_whole ? kInfinity : Cutoff(), effort);
    CountNode();
    if (is_whole && is_open) {
      KeepCertificate(model, relaxation);
      if (Cutoff() < kInfinity) {
        is_open = relaxation.Tighten(root, Cutoff(), effort);
      }
    }
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
    rounded_ = relaxation.Rounded(root);
    return true;
  }

  // Tightens, closes, compresses with one shift until a pass closes little.
  // False when the root alone is the proof.
  bool ReduceWith(Shift shift,
                  std::vector<double>& multipliers,
                  ConvexModel& model,
                  double& bound) {
    for (int pass = 0; pass < kMostRootPasses; ++pass) {
      const std::size_t open_before = NumOpen(domain_);
      model = MakeConvexModel(reduced_, domain_, shift, multipliers, &clock_);
      if (model.groups.empty()) {
        recorder_.Offer(reduced_.Expand(model.fixed));
        return false;
      }
      if (!TightenRoot(model, domain_, multipliers, bound)) return false;
      recorder_.RaiseBound(std::min(bound, Cutoff()));
      if (limit_ != Limit::kNone) return true;
      const double best = recorder_.Best();
      OfferPlans(model, rounded_);
      if (recorder_.Best() < best) continue;
      const auto closed = static_cast<double>(open_before - NumOpen(domain_));
      if (closed < kRootProgress * static_cast<double>(open_before)) break;
    }
    return true;
  }

  // The shift of least trace first: it leaves fewer weights split, and the
  // semidefinite one is costly on what it would have closed. Leaves the model
  // to search; false when the root alone is the proof.
  bool ReduceAtRoot(ConvexModel& model) {
    std::vector<double> multipliers(reduced_.limits.size(), 0.0);
    const std::size_t open_at_start = NumOpen(domain_);
    double first_bound = -kInfinity;
    if (!ReduceWith(Shift::kLeastTrace, multipliers, model, first_bound)) {
      return false;
    }
    double bound = -kInfinity;
    ConvexModel other;
    if (limit_ == Limit::kNone &&
        !ReduceWith(Shift::kSemidefinite, multipliers, other, bound)) {
      return false;
    }
    const bool is_better =
        recorder_.HasIncumbent()
            ? Cutoff() - bound < kSemidefiniteShare * (Cutoff() - first_bound)
            : bound > first_bound;
    if (is_better) {
      model = std::move(other);
    } else if (limit_ == Limit::kNone &&
               !ReduceWith(
                   Shift::kLeastTrace, multipliers, model, first_bound)) {
      return false;
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
    if (plans_ != nullptr && nodes_ % kNodesPerRounding == 0) {
      OfferBetter(plans_->Improve(relaxation.Rounded(node)),
                  plans_->objective());
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
  bool uses_heuristics_;
  double proof_tolerance_;
  Domain domain_;
  std::map<std::pair<double, std::int64_t>, OpenNode> open_;
  std::int64_t next_id_ = 0;
  std::int64_t nodes_ = 0;
  std::int64_t iterations_ = 0;
  Limit limit_ = Limit::kNone;
  Choices rounded_;                   // of the last relaxation at the root
  std::unique_ptr<CorePlans> plans_;  // of the model that is searched
  std::uint64_t core_runs_ = 0;
  std::optional<RootCertificate> certificate_;
  std::string detail_;
};

}  // namespace

ChoiceSearchSummary SearchChoices(const AllocationProblem& problem,
                                  const ReducedProblem& reduced,
                                  const SolveOptions& options,
                                  const SolveClock& clock,
                                  IncumbentRecorder& recorder,
                                  bool uses_heuristics) {
  ChoiceSearch search(
      problem, reduced, options, clock, recorder, uses_heuristics);
  const Limit limit = search.Run();
  return {.limit = limit,
          .nodes = search.nodes(),
          .iterations = search.iterations(),
          .detail = search.detail(),
          .certificate = search.certificate()};
}

}  // namespace bitpact
