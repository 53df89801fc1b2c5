// SPDX-License-Identifier: Apache-2.0
#include "solvers/tabu_solver.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/random.h"
#include "solvers/anneal_run.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/pool_fill.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr double kRaise = 1.003;
constexpr double kLower = 0.997;
constexpr int kMostTenure = 20;
constexpr int kTenureSpread = 10;
constexpr std::int64_t kPatiencePerGroup = 12;
constexpr std::int64_t kLeastPatience = 400;
constexpr double kWork = 4e7;
constexpr std::int64_t kLeastSteps = 500;
constexpr std::int64_t kMostSteps = 200'000;
constexpr std::int64_t kStepsPerLook = 16;

class TabuSearch {
 public:
  TabuSearch(const ReducedProblem& problem,
             const SolveOptions& options,
             const SolveClock& clock,
             IncumbentRecorder& recorder)
      : problem_(problem),
        clock_(clock),
        recorder_(recorder),
        state_(problem),
        stream_(options.seed, "solvers/tabu"),
        tolerance_(1e-12 * problem.scale) {
    const double steps = kWork / std::max(1, problem.NumVariables());
    steps_wanted_ = options.node_limit.value_or(
        std::clamp(static_cast<std::int64_t>(steps), kLeastSteps, kMostSteps));
    if (options.warm_start) {
      state_.Reset(problem.Contract(*options.warm_start));
    }
    tabu_until_.resize(
        static_cast<std::size_t>(problem.NumVariables() + problem.NumGroups()));
  }

  // Returns the limit that ended the search; kNone when all steps are made.
  Limit Run(bool has_node_limit) {
    if (RepairOverflow(problem_, state_)) Improve();
    best_ = state_.choices();
    prices_ = ComputeAnnealPrices(problem_, state_).per_size;
    const std::vector<double> first_prices = prices_;
    Limit limit = Limit::kNone;
    while (steps_ < steps_wanted_ && limit == Limit::kNone) {
      limit = Round();
      // The end of a round that never came within limits still may.
      if (RepairOverflow(problem_, state_)) Improve();
      Perturb();
      prices_ = first_prices;
    }
    if (limit != Limit::kNone) return limit;
    return has_node_limit ? Limit::kNodes : Limit::kNone;
  }

  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  struct BestMove {
    double value = std::numeric_limits<double>::infinity();
    int group = -1;
    int choice = 0;
  };

  // Tabu marks of choices, references included.
  [[nodiscard]] std::size_t Mark(int group, int choice) const {
    return static_cast<std::size_t>(
        problem_.groups[static_cast<std::size_t>(group)].first + group +
        choice);
  }

  [[nodiscard]] double PenaltyDelta(int group, int choice) const {
    double sum = 0.0;
    for (int k = 0; k < problem_.NumResources(); ++k) {
      const auto r = static_cast<std::size_t>(k);
      const std::int64_t over = state_.use()[r] - problem_.limits[r];
      const std::int64_t after = over + state_.SizeDelta(k, group, choice);
      sum += prices_[r] * static_cast<double>(std::max<std::int64_t>(after, 0) -
                                              std::max<std::int64_t>(over, 0));
    }
    return sum;
  }

  [[nodiscard]] BestMove FindMove() const {
    BestMove best;
    for (int g = 0; g < problem_.NumGroups(); ++g) {
      const int choices =
          problem_.groups[static_cast<std::size_t>(g)].NumChoices();
      for (int c = 0; c < choices; ++c) {
        if (c == state_.Choice(g)) continue;
        const double delta = state_.Delta(g, c);
        const double value = delta + PenaltyDelta(g, c);
        if (value >= best.value) continue;
        const bool is_tabu = tabu_until_[Mark(g, c)] > steps_;
        if (is_tabu && (state_.objective() + delta >= target_ ||
                        !state_.FitsAfter(g, c))) {
          continue;
        }
        best = {value, g, c};
      }
    }
    return best;
  }

  // Steps until nothing better comes.
  Limit Round() {
    const std::int64_t patience =
        std::max(kLeastPatience, kPatiencePerGroup * problem_.NumGroups());
    std::int64_t last_gain = steps_;
    target_ = std::numeric_limits<double>::infinity();
    while (steps_ < steps_wanted_ && steps_ - last_gain < patience) {
      if (steps_ % kStepsPerLook == 0) {
        const Limit limit = clock_.Reached(0);
        if (limit != Limit::kNone) return limit;
      }
      ++steps_;
      const BestMove move = FindMove();
      if (move.group < 0) continue;  // everything is tabu: wait
      const int tenure = std::min(kMostTenure, problem_.NumGroups() / 4) +
                         static_cast<int>(stream_.UniformInt(kTenureSpread));
      tabu_until_[Mark(move.group, state_.Choice(move.group))] =
          steps_ + tenure;
      state_.Move(move.group, move.choice);
      AdaptPrices();
      if (state_.objective() < target_ - tolerance_ &&
          state_.IsWithinLimits()) {
        last_gain = steps_;
        Improve();
        target_ = state_.objective();
      }
    }
    return Limit::kNone;
  }

  void AdaptPrices() {
    for (int k = 0; k < problem_.NumResources(); ++k) {
      prices_[static_cast<std::size_t>(k)] *=
          state_.Overflow(k) > 0 ? kRaise : kLower;
    }
  }

  // Needs a plan within limits; it and its improvement may be the best.
  void Improve() {
    DescendWithinLimits(problem_, state_, problem_.NumVariables());
    if (state_.objective() > recorder_.Worst() + tolerance_) return;
    if (recorder_.Offer(problem_.Expand(state_.choices()))) {
      best_ = state_.choices();
    }
  }

  // From the best plan, so that rounding of long rounds goes too.
  void Perturb() {
    state_.Reset(best_);
    std::fill(tabu_until_.begin(), tabu_until_.end(), 0);
    const int most = std::max(1, problem_.NumGroups() / 3);
    const auto moves = 1 + stream_.UniformInt(most);
    for (std::int64_t i = 0; i < moves; ++i) {
      const int group =
          static_cast<int>(stream_.UniformInt(problem_.NumGroups()));
      state_.Move(
          group,
          static_cast<int>(stream_.UniformInt(
              problem_.groups[static_cast<std::size_t>(group)].NumChoices())));
    }
  }

  const ReducedProblem& problem_;
  const SolveClock& clock_;
  IncumbentRecorder& recorder_;
  PlanState state_;
  RandomStream stream_;
  double tolerance_;
  std::vector<double> prices_;
  std::vector<std::int64_t> tabu_until_;
  Choices best_;
  double target_ = std::numeric_limits<double>::infinity();
  std::int64_t steps_wanted_ = 0;
  std::int64_t steps_ = 0;
};

}  // namespace

SolverCapabilities TabuSolver::capabilities() const {
  return {.exact = false,
          .gives_bound = false,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = true,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false};
}

Expected<SolveResult> TabuSolver::Solve(const AllocationProblem& problem,
                                        const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  if (reduced.NumGroups() == 0) {
    recorder.Offer(reduced.Expand({}));
    return recorder.Finish(Limit::kNone);
  }
  TabuSearch search(reduced, options, clock, recorder);
  const Limit limit = search.Run(options.node_limit.has_value());
  FillPool(reduced, options, recorder);
  SolveResult result = recorder.Finish(limit);
  result.stats.nodes = search.steps();
  result.stats.iterations = search.steps() * reduced.NumVariables();
  return result;
}

}  // namespace bitpact
