// SPDX-License-Identifier: Apache-2.0
#include "solvers/enumerate_solver.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

// Objectives closer than this share of the scale count as equal.
constexpr double kEqual = 1e-13;
// Gray code: groups in the inner loop; depth-first: nodes between looks at the
// clock.
constexpr int kInnerGroups = 12;
constexpr std::int64_t kNodesPerLook = 4096;

// The best plans met so far, by approximate objective; a plan is compared in
// O(1) or O(groups) without being scored exactly.
class BestPlans {
 public:
  BestPlans(const ReducedProblem& problem, int capacity)
      : problem_(problem),
        capacity_(static_cast<std::size_t>(capacity)),
        tolerance_(kEqual * problem.scale) {}

  [[nodiscard]] double tolerance() const { return tolerance_; }
  [[nodiscard]] bool IsFull() const { return plans_.size() == capacity_; }
  // A plan above this has no place. +infinity until full.
  [[nodiscard]] double Cutoff() const {
    return IsFull() ? plans_.back().objective + tolerance_
                    : std::numeric_limits<double>::infinity();
  }

  // Returns whether the plan is better than all before by more than rounding.
  bool Offer(double objective, const Choices& choices) {
    if (objective > Cutoff()) return false;
    Entry entry{objective, choices};
    const auto precedes = [this](const Entry& a, const Entry& b) {
      if (std::abs(a.objective - b.objective) > tolerance_) {
        return a.objective < b.objective;
      }
      return IsLexicographicallyLess(a.choices, b.choices);
    };
    // Not a strict weak order across many near-ties, hence a plain scan.
    auto at = plans_.begin();
    while (at != plans_.end() && !precedes(entry, *at)) ++at;
    if (at == plans_.end() && IsFull()) return false;
    const bool improves =
        plans_.empty() || objective < plans_.front().objective - tolerance_;
    plans_.insert(at, std::move(entry));
    if (plans_.size() > capacity_) plans_.pop_back();
    return improves;
  }

  void OfferAll(IncumbentRecorder& recorder) const {
    for (const Entry& entry : plans_) {
      recorder.Offer(problem_.Expand(entry.choices));
    }
  }
  [[nodiscard]] const Choices& front() const { return plans_.front().choices; }

 private:
  struct Entry {
    double objective;
    Choices choices;
  };

  // By original option index; groups are ordered by their first unit, so this
  // is the order of the expanded assignments.
  [[nodiscard]] bool IsLexicographicallyLess(const Choices& a,
                                             const Choices& b) const {
    for (std::size_t g = 0; g < a.size(); ++g) {
      if (a[g] == b[g]) continue;
      const std::vector<int>& options = problem_.groups[g].options;
      return options[static_cast<std::size_t>(a[g])] <
             options[static_cast<std::size_t>(b[g])];
    }
    return false;
  }

  const ReducedProblem& problem_;
  std::size_t capacity_;
  double tolerance_;
  std::vector<Entry> plans_;
};

struct Search {
  const ReducedProblem& problem;
  const SolveClock& clock;
  IncumbentRecorder& recorder;
  BestPlans best;
  std::int64_t nodes = 0;
  Limit limit = Limit::kNone;

  void Visit(double objective, const Choices& choices) {
    if (best.Offer(objective, choices)) {
      recorder.Offer(problem.Expand(choices));
    }
  }
};

void SweepGrayCode(Search& search) {
  const int n = search.problem.NumGroups();
  const int inner = std::min(n, kInnerGroups);
  const std::uint64_t outer_count = std::uint64_t{1}
                                    << static_cast<unsigned>(n - inner);
  const std::uint64_t inner_count = std::uint64_t{1}
                                    << static_cast<unsigned>(inner);
  PlanState state(search.problem);
  Choices start(static_cast<std::size_t>(n), 0);
  for (std::uint64_t outer = 0; outer < outer_count; ++outer) {
    search.limit = search.clock.Reached(search.nodes);
    if (search.limit != Limit::kNone) return;
    for (int g = inner; g < n; ++g) {
      start[static_cast<std::size_t>(g)] =
          static_cast<int>((outer >> static_cast<unsigned>(g - inner)) & 1U);
    }
    state.Reset(start);
    for (std::uint64_t step = 1;; ++step) {
      if (state.IsWithinLimits()) {
        search.Visit(state.objective(), state.choices());
      }
      ++search.nodes;
      if (step == inner_count) break;
      const int flipped = std::countr_zero(step);
      state.Move(flipped, 1 - state.Choice(flipped));
    }
  }
}

class DepthFirst {
 public:
  explicit DepthFirst(Search& search)
      : search_(search), state_(search.problem) {
    ComputeTails();
  }

  void Run() { Descend(0); }

 private:
  [[nodiscard]] const ReducedProblem& problem() const {
    return search_.problem;
  }

  // tail_pairs_[v]: the least that pairs of v with all later groups can add.
  // tail_size_[k][g]: the least that groups g.. add to resource k.
  void ComputeTails() {
    const ReducedProblem& p = problem();
    tail_pairs_.assign(static_cast<std::size_t>(p.NumVariables()), 0.0);
    for (int v = 0; v < p.NumVariables(); ++v) {
      const int own = p.group_of[static_cast<std::size_t>(v)];
      std::vector<double> least(static_cast<std::size_t>(p.NumGroups()), 0.0);
      p.pairs.ForEachInRow(v, [&](int w, double value) {
        const int group = p.group_of[static_cast<std::size_t>(w)];
        double& entry = least[static_cast<std::size_t>(group)];
        if (group > own) entry = std::min(entry, value);
      });
      for (const double value : least) {
        tail_pairs_[static_cast<std::size_t>(v)] += value;
      }
    }
    for (int k = 0; k < p.NumResources(); ++k) {
      std::vector<std::int64_t> tail(
          static_cast<std::size_t>(p.NumGroups()) + 1, 0);
      for (int g = p.NumGroups() - 1; g >= 0; --g) {
        std::int64_t least = 0;
        for (int c = 1; c < p.groups[static_cast<std::size_t>(g)].NumChoices();
             ++c) {
          least = std::min(least, state_.Size(k, g, c));
        }
        tail[static_cast<std::size_t>(g)] =
            tail[static_cast<std::size_t>(g) + 1] + least;
      }
      tail_size_.push_back(std::move(tail));
    }
  }

  [[nodiscard]] bool CanFit(int open) const {
    for (std::size_t k = 0; k < tail_size_.size(); ++k) {
      if (state_.use()[k] + tail_size_[k][static_cast<std::size_t>(open)] >
          problem().limits[k]) {
        return false;
      }
    }
    return true;
  }

  // Groups from `open` on stand at their reference, whose field is 0.
  [[nodiscard]] double Bound(int open) const {
    double bound = state_.objective();
    for (int g = open; g < problem().NumGroups(); ++g) {
      const ReducedGroup& group = problem().groups[static_cast<std::size_t>(g)];
      double least = 0.0;
      for (int c = 1; c < group.NumChoices(); ++c) {
        const auto v = static_cast<std::size_t>(group.first + c - 1);
        least = std::min(least, state_.Field(g, c) + tail_pairs_[v]);
      }
      bound += least;
    }
    return bound;
  }

  // Later plans come later in the order of equal optima, so only a real
  // improvement is worth going on for.
  void Descend(int open) {
    if (search_.limit != Limit::kNone) return;
    if (search_.nodes++ % kNodesPerLook == 0) {
      search_.limit = search_.clock.Reached(search_.nodes - 1);
    }
    if (!CanFit(open)) return;
    if (search_.best.IsFull() &&
        Bound(open) > search_.best.Cutoff() - 2.0 * search_.best.tolerance()) {
      return;
    }
    if (open == problem().NumGroups()) {
      search_.Visit(state_.objective(), state_.choices());
      return;
    }
    const std::vector<int>& options =
        problem().groups[static_cast<std::size_t>(open)].options;
    for (const int choice : OptionOrder(options)) {
      state_.Move(open, choice);
      Descend(open + 1);
    }
    state_.Move(open, 0);
  }

  // Choices by ascending original option.
  static std::vector<int> OptionOrder(const std::vector<int>& options) {
    std::vector<int> order(options.size());
    for (std::size_t c = 0; c < order.size(); ++c) {
      order[c] = static_cast<int>(c);
    }
    std::sort(order.begin(), order.end(), [&](int a, int b) {
      return options[static_cast<std::size_t>(a)] <
             options[static_cast<std::size_t>(b)];
    });
    return order;
  }

  Search& search_;
  PlanState state_;
  std::vector<double> tail_pairs_;
  std::vector<std::vector<std::int64_t>> tail_size_;
};

// Empty when the problem is small enough.
std::string TooLarge(const ReducedProblem& problem) {
  double combinations = 1.0;
  for (const ReducedGroup& group : problem.groups) {
    combinations *= group.NumChoices();
  }
  if (combinations <= EnumerateSolver::kMostCombinations) return {};
  return "enumerate: " + std::to_string(problem.NumGroups()) +
         " free units have 2^" +
         std::to_string(std::lround(std::log2(combinations))) +
         " combinations; the most is 2^24 (24 two-way units)";
}

}  // namespace

SolverCapabilities EnumerateSolver::capabilities() const {
  return {.exact = true,
          .gives_bound = true,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = true,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false,
          .max_free_units = kMostTwoWayGroups,
          .max_binaries = kMostTwoWayGroups};
}

Expected<SolveResult> EnumerateSolver::Solve(const AllocationProblem& problem,
                                             const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem);
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  const std::string too_large = TooLarge(reduced);
  if (!too_large.empty()) return Fail(ErrorCode::kUnsupported, too_large);
  Search search{.problem = reduced,
                .clock = clock,
                .recorder = recorder,
                .best = BestPlans(reduced, options.pool_size)};
  if (reduced.IsTwoWay()) {
    SweepGrayCode(search);
  } else {
    DepthFirst(search).Run();
  }
  const bool is_complete = search.limit == Limit::kNone;
  search.best.OfferAll(recorder);
  if (is_complete) {
    recorder.RaiseBound(recorder.HasIncumbent()
                            ? recorder.Best() - 2.0 * search.best.tolerance()
                            : std::numeric_limits<double>::infinity());
  }
  SolveResult result = recorder.Finish(search.limit);
  result.stats.nodes = search.nodes;
  result.stats.iterations = search.nodes;
  return result;
}

}  // namespace bitpact
