// SPDX-License-Identifier: Apache-2.0

// The sweep of solvers/anneal_run.h for one-hot groups. Nearly all proposals
// are refused, so a proposal first draws what it may cost and then looks at as
// little as refuses it: the moves' own changes, less what the pair terms
// between the two groups can give at most.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <utility>

#include "solvers/anneal_run.h"

namespace bitpact {
namespace {

// Groups drawn in search of one that can move the other way.
constexpr int kGroupDraws = 6;

}  // namespace

void FillOneHotTables(const ReducedProblem& problem,
                      const PlanState& state,
                      AnnealPrices& prices) {
  for (int g = 0; g < problem.NumGroups(); ++g) {
    const auto first = static_cast<std::ptrdiff_t>(prices.by_size.size());
    const int choices =
        problem.groups[static_cast<std::size_t>(g)].NumChoices();
    for (int c = 0; c < choices; ++c) prices.by_size.push_back(c);
    if (problem.NumResources() == 0) continue;
    std::stable_sort(prices.by_size.begin() + first,
                     prices.by_size.end(),
                     [&](int a, int b) {
                       return state.Size(0, g, a) < state.Size(0, g, b);
                     });
  }
  // Of factors the product of lengths, no less than any entry, in O(rank).
  const PairFactorRows& factors = problem.pairs.factors();
  double longest = 0.0;
  const auto length = [&](int v) {
    double squares = 0.0;
    for (const double u : factors.Row(v)) squares += u * u;
    return std::sqrt(squares);
  };
  for (int v = 0; v < problem.NumVariables() && factors.rank > 0; ++v) {
    longest = std::max(longest, length(v));
  }
  for (int v = 0; v < problem.NumVariables(); ++v) {
    double largest = 0.0;
    problem.pairs.ForEachListedInRow(v, [&](int, double value) {
      largest = std::max(largest, std::abs(value));
    });
    if (factors.rank > 0) largest += length(v) * longest;
    prices.largest_pair.push_back(largest);
  }
}

void AnnealRun::SweepOneHot(double temperature, double& target, Choices& best) {
  const double price = penalty_.empty() ? 0.0 : penalty_[0];
  const bool has_size = !penalty_.empty();
  for (int proposal = 0; proposal < problem_.NumVariables(); ++proposal) {
    const std::uint64_t bits = NextBits();
    const int drawn =
        Below(static_cast<std::uint32_t>(bits >> 32U), problem_.NumVariables());
    const int group = problem_.group_of[static_cast<std::size_t>(drawn)];
    const int choice =
        OtherChoice(group, static_cast<std::uint32_t>(bits) << 1U);
    const double threshold = DrawThreshold(temperature);
    double change = state_.Delta(group, choice);
    std::int64_t grown = has_size ? state_.SizeDelta(0, group, choice) : 0;
    int other = -1;
    int other_choice = -1;
    double pairs_most = 0.0;
    if (schedule_.has_swaps && (bits & 1U) != 0) {
      std::tie(other, other_choice) = DrawOpposite(group, grown > 0);
      if (other_choice < 0) continue;
      change += state_.Delta(other, other_choice);
      if (has_size) grown += state_.SizeDelta(0, other, other_choice);
      pairs_most = 2.0 * std::min(LargestPair(group, choice) +
                                      LargestPair(group, state_.Choice(group)),
                                  LargestPair(other, other_choice) +
                                      LargestPair(other, state_.Choice(other)));
    }
    const std::int64_t over =
        has_size ? state_.use()[0] - problem_.limits[0] : 0;
    const double penalty =
        price * static_cast<double>(std::max<std::int64_t>(over + grown, 0) -
                                    std::max<std::int64_t>(over, 0));
    if (change + penalty - pairs_most > threshold) continue;
    if (other >= 0) {
      change = state_.SwapDelta(group, choice, other, other_choice);
      if (change + penalty > threshold) continue;
    }
    state_.Move(group, choice);
    if (other >= 0) state_.Move(other, other_choice);
    if (over + grown <= 0 && state_.objective() < target) {
      target = state_.objective();
      best = state_.choices();
    }
  }
}

std::pair<int, int> AnnealRun::DrawOpposite(int group, bool grows) {
  for (int draw = 0; draw < kGroupDraws; ++draw) {
    const std::uint64_t bits = NextBits();
    const int other =
        Below(static_cast<std::uint32_t>(bits >> 32U), problem_.NumGroups());
    if (other == group) continue;
    const ReducedGroup& drawn =
        problem_.groups[static_cast<std::size_t>(other)];
    const int* sorted = prices_.by_size.data() + drawn.first + other;
    int rank = 0;
    while (sorted[rank] != state_.Choice(other)) ++rank;
    const int count = grows ? rank : drawn.NumChoices() - 1 - rank;
    if (count == 0) continue;
    const int at = Below(static_cast<std::uint32_t>(bits), count);
    return {other, sorted[grows ? at : rank + 1 + at]};
  }
  return {-1, -1};
}

}  // namespace bitpact
