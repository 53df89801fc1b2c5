// SPDX-License-Identifier: Apache-2.0
#include "solvers/choice_knapsack.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// States between two looks at the limits.
constexpr std::int64_t kStatesPerLook = 1 << 16;

double Ratio(const KnapsackItem& small, const KnapsackItem& large) {
  return (small.cost - large.cost) /
         static_cast<double>(large.size - small.size);
}

}  // namespace

void KeepParetoItems(KnapsackClass& items) {
  std::stable_sort(
      items.begin(), items.end(), [](const auto& a, const auto& b) {
        return a.size != b.size ? a.size < b.size : a.cost < b.cost;
      });
  std::size_t kept = 0;
  for (const KnapsackItem& item : items) {
    if (kept > 0 && item.cost >= items[kept - 1].cost) continue;
    items[kept++] = item;
  }
  items.resize(kept);
}

ChoiceKnapsack::ChoiceKnapsack(std::vector<KnapsackClass> classes,
                               std::int64_t capacity,
                               double tolerance)
    : classes_(std::move(classes)), capacity_(capacity), tolerance_(tolerance) {
  for (KnapsackClass& items : classes_) KeepParetoItems(items);
  SolveRelaxation();
  OrderClasses();
}

void ChoiceKnapsack::AddHullSteps(int owner, std::vector<Step>& steps) const {
  const KnapsackClass& items = classes_[static_cast<std::size_t>(owner)];
  std::vector<int> hull;
  for (int i = 0; i < static_cast<int>(items.size()); ++i) {
    const auto at = [&](int index) -> const KnapsackItem& {
      return items[static_cast<std::size_t>(index)];
    };
    // Ratios fall along the hull; a vertex reached by a worse ratio than the
    // step that leaves it lies inside.
    while (hull.size() >= 2 &&
           Ratio(at(hull[hull.size() - 2]), at(hull.back())) <=
               Ratio(at(hull.back()), at(i))) {
      hull.pop_back();
    }
    hull.push_back(i);
  }
  for (std::size_t v = 1; v < hull.size(); ++v) {
    const KnapsackItem& from = items[static_cast<std::size_t>(hull[v - 1])];
    const KnapsackItem& to = items[static_cast<std::size_t>(hull[v])];
    steps.push_back({Ratio(from, to), owner, hull[v], to.size - from.size});
  }
}

void ChoiceKnapsack::SolveRelaxation() {
  const std::size_t count = classes_.size();
  std::vector<Step> steps;
  base_.assign(count, 0);
  up_.assign(count, 0.0);
  down_.assign(count, kInfinity);
  for (std::size_t g = 0; g < count; ++g) {
    AddHullSteps(static_cast<int>(g), steps);
    base_size_ += classes_[g].front().size;
    base_cost_ += classes_[g].front().cost;
  }
  std::stable_sort(
      steps.begin(), steps.end(), [](const Step& a, const Step& b) {
        return a.ratio > b.ratio;
      });
  std::size_t taken = 0;
  const auto take = [&](const Step& step) {
    const auto g = static_cast<std::size_t>(step.owner);
    const auto& items = classes_[g];
    base_cost_ += items[static_cast<std::size_t>(step.to)].cost -
                  items[static_cast<std::size_t>(base_[g])].cost;
    base_size_ += step.size;
    base_[g] = step.to;
    down_[g] = step.ratio;
  };
  while (taken < steps.size() && base_size_ + steps[taken].size <= capacity_) {
    take(steps[taken++]);
  }
  for (std::size_t s = steps.size(); s-- > taken;) {
    up_[static_cast<std::size_t>(steps[s].owner)] = steps[s].ratio;
  }
  multiplier_ = taken < steps.size() ? steps[taken].ratio : 0.0;
  bound_ = base_cost_ -
           multiplier_ * static_cast<double>(capacity_ - base_size_) -
           tolerance_;
  FillGreedily(steps, taken);
}

void ChoiceKnapsack::FillGreedily(const std::vector<Step>& steps,
                                  std::size_t from) {
  greedy_ = base_;
  std::int64_t size = base_size_;
  // A step is measured from where the class stands, since one before it may
  // have been left out.
  for (std::size_t s = from; s < steps.size(); ++s) {
    const auto g = static_cast<std::size_t>(steps[s].owner);
    const auto& items = classes_[g];
    const std::int64_t more =
        items[static_cast<std::size_t>(steps[s].to)].size -
        items[static_cast<std::size_t>(greedy_[g])].size;
    if (size + more > capacity_) continue;
    greedy_[g] = steps[s].to;
    size += more;
  }
  greedy_cost_ = 0.0;
  for (std::size_t g = 0; g < classes_.size(); ++g) {
    greedy_cost_ += classes_[g][static_cast<std::size_t>(greedy_[g])].cost;
  }
}

void ChoiceKnapsack::OrderClasses() {
  by_up_.resize(classes_.size());
  std::iota(by_up_.begin(), by_up_.end(), 0);
  by_down_ = by_up_;
  std::stable_sort(by_up_.begin(), by_up_.end(), [&](int a, int b) {
    return up_[static_cast<std::size_t>(a)] > up_[static_cast<std::size_t>(b)];
  });
  std::stable_sort(by_down_.begin(), by_down_.end(), [&](int a, int b) {
    return down_[static_cast<std::size_t>(a)] <
           down_[static_cast<std::size_t>(b)];
  });
  in_core_.assign(classes_.size(), 0);
}

int ChoiceKnapsack::NextClass() {
  const auto skip = [&](const std::vector<int>& order, std::size_t& next) {
    while (next < order.size() &&
           in_core_[static_cast<std::size_t>(order[next])] != 0) {
      ++next;
    }
  };
  skip(by_up_, next_up_);
  skip(by_down_, next_down_);
  if (next_up_ == by_up_.size()) return -1;
  const int chosen = take_up_ ? by_up_[next_up_] : by_down_[next_down_];
  take_up_ = !take_up_;
  in_core_[static_cast<std::size_t>(chosen)] = 1;
  skip(by_up_, next_up_);
  skip(by_down_, next_down_);
  return chosen;
}

double ChoiceKnapsack::ReducedCost(int owner, int item) const {
  const auto g = static_cast<std::size_t>(owner);
  const KnapsackItem& taken = classes_[g][static_cast<std::size_t>(base_[g])];
  const KnapsackItem& other = classes_[g][static_cast<std::size_t>(item)];
  return other.cost - taken.cost +
         multiplier_ * static_cast<double>(other.size - taken.size);
}

bool ChoiceKnapsack::AddClass(int owner, const MustStop& must_stop) {
  const auto g = static_cast<std::size_t>(owner);
  const KnapsackItem base = classes_[g][static_cast<std::size_t>(base_[g])];
  const std::vector<State> before = list_;
  std::vector<State> shifted;
  for (int i = 0; i < static_cast<int>(classes_[g].size()); ++i) {
    if (i == base_[g]) continue;
    if (bound_ + ReducedCost(owner, i) >= best_) continue;
    const KnapsackItem& item = classes_[g][static_cast<std::size_t>(i)];
    shifted.clear();
    for (const State& state : before) {
      shifted.push_back({state.size + item.size - base.size,
                         state.cost + item.cost - base.cost,
                         static_cast<int>(nodes_.size())});
      nodes_.push_back({state.node, owner, i});
      if (++states_made_ % kStatesPerLook == 0 && must_stop(states_made_)) {
        return false;
      }
    }
    merged_.resize(list_.size() + shifted.size());
    std::merge(list_.begin(),
               list_.end(),
               shifted.begin(),
               shifted.end(),
               merged_.begin(),
               [](const State& a, const State& b) {
                 return a.size != b.size ? a.size < b.size : a.cost < b.cost;
               });
    list_.swap(merged_);
  }
  return true;
}

void ChoiceKnapsack::ReduceStates() {
  const bool is_all = next_up_ == by_up_.size();
  const double up =
      is_all ? 0.0 : up_[static_cast<std::size_t>(by_up_[next_up_])];
  const double down =
      is_all ? kInfinity
             : down_[static_cast<std::size_t>(by_down_[next_down_])];
  std::size_t kept = 0;
  for (const State& state : list_) {
    if (kept > 0 && state.cost >= list_[kept - 1].cost) continue;
    const std::int64_t slack = capacity_ - base_size_ - state.size;
    const double reach = slack >= 0 ? -up * static_cast<double>(slack)
                                    : down * static_cast<double>(-slack);
    if (base_cost_ + state.cost + reach >= best_ - tolerance_) continue;
    list_[kept++] = state;
  }
  list_.resize(kept);
}

void ChoiceKnapsack::OfferBest(const OnPlan& on_plan) {
  const State* best = nullptr;
  for (const State& state : list_) {
    if (base_size_ + state.size > capacity_) break;
    if (base_cost_ + state.cost < best_ - tolerance_) {
      best_ = base_cost_ + state.cost;
      best = &state;
    }
  }
  if (best == nullptr) return;
  std::vector<int> items = base_;
  for (int node = best->node; node >= 0;) {
    const Node& step = nodes_[static_cast<std::size_t>(node)];
    items[static_cast<std::size_t>(step.owner)] = step.item;
    node = step.parent;
  }
  std::vector<std::int64_t> codes;
  for (std::size_t g = 0; g < items.size(); ++g) {
    codes.push_back(classes_[g][static_cast<std::size_t>(items[g])].code);
  }
  on_plan(codes, best_);
}

bool ChoiceKnapsack::Run(double cutoff,
                         const OnPlan& on_plan,
                         const MustStop& must_stop) {
  best_ = cutoff;
  if (greedy_cost_ < best_) {
    best_ = greedy_cost_;
    std::vector<std::int64_t> codes;
    for (std::size_t g = 0; g < greedy_.size(); ++g) {
      codes.push_back(classes_[g][static_cast<std::size_t>(greedy_[g])].code);
    }
    on_plan(codes, best_);
  }
  list_ = {State{}};
  ReduceStates();
  while (!list_.empty()) {
    if (must_stop(states_made_)) return false;
    const int owner = NextClass();
    if (owner < 0) break;
    if (!AddClass(owner, must_stop)) return false;
    OfferBest(on_plan);
    ReduceStates();
  }
  // Everything dropped was no better than best_ - tolerance.
  bound_ = std::max(bound_, best_ - tolerance_);
  return true;
}

}  // namespace bitpact
