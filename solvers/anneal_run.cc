// SPDX-License-Identifier: Apache-2.0
#include "solvers/anneal_run.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <utility>

namespace bitpact {
namespace {

constexpr double kLeastPenalty = 0.85;
constexpr double kMostPenalty = 1.35;
// Of the penalty, per sweep, so that the plan keeps crossing its limits from
// both sides.
constexpr double kRaise = 1.05;
constexpr double kLower = 0.98;
// Draws in search of a partner whose size moves the other way.
constexpr int kPartnerDraws = 6;
// exp of minus this is nothing that a run would ever draw.
constexpr double kHopeless = 20.0;

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

// -log of the middles of 256 equal parts of [0.5, 1).
std::array<double, 256> MakeLogTable() {
  std::array<double, 256> table{};
  for (std::size_t k = 0; k < table.size(); ++k) {
    table[k] = -std::log((256.5 + static_cast<double>(k)) / 512.0);
  }
  return table;
}
const std::array<double, 256> kLogTable = MakeLogTable();

// Exponential with mean 1, as -log of a uniform number: its binary exponent is
// the number of leading zeros, its leading digits index the table.
double Exponential(std::uint64_t bits) {
  constexpr double kLogTwo = 0.69314718055994531;
  return kLogTwo * std::countl_zero(bits) + kLogTable[bits & 255U];
}

}  // namespace

AnnealPrices ComputeAnnealPrices(const ReducedProblem& problem,
                                 const PlanState& state) {
  AnnealPrices prices;
  // With factors a look at every row costs more than the tables save.
  if (!problem.IsTwoWay() && problem.NumResources() <= 1 &&
      !problem.pairs.has_factors()) {
    FillOneHotTables(problem, state, prices);
  }
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

double MeanSizeStep(const ReducedProblem& problem,
                    const PlanState& state,
                    int k) {
  return PriceOf(problem, state, k).second;
}

AnnealRun::AnnealRun(const ReducedProblem& problem,
                     const AnnealPrices& prices,
                     const AnnealSchedule& schedule,
                     const RandomStream& stream,
                     PlanState& state)
    : problem_(problem),
      prices_(prices),
      schedule_(schedule),
      stream_(stream),
      state_(state) {
  for (const double price : prices.per_size) {
    const double factor =
        kLeastPenalty + (kMostPenalty - kLeastPenalty) * stream_.Uniform();
    penalty_.push_back(factor * price);
  }
  if (!problem.sizes.empty()) sizes_ = problem.sizes[0];
  bits_ = stream_.engine()();
}

// SplitMix64 (Steele, Lea & Flood 2014): the numbers of one run need speed, not
// a long period.
std::uint64_t AnnealRun::NextBits() {
  std::uint64_t z = (bits_ += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

bool AnnealRun::Accept(double change, double temperature) {
  if (change <= 0.0) return true;
  if (change > kHopeless * temperature) return false;
  return change < DrawThreshold(temperature);
}

double AnnealRun::DrawThreshold(double temperature) {
  return temperature * Exponential(NextBits());
}

void AnnealRun::AdaptPenalty() {
  for (int k = 0; k < problem_.NumResources(); ++k) {
    penalty_[static_cast<std::size_t>(k)] *=
        state_.Overflow(k) > 0 ? kRaise : kLower;
  }
}

void AnnealRun::Randomize(const Choices& smallest) {
  state_.Reset(smallest);
  for (const int group : stream_.Permutation(problem_.NumGroups())) {
    const int choice = static_cast<int>(stream_.UniformInt(
        problem_.groups[static_cast<std::size_t>(group)].NumChoices()));
    if (state_.FitsAfter(group, choice)) state_.Move(group, choice);
  }
}

void AnnealRun::Sweep(double temperature, double& target, Choices& best) {
  if (problem_.IsTwoWay() && problem_.NumResources() <= 1) {
    SweepTwoWay(temperature, target, best);
    return;
  }
  if (!prices_.by_size.empty()) {
    SweepOneHot(temperature, target, best);
    return;
  }
  for (int i = 0; i < problem_.NumVariables(); ++i) {
    const std::uint64_t bits = NextBits();
    const int group =
        Below(static_cast<std::uint32_t>(bits >> 32U), problem_.NumGroups());
    const int choice =
        OtherChoice(group, static_cast<std::uint32_t>(NextBits() >> 32U));
    const bool moved = !schedule_.has_swaps || (bits & 1U) != 0
                           ? ProposeMove(group, choice, temperature)
                           : ProposeSwap(group, choice, temperature);
    if (moved && state_.objective() < target && state_.IsWithinLimits()) {
      target = state_.objective();
      best = state_.choices();
    }
  }
}

void AnnealRun::SweepTwoWay(double temperature, double& target, Choices& best) {
  const int n = problem_.NumGroups();
  const double price = penalty_.empty() ? 0.0 : penalty_[0];
  Partition();
  for (int proposal = 0; proposal < n; ++proposal) {
    const std::uint64_t bits = NextBits();
    const int i = Below(static_cast<std::uint32_t>(bits >> 32U), n);
    const bool is_swap = schedule_.has_swaps && (bits & 1U) != 0;
    const int j = is_swap ? DrawPartner(i) : -1;
    if (is_swap && j < 0) continue;
    double change = FlipDelta(i);
    std::int64_t grown = FlipSize(i);
    if (j >= 0) {
      const double pair = problem_.pairs.At(i, j);
      change +=
          FlipDelta(j) + (state_.Choice(i) == state_.Choice(j) ? pair : -pair);
      grown += FlipSize(j);
    }
    const std::int64_t over =
        sizes_.empty() ? 0 : state_.use()[0] - problem_.limits[0];
    change +=
        price * static_cast<double>(std::max<std::int64_t>(over + grown, 0) -
                                    std::max<std::int64_t>(over, 0));
    if (!Accept(change, temperature)) continue;
    Flip(i);
    if (j >= 0) Flip(j);
    if (over + grown <= 0 && state_.objective() < target) {
      target = state_.objective();
      best = state_.choices();
    }
  }
}

void AnnealRun::Partition() {
  const int n = problem_.NumGroups();
  order_.resize(static_cast<std::size_t>(n));
  place_.resize(static_cast<std::size_t>(n));
  growing_ = 0;
  for (int i = 0; i < n; ++i) {
    order_[static_cast<std::size_t>(i)] = i;
    place_[static_cast<std::size_t>(i)] = i;
  }
  for (int i = 0; i < n; ++i) {
    if (FlipSize(i) > 0) Exchange(i, growing_++);
  }
}

// Puts i where the binary at `place` is, and that one where i was.
void AnnealRun::Exchange(int i, int place) {
  const int at = place_[static_cast<std::size_t>(i)];
  const int other = order_[static_cast<std::size_t>(place)];
  std::swap(order_[static_cast<std::size_t>(at)],
            order_[static_cast<std::size_t>(place)]);
  place_[static_cast<std::size_t>(i)] = place;
  place_[static_cast<std::size_t>(other)] = at;
}

void AnnealRun::Flip(int i) {
  const bool grew = FlipSize(i) > 0;
  state_.Move(i, 1 - state_.Choice(i));
  const bool grows = FlipSize(i) > 0;
  if (grew && !grows) Exchange(i, --growing_);
  if (!grew && grows) Exchange(i, growing_++);
}

int AnnealRun::DrawPartner(int i) {
  const int n = problem_.NumGroups();
  int first = 0;
  int count = n;
  if (!sizes_.empty()) {
    const bool grows = place_[static_cast<std::size_t>(i)] < growing_;
    first = grows ? growing_ : 0;
    count = grows ? n - growing_ : growing_;
  }
  if (count == 0) return -1;
  const int drawn =
      first + Below(static_cast<std::uint32_t>(NextBits() >> 32U), count);
  const int j = order_[static_cast<std::size_t>(drawn)];
  return j == i ? -1 : j;
}

int AnnealRun::OtherChoice(int group, std::uint32_t bits) const {
  const int others =
      problem_.groups[static_cast<std::size_t>(group)].NumChoices() - 1;
  const int choice = others == 1 ? 0 : Below(bits, others);
  return choice < state_.Choice(group) ? choice : choice + 1;
}

double AnnealRun::PenaltyDelta(int k, std::int64_t size_delta) const {
  const auto r = static_cast<std::size_t>(k);
  const std::int64_t over = state_.use()[r] - problem_.limits[r];
  const std::int64_t before = std::max<std::int64_t>(over, 0);
  const std::int64_t after = std::max<std::int64_t>(over + size_delta, 0);
  return penalty_[r] * static_cast<double>(after - before);
}

bool AnnealRun::ProposeMove(int group, int choice, double temperature) {
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
bool AnnealRun::ProposeSwap(int group, int choice, double temperature) {
  if (problem_.NumGroups() < 2) return false;
  const bool has_sizes = problem_.NumResources() > 0;
  const std::int64_t step = has_sizes ? state_.SizeDelta(0, group, choice) : 0;
  int other = group;
  int other_choice = 0;
  for (int draw = 0; draw < kPartnerDraws; ++draw) {
    const std::uint64_t bits = NextBits();
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

}  // namespace bitpact
