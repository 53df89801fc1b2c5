// SPDX-License-Identifier: Apache-2.0
#include "solvers/pool_fill.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <tuple>
#include <vector>

#include "solvers/plan_state.h"

namespace bitpact {
namespace {

constexpr int kMostForPairs = 2048;

// One move, or two when other >= 0.
struct Neighbour {
  double delta = 0.0;
  int group = 0;
  int choice = 0;
  int other = -1;
  int other_choice = 0;

  friend bool operator<(const Neighbour& a, const Neighbour& b) {
    return std::tie(a.delta, a.group, a.choice, a.other, a.other_choice) <
           std::tie(b.delta, b.group, b.choice, b.other, b.other_choice);
  }
};

// The best `most` feasible neighbours of a plan.
class Neighbourhood {
 public:
  Neighbourhood(const ReducedProblem& reduced,
                const PlanState& state,
                std::size_t most)
      : reduced_(reduced), state_(state), most_(most) {}

  std::vector<Neighbour> Best() {
    const bool has_pairs = reduced_.NumVariables() <= kMostForPairs &&
                           !reduced_.pairs.has_factors();
    for (int g = 0; g < reduced_.NumGroups(); ++g) {
      ForEachMove(g, [&](int c) {
        if (state_.FitsAfter(g, c)) Keep({state_.Delta(g, c), g, c});
        for (int h = g + 1; has_pairs && h < reduced_.NumGroups(); ++h) {
          ForEachMove(h, [&](int d) { KeepPair(g, c, h, d); });
        }
      });
    }
    std::sort_heap(best_.begin(), best_.end());
    return std::move(best_);
  }

 private:
  template <typename Visit>
  void ForEachMove(int group, Visit&& visit) const {
    const int choices =
        reduced_.groups[static_cast<std::size_t>(group)].NumChoices();
    for (int c = 0; c < choices; ++c) {
      if (c != state_.Choice(group)) visit(c);
    }
  }

  void KeepPair(int g, int c, int h, int d) {
    for (int k = 0; k < reduced_.NumResources(); ++k) {
      if (state_.use()[static_cast<std::size_t>(k)] +
              state_.SizeDelta(k, g, c) + state_.SizeDelta(k, h, d) >
          reduced_.limits[static_cast<std::size_t>(k)]) {
        return;
      }
    }
    Keep({state_.SwapDelta(g, c, h, d), g, c, h, d});
  }

  // A heap with the worst on top.
  void Keep(const Neighbour& neighbour) {
    if (best_.size() == most_) {
      if (!(neighbour < best_.front())) return;
      std::pop_heap(best_.begin(), best_.end());
      best_.pop_back();
    }
    best_.push_back(neighbour);
    std::push_heap(best_.begin(), best_.end());
  }

  const ReducedProblem& reduced_;
  const PlanState& state_;
  std::size_t most_;
  std::vector<Neighbour> best_;
};

}  // namespace

void FillPool(const ReducedProblem& reduced,
              const SolveOptions& options,
              IncumbentRecorder& recorder) {
  if (options.pool_size < 2 || reduced.NumGroups() == 0) return;
  const auto most = static_cast<std::size_t>(options.pool_size);
  std::vector<Assignment> expanded;
  PlanState state(reduced);
  while (expanded.size() < recorder.pool().size()) {
    const auto next = std::find_if(
        recorder.pool().begin(),
        recorder.pool().end(),
        [&](const ScoredPlan& plan) {
          return std::find(expanded.begin(), expanded.end(), plan.assignment) ==
                 expanded.end();
        });
    if (next == recorder.pool().end()) return;
    expanded.push_back(next->assignment);
    const Choices choices = reduced.Contract(next->assignment);
    state.Reset(choices);
    for (const Neighbour& near : Neighbourhood(reduced, state, most).Best()) {
      Choices moved = choices;
      moved[static_cast<std::size_t>(near.group)] = near.choice;
      if (near.other >= 0) {
        moved[static_cast<std::size_t>(near.other)] = near.other_choice;
      }
      recorder.Offer(reduced.Expand(moved));
    }
    if (recorder.pool().size() == most || options.stop.stop_requested()) return;
  }
}

}  // namespace bitpact
