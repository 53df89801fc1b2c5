// SPDX-License-Identifier: Apache-2.0
#include "solvers/plan_state.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

namespace bitpact {
namespace {

// Gains below this share of the objective's scale are rounding; following them
// could go in circles.
constexpr double kNoGain = 1e-13;
// One over the share of the moves found that a batch makes.
constexpr int kBatchShare = 100;
// Looking at all pairs of moves takes too long beyond.
constexpr int kMostForPairs = 1024;

struct BestMove {
  double value = std::numeric_limits<double>::infinity();
  int group = -1;
  int choice = 0;
  int other = -1;
  int other_choice = 0;
};

// Calls visit(group, choice) for each choice that is not taken.
template <typename Visit>
void ForEachMove(const ReducedProblem& problem,
                 const PlanState& state,
                 int first_group,
                 Visit&& visit) {
  for (int g = first_group; g < problem.NumGroups(); ++g) {
    const int choices =
        problem.groups[static_cast<std::size_t>(g)].NumChoices();
    for (int c = 0; c < choices; ++c) {
      if (c != state.Choice(g)) visit(g, c);
    }
  }
}

// Overflow removed by a move, each resource weighted by one over its overflow,
// so that 1 is all of one resource; negative when it gets worse.
double OverflowRemoved(const ReducedProblem& problem,
                       const PlanState& state,
                       int group,
                       int choice) {
  double removed = 0.0;
  for (int k = 0; k < problem.NumResources(); ++k) {
    const auto limit = problem.limits[static_cast<std::size_t>(k)];
    const std::int64_t before = state.Overflow(k);
    const std::int64_t use = state.use()[static_cast<std::size_t>(k)] +
                             state.SizeDelta(k, group, choice);
    const std::int64_t after = std::max<std::int64_t>(use - limit, 0);
    if (before == after) continue;
    removed += static_cast<double>(before - after) /
               static_cast<double>(std::max(before, after));
  }
  return removed;
}

bool FitsAfterBoth(const ReducedProblem& problem,
                   const PlanState& state,
                   const BestMove& move) {
  for (int k = 0; k < problem.NumResources(); ++k) {
    const auto r = static_cast<std::size_t>(k);
    if (state.use()[r] + state.SizeDelta(k, move.group, move.choice) +
            state.SizeDelta(k, move.other, move.other_choice) >
        problem.limits[r]) {
      return false;
    }
  }
  return true;
}

BestMove BestSingle(const ReducedProblem& problem, const PlanState& state) {
  BestMove best{.value = -kNoGain * problem.scale};
  ForEachMove(problem, state, 0, [&](int g, int c) {
    const double delta = state.Delta(g, c);
    if (delta < best.value && state.FitsAfter(g, c)) {
      best = {.value = delta, .group = g, .choice = c};
    }
  });
  return best;
}

// BestPair when every group is one binary: the same answer from flat arrays.
BestMove BestPairTwoWay(const ReducedProblem& problem, const PlanState& state) {
  BestMove best{.value = -kNoGain * problem.scale};
  const auto n = static_cast<std::size_t>(problem.NumVariables());
  std::vector<double> delta(n);
  std::vector<double> sign(n);
  std::vector<std::int64_t> step(n, 0);
  const bool has_limit = problem.NumResources() > 0;
  for (std::size_t i = 0; i < n; ++i) {
    const int group = static_cast<int>(i);
    const int choice = 1 - state.Choice(group);
    delta[i] = state.Delta(group, choice);
    sign[i] = choice == 1 ? 1.0 : -1.0;
    if (has_limit) step[i] = state.SizeDelta(0, group, choice);
  }
  const std::int64_t room = has_limit ? problem.limits[0] - state.use()[0] : 0;
  std::vector<double> row(n);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    problem.pairs.AddRow(static_cast<int>(i), sign[i], row);
    for (std::size_t j = i + 1; j < n; ++j) {
      const double value = delta[i] + delta[j] + sign[j] * row[j];
      if (value >= best.value || step[i] + step[j] > room) continue;
      const BestMove move{value,
                          static_cast<int>(i),
                          sign[i] > 0.0 ? 1 : 0,
                          static_cast<int>(j),
                          sign[j] > 0.0 ? 1 : 0};
      if (FitsAfterBoth(problem, state, move)) best = move;
    }
  }
  return best;
}

BestMove BestPair(const ReducedProblem& problem, const PlanState& state) {
  if (problem.IsTwoWay()) return BestPairTwoWay(problem, state);
  BestMove best{.value = -kNoGain * problem.scale};
  // What the move adds to the fields of all others, so that a partner takes two
  // loads.
  std::vector<double> row(static_cast<std::size_t>(problem.NumVariables()));
  const auto added = [&](int g, int c) {
    const int variable = problem.VariableOf(g, c);
    return variable < 0 ? 0.0 : row[static_cast<std::size_t>(variable)];
  };
  ForEachMove(problem, state, 0, [&](int g, int c) {
    std::fill(row.begin(), row.end(), 0.0);
    const int from = problem.VariableOf(g, state.Choice(g));
    const int to = problem.VariableOf(g, c);
    if (from >= 0) problem.pairs.AddRow(from, -1.0, row);
    if (to >= 0) problem.pairs.AddRow(to, 1.0, row);
    const double first = state.Delta(g, c);
    ForEachMove(problem, state, g + 1, [&](int h, int d) {
      const double value =
          first + state.Delta(h, d) + added(h, d) - added(h, state.Choice(h));
      if (value >= best.value) return;
      const BestMove move{value, g, c, h, d};
      if (FitsAfterBoth(problem, state, move)) best = move;
    });
  });
  return best;
}

// The best move of the group by repair's rule.
BestMove BestRepair(const ReducedProblem& problem,
                    const PlanState& state,
                    int group) {
  BestMove best;
  const int choices =
      problem.groups[static_cast<std::size_t>(group)].NumChoices();
  for (int c = 0; c < choices; ++c) {
    if (c == state.Choice(group)) continue;
    const double removed = OverflowRemoved(problem, state, group, c);
    if (removed <= 0.0) continue;
    const double delta = state.Delta(group, c);
    // A gain counts more when it also removes much.
    const double value = delta > 0.0 ? delta / removed : delta * removed;
    if (value < best.value)
      best = {.value = value, .group = group, .choice = c};
  }
  return best;
}

bool PrecedesInBatch(const BestMove& a, const BestMove& b) {
  return a.value != b.value ? a.value < b.value : a.group < b.group;
}

// RepairOverflow where looking at all moves costs far more than making one:
// each look makes the best hundredth of them.
bool RepairInBatches(const ReducedProblem& problem, PlanState& state) {
  std::vector<BestMove> moves;
  for (int look = 0; look < 4 * kBatchShare; ++look) {
    if (state.IsWithinLimits()) return true;
    moves.clear();
    for (int g = 0; g < problem.NumGroups(); ++g) {
      const BestMove move = BestRepair(problem, state, g);
      if (move.group >= 0) moves.push_back(move);
    }
    if (moves.empty()) return false;
    const std::size_t batch =
        std::max<std::size_t>(1, moves.size() / kBatchShare);
    std::partial_sort(moves.begin(),
                      moves.begin() + static_cast<std::ptrdiff_t>(batch),
                      moves.end(),
                      PrecedesInBatch);
    for (std::size_t i = 0; i < batch && !state.IsWithinLimits(); ++i) {
      state.Move(moves[i].group, moves[i].choice);
    }
  }
  // What is left of an overflow that many looks did not end goes one by one.
  for (int move = 0; move < problem.NumVariables(); ++move) {
    if (state.IsWithinLimits()) return true;
    BestMove best;
    for (int g = 0; g < problem.NumGroups(); ++g) {
      const BestMove candidate = BestRepair(problem, state, g);
      if (candidate.value < best.value) best = candidate;
    }
    if (best.group < 0) return false;
    state.Move(best.group, best.choice);
  }
  return state.IsWithinLimits();
}

// Single moves within limits where looking at all costs far more than making
// one: each look makes the best hundredth, as far as they still gain, until a
// look finds none.
void DescendInBatches(const ReducedProblem& problem,
                      PlanState& state,
                      std::int64_t max_moves) {
  const double no_gain = -kNoGain * problem.scale;
  std::vector<BestMove> found;
  for (std::int64_t moves = 0; moves < max_moves;) {
    found.clear();
    for (int g = 0; g < problem.NumGroups(); ++g) {
      BestMove best{.value = no_gain};
      const int choices =
          problem.groups[static_cast<std::size_t>(g)].NumChoices();
      for (int c = 0; c < choices; ++c) {
        if (c == state.Choice(g)) continue;
        const double delta = state.Delta(g, c);
        if (delta < best.value && state.FitsAfter(g, c)) {
          best = {.value = delta, .group = g, .choice = c};
        }
      }
      if (best.group >= 0) found.push_back(best);
    }
    if (found.empty()) return;
    std::sort(found.begin(), found.end(), PrecedesInBatch);
    found.resize(std::max<std::size_t>(1, found.size() / kBatchShare));
    for (const BestMove& move : found) {
      if (moves == max_moves) return;
      if (state.Delta(move.group, move.choice) >= no_gain ||
          !state.FitsAfter(move.group, move.choice)) {
        continue;
      }
      state.Move(move.group, move.choice);
      ++moves;
    }
  }
}

}  // namespace

PlanState::PlanState(const ReducedProblem& problem) : problem_(problem) {
  Reset(Choices(static_cast<std::size_t>(problem.NumGroups()), 0));
}

void PlanState::Reset(const Choices& choices) {
  choices_.assign(choices.size(), 0);
  field_ = problem_.linear;
  use_.assign(problem_.limits.size(), 0);
  row_sum_.assign(static_cast<std::size_t>(problem_.pairs.factors().rank), 0.0);
  objective_ = problem_.constant;
  for (int g = 0; g < problem_.NumGroups(); ++g) {
    const int choice = choices[static_cast<std::size_t>(g)];
    if (choice != 0) Move(g, choice);
  }
}

double PlanState::FactorField(int group, int variable) const {
  const PairFactorRows& rows = problem_.pairs.factors();
  const int own = problem_.VariableOf(group, Choice(group));
  const double all = rows.Dot(variable, row_sum_);
  return own < 0 ? all : all - rows.Dot(variable, rows.Row(own));
}

double PlanState::SwapDelta(int group,
                            int choice,
                            int other,
                            int other_choice) const {
  const int from = problem_.VariableOf(group, Choice(group));
  const int to = problem_.VariableOf(group, choice);
  const int other_from = problem_.VariableOf(other, Choice(other));
  const int other_to = problem_.VariableOf(other, other_choice);
  const auto pair = [&](int i, int j) {
    return i < 0 || j < 0 ? 0.0 : problem_.pairs.At(i, j);
  };
  return Delta(group, choice) + Delta(other, other_choice) +
         pair(to, other_to) - pair(from, other_to) - pair(to, other_from) +
         pair(from, other_from);
}

std::int64_t PlanState::Overflow(int resource) const {
  const auto k = static_cast<std::size_t>(resource);
  return std::max<std::int64_t>(use_[k] - problem_.limits[k], 0);
}

bool PlanState::IsWithinLimits() const {
  for (std::size_t k = 0; k < use_.size(); ++k) {
    if (use_[k] > problem_.limits[k]) return false;
  }
  return true;
}

bool PlanState::FitsAfter(int group, int choice) const {
  for (int k = 0; k < problem_.NumResources(); ++k) {
    const auto r = static_cast<std::size_t>(k);
    if (use_[r] + SizeDelta(k, group, choice) > problem_.limits[r]) {
      return false;
    }
  }
  return true;
}

void PlanState::Move(int group, int choice) {
  objective_ += Delta(group, choice);
  for (int k = 0; k < problem_.NumResources(); ++k) {
    use_[static_cast<std::size_t>(k)] += SizeDelta(k, group, choice);
  }
  const int from = problem_.VariableOf(group, Choice(group));
  const int to = problem_.VariableOf(group, choice);
  for (const auto& [variable, sign] : {std::pair(from, -1.0), {to, 1.0}}) {
    if (variable < 0) continue;
    problem_.pairs.AddListedRow(variable, sign, field_);
    if (row_sum_.empty()) continue;
    const std::span<const double> row = problem_.pairs.factors().Row(variable);
    for (std::size_t r = 0; r < row.size(); ++r) row_sum_[r] += sign * row[r];
  }
  choices_[static_cast<std::size_t>(group)] = choice;
}

bool RepairOverflow(const ReducedProblem& problem, PlanState& state) {
  if (problem.pairs.has_factors()) return RepairInBatches(problem, state);
  // Each move lowers the weighted overflow; the cap only guards against rounds
  // of moves that trade two resources against each other.
  const int most_moves = 4 * problem.NumVariables() + 16;
  for (int moves = 0; moves < most_moves; ++moves) {
    if (state.IsWithinLimits()) return true;
    BestMove best;
    for (int g = 0; g < problem.NumGroups(); ++g) {
      const BestMove move = BestRepair(problem, state, g);
      if (move.value < best.value) best = move;
    }
    if (best.group < 0) return false;
    state.Move(best.group, best.choice);
  }
  return state.IsWithinLimits();
}

void DescendWithinLimits(const ReducedProblem& problem,
                         PlanState& state,
                         std::int64_t max_moves) {
  if (problem.pairs.has_factors()) {
    DescendInBatches(problem, state, max_moves);
  }
  for (std::int64_t moves = 0; moves < max_moves; ++moves) {
    BestMove best = BestSingle(problem, state);
    if (best.group < 0 && problem.NumVariables() <= kMostForPairs) {
      best = BestPair(problem, state);
    }
    if (best.group < 0) return;
    state.Move(best.group, best.choice);
    if (best.other >= 0) state.Move(best.other, best.other_choice);
  }
}

}  // namespace bitpact
