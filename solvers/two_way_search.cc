// SPDX-License-Identifier: Apache-2.0
#include "solvers/two_way_search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <thread>

#include "core/threads.h"
#include "solvers/plan_state.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kMostRootPasses = 12;
// A pass at the root is repeated while it fixes at least this share.
constexpr double kRootProgress = 0.05;
// Up to so many free variables after the scaled shift the semidefinite one is
// not worth its time on the whole problem.
constexpr std::size_t kFewFree = 48;
// Share of the gap that the semidefinite shift may leave to be worth having.
constexpr double kMuchBetter = 0.5;
// Nodes expanded side by side in a round, and nodes examined for each.
constexpr std::size_t kJobs = 8;
constexpr std::int64_t kNodesPerJob = 96;
// Beyond this much memory for open nodes, the worst is expanded first: such
// nodes close soon and the queue stops growing.
constexpr std::size_t kNodeMemory = std::size_t{512} << 20U;

}  // namespace

struct TwoWaySearch::Job {
  TwoWayNode start;
  double cutoff = 0.0;
  std::int64_t most_nodes = 0;
  std::int64_t nodes = 0;
  std::int64_t steps = 0;
  std::vector<TwoWayNode> open;
  std::vector<std::vector<char>> plans;
};

TwoWaySearch::TwoWaySearch(const AllocationProblem& problem,
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
      proof_tolerance_(ProofTolerance(problem)),
      num_threads_(options.threads > 0 ? options.threads : ThreadCount()),
      fixed_(reduced.linear.size(), Fixing::kFree),
      whole_(MakeTwoWayModel(reduced)) {}

double TwoWaySearch::Cutoff() const {
  const double best = recorder_.Best();
  if (!std::isfinite(best)) return kInfinity;
  const double gap = options_.relative_gap * std::max(1e-9, std::abs(best));
  return best - std::max(0.9 * gap, 0.5 * proof_tolerance_);
}

// Everything is closed: no plan is below the cutoff.
Limit TwoWaySearch::CloseProof() {
  recorder_.RaiseBound(Cutoff());
  return Limit::kNone;
}

std::size_t TwoWaySearch::NumFree() const {
  return static_cast<std::size_t>(
      std::count(fixed_.begin(), fixed_.end(), Fixing::kFree));
}

Choices TwoWaySearch::ChoicesOf(const TwoWayModel& model,
                                const std::vector<char>& z) const {
  Choices choices(fixed_.size(), 0);
  for (std::size_t v = 0; v < fixed_.size(); ++v) {
    if (fixed_[v] == Fixing::kOne) choices[v] = 1;
  }
  for (std::size_t i = 0; i < z.size(); ++i) {
    choices[static_cast<std::size_t>(model.reduced_variable[i])] = z[i];
  }
  return choices;
}

void TwoWaySearch::OfferRounded(const TwoWayModel& model,
                                const std::vector<char>& z) {
  if (!uses_heuristics_) return;
  PlanState state(reduced_);
  state.Reset(ChoicesOf(model, z));
  if (!RepairOverflow(reduced_, state)) return;
  DescendWithinLimits(reduced_, state, reduced_.NumVariables());
  if (state.objective() <= recorder_.Worst()) {
    recorder_.Offer(reduced_.Expand(state.choices()));
  }
}

void TwoWaySearch::ApplyShift(Shift shift, TwoWayModel& model) {
  SetShift(shift == Shift::kScaled ? ScaledShift(model)
                                   : SemidefiniteShift(model, mixing_),
           model);
}

void TwoWaySearch::TakeFixings(const TwoWayModel& model,
                               const TwoWayNode& node) {
  for (std::size_t i = 0; i < node.state.size(); ++i) {
    if (node.state[i] == Fixing::kFree) continue;
    fixed_[static_cast<std::size_t>(model.reduced_variable[i])] = node.state[i];
  }
}

// Of the whole problem, before any incumbent plays a part.
void TwoWaySearch::KeepCertificate(const TwoWayModel& model,
                                   const TwoWayRelaxation& relaxation) {
  if (certificate_ && certificate_->bound >= relaxation.best_bound()) return;
  certificate_.emplace();
  certificate_->shift = model.shift;
  certificate_->point = relaxation.best_point();
  certificate_->bound = relaxation.best_bound();
  const double price = relaxation.best_price();
  if (reduced_.NumResources() > 0) {
    certificate_->multipliers.push_back(std::max(0.0, price));
  }
  if (reduced_.NumResources() > 1) {
    certificate_->multipliers.push_back(std::max(0.0, -price));
  }
}

// One relaxation of what is free; fixes what it can. False when nothing below
// the cutoff is left.
bool TwoWaySearch::TightenRoot(Shift shift, double& bound) {
  std::vector<int> kept;
  TwoWayModel model = Compress(whole_, fixed_, kept);
  if (model.NumVariables() == 0) {
    recorder_.Offer(reduced_.Expand(ChoicesOf(model, {})));
    return false;
  }
  const bool is_whole = model.NumVariables() == whole_.NumVariables();
  ApplyShift(shift, model);
  TwoWayRelaxation relaxation(model);
  TwoWayNode root = relaxation.Root();
  // The certificate must not depend on the incumbent.
  bool is_open = relaxation.Tighten(root, is_whole ? kInfinity : Cutoff());
  limit_ = clock_.Reached(++nodes_);
  if (is_open && is_whole) {
    KeepCertificate(model, relaxation);
    std::vector<char> z;
    relaxation.Round(root, z);
    OfferRounded(model, z);
    is_open = relaxation.Tighten(root, Cutoff());
  }
  iterations_ += relaxation.steps();
  bound = root.bound;
  if (!is_open) return false;
  TakeFixings(model, root);
  std::vector<char> z;
  relaxation.Round(root, z);
  OfferRounded(model, z);
  return true;
}

bool TwoWaySearch::RootPass() {
  double scaled = -kInfinity;
  const bool is_first = NumFree() == fixed_.size();
  const std::size_t before = NumFree();
  if (!TightenRoot(Shift::kScaled, scaled)) return false;
  recorder_.RaiseBound(std::min(scaled, Cutoff()));
  if (limit_ != Limit::kNone) return true;
  const std::size_t after = NumFree();
  shift_ = Shift::kScaled;
  if (is_first && after <= std::max(kFewFree, before / 3)) return true;
  double semidefinite = -kInfinity;
  if (mixing_.is_warm) mixing_.vectors.clear();
  if (!TightenRoot(Shift::kSemidefinite, semidefinite)) return false;
  recorder_.RaiseBound(std::min(semidefinite, Cutoff()));
  // It makes most variables fractional, so it must be much better.
  const double missing = Cutoff() - scaled;
  if (!(Cutoff() - semidefinite > kMuchBetter * missing)) {
    shift_ = Shift::kSemidefinite;
  }
  return true;
}

bool TwoWaySearch::ReduceAtRoot() {
  for (int pass = 0; pass < kMostRootPasses; ++pass) {
    const std::size_t before = NumFree();
    if (!RootPass()) return false;
    if (limit_ != Limit::kNone) return true;
    const auto closed = static_cast<double>(before - NumFree());
    if (closed < kRootProgress * static_cast<double>(before)) break;
  }
  std::vector<int> kept;
  model_ = Compress(whole_, fixed_, kept);
  if (model_.NumVariables() == 0) {
    recorder_.Offer(reduced_.Expand(ChoicesOf(model_, {})));
    return false;
  }
  mixing_.vectors.clear();
  ApplyShift(shift_, model_);
  detail_ = std::to_string(model_.NumVariables()) + " of " +
            std::to_string(fixed_.size()) + " binaries free after the root, " +
            (shift_ == Shift::kScaled ? "scaled" : "semidefinite") + " shift";
  return true;
}

std::int64_t TwoWaySearch::NodesLeft() const {
  if (!options_.node_limit) return std::numeric_limits<std::int64_t>::max();
  return std::max<std::int64_t>(0, *options_.node_limit - nodes_);
}

// Tightens a node; keeps it on the stack, or its plan.
void TwoWaySearch::Examine(const TwoWayModel& model,
                           TwoWayNode node,
                           TwoWayRelaxation& relaxation,
                           Job& job,
                           std::vector<TwoWayNode>& stack) {
  ++job.nodes;
  if (!relaxation.Tighten(node, job.cutoff)) return;
  bool is_whole = true;
  for (std::size_t i = 0; i < node.state.size() && is_whole; ++i) {
    const float y = node.point[i];
    is_whole = node.state[i] != Fixing::kFree || y <= 0.0F || y >= 1.0F;
  }
  if (is_whole) {
    std::vector<char> z;
    relaxation.Round(node, z);
    const std::int64_t use = model.Use(z);
    const double value = model.Value(z);
    if (use <= model.upper && use >= model.lower && value < job.cutoff) {
      job.cutoff = value;
      job.plans.push_back(std::move(z));
    }
  }
  // With nothing free the point is the only plan, and it was offered.
  if (node.branch < 0 || node.bound >= job.cutoff) return;
  stack.push_back(std::move(node));
}

void TwoWaySearch::Dive(const TwoWayModel& model,
                        TwoWayRelaxation& relaxation,
                        Job& job,
                        std::vector<TwoWayNode>& stack) const {
  while (!stack.empty() && job.nodes + 1 < job.most_nodes &&
         clock_.Reached(-1) == Limit::kNone) {
    TwoWayNode parent = std::move(stack.back());
    stack.pop_back();
    if (parent.bound >= job.cutoff) continue;
    const auto branch = static_cast<std::size_t>(parent.branch);
    const bool one_first = parent.one_first;
    TwoWayNode first = parent;
    first.state[branch] = one_first ? Fixing::kOne : Fixing::kZero;
    parent.state[branch] = one_first ? Fixing::kZero : Fixing::kOne;
    // The better one lies on top.
    Examine(model, std::move(parent), relaxation, job, stack);
    Examine(model, std::move(first), relaxation, job, stack);
  }
}

// On a model of its own of what the start leaves free; plans and open nodes
// are handed back in terms of the search's model.
void TwoWaySearch::RunJob(Job& job) const {
  std::vector<int> kept;
  TwoWayModel model = Compress(model_, job.start.state, kept);
  SetShift(shift_ == Shift::kScaled
               ? ScaledShift(model)
               : QuickSemidefiniteShift(model, job.start.price),
           model);
  TwoWayRelaxation relaxation(model);
  TwoWayNode root = relaxation.Root();
  root.bound = job.start.bound;
  root.price = job.start.price;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    root.point[i] = job.start.point[static_cast<std::size_t>(kept[i])];
  }
  std::vector<TwoWayNode> stack;
  Examine(model, std::move(root), relaxation, job, stack);
  Dive(model, relaxation, job, stack);
  for (TwoWayNode& local : stack) {
    TwoWayNode node = job.start;
    node.bound = local.bound;
    node.price = local.price;
    node.branch = kept[static_cast<std::size_t>(local.branch)];
    node.one_first = local.one_first;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const auto at = static_cast<std::size_t>(kept[i]);
      node.state[at] = local.state[i];
      node.point[at] = local.point[i];
    }
    job.open.push_back(std::move(node));
  }
  for (std::vector<char>& local : job.plans) {
    std::vector<char> z;
    for (const Fixing f : job.start.state) z.push_back(f == Fixing::kOne);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      z[static_cast<std::size_t>(kept[i])] = local[i];
    }
    local = std::move(z);
  }
  job.steps = relaxation.steps();
}

void TwoWaySearch::Merge(Job& job) {
  nodes_ += job.nodes;
  iterations_ += job.steps;
  for (const std::vector<char>& z : job.plans) {
    recorder_.Offer(reduced_.Expand(ChoicesOf(model_, z)));
  }
  for (TwoWayNode& node : job.open) {
    const std::pair<double, std::int64_t> key(node.bound, next_id_++);
    open_.emplace(key, std::move(node));
  }
}

TwoWayNode TwoWaySearch::Pop() {
  const std::size_t node_bytes = 5 * model_.linear.size() + 256;
  const bool is_large = open_.size() * node_bytes > kNodeMemory;
  const auto at = is_large ? std::prev(open_.end()) : open_.begin();
  TwoWayNode node = std::move(at->second);
  open_.erase(at);
  return node;
}

void TwoWaySearch::DropAboveCutoff() {
  open_.erase(open_.lower_bound({Cutoff(), 0}), open_.end());
}

void TwoWaySearch::RunRound() {
  std::vector<Job> jobs;
  while (jobs.size() < kJobs && !open_.empty()) {
    Job job;
    job.start = Pop();
    jobs.push_back(std::move(job));
  }
  const auto count = static_cast<std::int64_t>(jobs.size());
  for (Job& job : jobs) {
    job.cutoff = Cutoff();
    job.most_nodes =
        std::min(kNodesPerJob, std::max<std::int64_t>(3, NodesLeft() / count));
  }
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t k = next++; k < jobs.size(); k = next++) RunJob(jobs[k]);
  };
  const std::size_t workers =
      std::min(static_cast<std::size_t>(num_threads_), jobs.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t w = 1; w < workers; ++w) threads.emplace_back(work);
    work();
  }
  for (Job& job : jobs) Merge(job);
  if (++rounds_ % 4 == 0 && !open_.empty()) {
    const TwoWayNode& best = open_.begin()->second;
    std::vector<char> z;
    for (std::size_t i = 0; i < best.state.size(); ++i) {
      z.push_back(best.state[i] == Fixing::kFree
                      ? static_cast<char>(best.point[i] > 0.5F)
                      : static_cast<char>(best.state[i]));
    }
    OfferRounded(model_, z);
  }
  limit_ = clock_.Reached(nodes_);
}

void TwoWaySearch::Search() {
  Job job;
  job.cutoff = Cutoff();
  TwoWayRelaxation relaxation(model_);
  TwoWayNode root = relaxation.Root();
  root.bound = recorder_.bound();
  Examine(model_, std::move(root), relaxation, job, job.open);
  Merge(job);
  limit_ = clock_.Reached(nodes_);
  while (limit_ == Limit::kNone) {
    DropAboveCutoff();
    if (open_.empty()) return;
    recorder_.RaiseBound(std::min(open_.begin()->first.first, Cutoff()));
    RunRound();
  }
  DropAboveCutoff();
  const double least = open_.empty() ? Cutoff() : open_.begin()->first.first;
  recorder_.RaiseBound(std::min(least, Cutoff()));
  if (open_.empty()) limit_ = Limit::kNone;
}

Limit TwoWaySearch::Run() {
  if (!ReduceAtRoot()) return CloseProof();
  if (limit_ != Limit::kNone) return limit_;
  Search();
  return limit_ == Limit::kNone ? CloseProof() : limit_;
}

}  // namespace bitpact
