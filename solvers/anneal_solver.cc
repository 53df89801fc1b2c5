// SPDX-License-Identifier: Apache-2.0
#include "solvers/anneal_solver.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "core/random.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/plan_state.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr double kHottest = 0.3;
constexpr double kColdest = 0.005;
constexpr int kFirstSweeps = 60;
constexpr double kSweepGrowth = 1.15;
constexpr double kLeastPenalty = 0.85;
constexpr double kMostPenalty = 1.35;
// Of the penalty, per sweep, so that the plan keeps crossing its limits from
// both sides.
constexpr double kRaise = 1.05;
constexpr double kLower = 0.98;
// Draws in search of a partner whose size moves the other way.
constexpr int kPartnerDraws = 6;
constexpr double kSweepWork = 4e6;
constexpr std::int64_t kMostSweeps = 20000;
constexpr std::int64_t kLeastSweeps = 200;

// What one unit of each resource is worth near the greedy plan, and the
// objective change of a typical move there.
struct Prices {
  std::vector<double> per_size;
  double typical_change = 0.0;
};

double LowerQuartile(std::vector<double> values) {
  if (values.empty()) return 0.0;
  const auto quarter =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 4);
  std::nth_element(values.begin(), quarter, values.end());
  return *quarter;
}

// Price of resource k, and the mean size of a step along it.
std::pair<double, double> PriceOf(const ReducedProblem& problem,
                                  const PlanState& state,
                                  int k) {
  std::vector<double> saving;
  std::vector<double> any;
  double step_sum = 0.0;
  for (int g = 0; g < problem.NumGroups(); ++g) {
    const int choices =
        problem.groups[static_cast<std::size_t>(g)].NumChoices();
    for (int c = 0; c < choices; ++c) {
      const auto step = static_cast<double>(state.SizeDelta(k, g, c));
      if (c == state.Choice(g) || step == 0.0) continue;
      const double ratio = state.Delta(g, c) / std::abs(step);
      step_sum += std::abs(step);
      any.push_back(std::abs(ratio));
      if (step < 0.0 && ratio > 0.0) saving.push_back(ratio);
    }
  }
  if (any.empty()) return {0.0, 0.0};
  const double mean_step = step_sum / static_cast<double>(any.size());
  return {LowerQuartile(saving.empty() ? any : saving), mean_step};
}

Prices ComputePrices(const ReducedProblem& problem, const PlanState& state) {
  Prices prices;
  for (int k = 0; k < problem.NumResources(); ++k) {
    const auto [price, step] = PriceOf(problem, state, k);
    prices.per_size.push_back(price);
    prices.typical_change = std::max(prices.typical_change, price * step);
  }
  if (prices.typical_change > 0.0) return prices;
  std::vector<double> changes;
  for (int g = 0; g < problem.NumGroups(); ++g) {
    const int choices =
        problem.groups[static_cast<std::size_t>(g)].NumChoices();
    for (int c = 0; c < choices; ++c) {
      const double change = std::abs(state.Delta(g, c));
      if (change > 0.0) changes.push_back(change);
    }
  }
  prices.typical_change = LowerQuartile(std::move(changes));
  return prices;
}

// The choice of each group with the least size, summed over resources relative
// to their mean step.
Choices SmallestChoices(const ReducedProblem& problem, const PlanState& state) {
  Choices smallest(static_cast<std::size_t>(problem.NumGroups()), 0);
  std::vector<double> weight;
  for (int k = 0; k < problem.NumResources(); ++k) {
    const double step = PriceOf(problem, state, k).second;
    weight.push_back(step > 0.0 ? 1.0 / step : 0.0);
  }
  for (int g = 0; g < problem.NumGroups(); ++g) {
    double least = 0.0;
    const int choices =
        problem.groups[static_cast<std::size_t>(g)].NumChoices();
    for (int c = 1; c < choices; ++c) {
      double size = 0.0;
      for (int k = 0; k < problem.NumResources(); ++k) {
        size += weight[static_cast<std::size_t>(k)] *
                static_cast<double>(state.Size(k, g, c));
      }
      if (size >= least) continue;
      least = size;
      smallest[static_cast<std::size_t>(g)] = c;
    }
  }
  return smallest;
}

// Uniform in [0, bound) from 32 random bits; the bias is below bound / 2^32.
int Below(std::uint32_t bits, int bound) {
  return static_cast<int>(
      (std::uint64_t{bits} * static_cast<std::uint64_t>(bound)) >> 32U);
}

class Run {
 public:
  Run(const ReducedProblem& problem,
      const Prices& prices,
      const RandomStream& stream,
      PlanState& state)
      : problem_(problem), stream_(stream), state_(state) {
    for (const double price : prices.per_size) {
      const double factor =
          kLeastPenalty + (kMostPenalty - kLeastPenalty) * stream_.Uniform();
      penalty_.push_back(factor * price);
    }
  }

  // One proposal a variable. Calls improved() when the plan is within limits
  // and below `target`, which then is lowered.
  template <typename Improved>
  void Sweep(double temperature, double& target, Improved&& improved) {
    for (int i = 0; i < problem_.NumVariables(); ++i) {
      const std::uint64_t bits = stream_.engine()();
      const int group =
          Below(static_cast<std::uint32_t>(bits >> 32U), problem_.NumGroups());
      const int choice =
          OtherChoice(group, static_cast<std::uint32_t>(bits >> 1U));
      const bool moved = (bits & 1U) != 0
                             ? ProposeMove(group, choice, temperature)
                             : ProposeSwap(group, choice, temperature);
      if (moved && state_.objective() < target && state_.IsWithinLimits()) {
        target = state_.objective();
        improved();
      }
    }
  }

  // A price that a plan above the limits does not mind rises, one that keeps it
  // below falls. (With a fixed price supermodular problems run away: the more
  // is taken the more the next is worth.)
  void AdaptPenalty() {
    for (int k = 0; k < problem_.NumResources(); ++k) {
      penalty_[static_cast<std::size_t>(k)] *=
          state_.Overflow(k) > 0 ? kRaise : kLower;
    }
  }

  // A random plan that fills the limits: from the smallest options, groups in
  // random order take a random choice if it fits. (A plain random plan may lie
  // so far above the limits that a linear price never brings it back.)
  void Randomize(const Choices& smallest) {
    state_.Reset(smallest);
    for (const int group : stream_.Permutation(problem_.NumGroups())) {
      const int choice = static_cast<int>(stream_.UniformInt(
          problem_.groups[static_cast<std::size_t>(group)].NumChoices()));
      if (state_.FitsAfter(group, choice)) state_.Move(group, choice);
    }
  }

 private:
  // A choice that the group does not take now.
  [[nodiscard]] int OtherChoice(int group, std::uint32_t bits) const {
    const int others =
        problem_.groups[static_cast<std::size_t>(group)].NumChoices() - 1;
    const int choice = others == 1 ? 0 : Below(bits, others);
    return choice < state_.Choice(group) ? choice : choice + 1;
  }

  [[nodiscard]] double PenaltyDelta(int k, std::int64_t size_delta) const {
    const auto r = static_cast<std::size_t>(k);
    const std::int64_t over = state_.use()[r] - problem_.limits[r];
    const std::int64_t before = std::max<std::int64_t>(over, 0);
    const std::int64_t after = std::max<std::int64_t>(over + size_delta, 0);
    return penalty_[r] * static_cast<double>(after - before);
  }

  bool Accept(double change, double temperature) {
    if (change <= 0.0) return true;
    return stream_.Uniform() < std::exp(-change / temperature);
  }

  bool ProposeMove(int group, int choice, double temperature) {
    double change = state_.Delta(group, choice);
    for (int k = 0; k < problem_.NumResources(); ++k) {
      change += PenaltyDelta(k, state_.SizeDelta(k, group, choice));
    }
    if (!Accept(change, temperature)) return false;
    state_.Move(group, choice);
    return true;
  }

  // A partner whose size on the first resource moves the other way, if a few
  // draws find one; any other group will do after that.
  bool ProposeSwap(int group, int choice, double temperature) {
    if (problem_.NumGroups() < 2) return false;
    const bool has_sizes = problem_.NumResources() > 0;
    const std::int64_t step =
        has_sizes ? state_.SizeDelta(0, group, choice) : 0;
    int other = group;
    int other_choice = 0;
    for (int draw = 0; draw < kPartnerDraws; ++draw) {
      const std::uint64_t bits = stream_.engine()();
      const int drawn =
          Below(static_cast<std::uint32_t>(bits >> 32U), problem_.NumGroups());
      if (drawn == group) continue;
      other = drawn;
      other_choice = OtherChoice(other, static_cast<std::uint32_t>(bits));
      if (!has_sizes) break;
      const std::int64_t other_step = state_.SizeDelta(0, other, other_choice);
      if ((step > 0) != (other_step > 0)) break;
    }
    if (other == group) return false;
    double change = state_.SwapDelta(group, choice, other, other_choice);
    for (int k = 0; k < problem_.NumResources(); ++k) {
      change += PenaltyDelta(k,
                             state_.SizeDelta(k, group, choice) +
                                 state_.SizeDelta(k, other, other_choice));
    }
    if (!Accept(change, temperature)) return false;
    state_.Move(group, choice);
    state_.Move(other, other_choice);
    return true;
  }

  const ReducedProblem& problem_;
  RandomStream stream_;
  PlanState& state_;
  std::vector<double> penalty_;
};

// All runs of one solve.
class Annealer {
 public:
  Annealer(const ReducedProblem& problem,
           const SolveOptions& options,
           const SolveClock& clock,
           IncumbentRecorder& recorder)
      : problem_(problem),
        options_(options),
        clock_(clock),
        recorder_(recorder),
        state_(problem),
        tolerance_(1e-12 * problem.scale) {
    sweeps_wanted_ =
        std::clamp(static_cast<std::int64_t>(
                       kSweepWork / std::max(1, problem.NumVariables())),
                   kLeastSweeps,
                   kMostSweeps);
    if (options.node_limit) sweeps_wanted_ = *options.node_limit;
  }

  void Start() {
    StartGreedy();
    greedy_ = state_.choices();
    prices_ = ComputePrices(problem_, state_);
    smallest_ = SmallestChoices(problem_, state_);
  }

  // Returns the limit that ended the runs; kNone when the schedule is done.
  Limit RunAll() {
    for (std::uint64_t index = 0; sweeps_ < sweeps_wanted_; ++index) {
      const Limit limit = RunOnce(index);
      if (limit != Limit::kNone) return limit;
    }
    return options_.node_limit ? Limit::kNodes : Limit::kNone;
  }

  [[nodiscard]] std::int64_t sweeps() const { return sweeps_; }

 private:
  void StartGreedy() {
    if (options_.warm_start) {
      state_.Reset(problem_.Contract(*options_.warm_start));
    }
    FinishPlan();
  }

  // Brings the plan within limits, improves it and reports it.
  void FinishPlan() {
    if (!RepairOverflow(problem_, state_)) return;
    DescendWithinLimits(problem_, state_, problem_.NumVariables());
    if (state_.objective() <= recorder_.Worst() + tolerance_) {
      recorder_.Offer(problem_.Expand(state_.choices()));
    }
  }

  Limit RunOnce(std::uint64_t index) {
    Run run(problem_,
            prices_,
            RandomStream(options_.seed, "solvers/anneal", index),
            state_);
    if (index % 2 == 0) {
      state_.Reset(greedy_);
    } else {
      run.Randomize(smallest_);
    }
    const auto length = static_cast<std::int64_t>(
        kFirstSweeps *
        std::pow(kSweepGrowth, std::floor(0.5 * static_cast<double>(index))));
    const std::int64_t sweeps = std::min(length, sweeps_wanted_ - sweeps_);
    const double unit =
        std::max(prices_.typical_change, std::numeric_limits<double>::min());
    const double cooling =
        std::pow(kColdest / kHottest, 1.0 / static_cast<double>(sweeps));
    double temperature = kHottest * unit;
    double target = recorder_.Best() - tolerance_;
    Choices best;
    Limit limit = Limit::kNone;
    for (std::int64_t s = 0; s < sweeps && limit == Limit::kNone; ++s) {
      run.Sweep(temperature, target, [&] { best = state_.choices(); });
      temperature *= cooling;
      run.AdaptPenalty();
      ++sweeps_;
      limit = clock_.Reached(0);
    }
    if (!best.empty()) recorder_.Offer(problem_.Expand(best));
    // Many moves pile up rounding; the end of a run is computed afresh.
    state_.Reset(Choices(state_.choices()));
    FinishPlan();
    return limit;
  }

  const ReducedProblem& problem_;
  const SolveOptions& options_;
  const SolveClock& clock_;
  IncumbentRecorder& recorder_;
  PlanState state_;
  double tolerance_;
  Prices prices_;
  Choices greedy_;
  Choices smallest_;
  std::int64_t sweeps_wanted_ = 0;
  std::int64_t sweeps_ = 0;
};

}  // namespace

SolverCapabilities AnnealSolver::capabilities() const {
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

Expected<SolveResult> AnnealSolver::Solve(const AllocationProblem& problem,
                                          const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem);
  IncumbentRecorder recorder(problem, options, clock);
  if (reduced.infeasible) {
    recorder.RaiseBound(std::numeric_limits<double>::infinity());
    SolveResult result = recorder.Finish(Limit::kNone);
    result.detail = *reduced.infeasible;
    return result;
  }
  if (reduced.NumGroups() == 0) {
    recorder.Offer(reduced.Expand({}));
    return recorder.Finish(Limit::kNone);
  }
  Annealer annealer(reduced, options, clock, recorder);
  annealer.Start();
  const Limit limit = annealer.RunAll();
  SolveResult result = recorder.Finish(limit);
  result.stats.nodes = annealer.sweeps();
  result.stats.iterations = annealer.sweeps() * reduced.NumVariables();
  return result;
}

}  // namespace bitpact
