// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CHOICE_KNAPSACK_H_
#define BITPACT_SOLVERS_CHOICE_KNAPSACK_H_

// The linear multiple-choice knapsack, exactly: one item of every class, least
// cost, total size within the capacity. Dynamic programming over an expanding
// core (Pisinger, A minimal algorithm for the multiple-choice knapsack problem,
// European J. Operational Research 83, 1995; Kellerer, Pferschy & Pisinger,
// Knapsack Problems, ch. 11.6-11.7):
//
// 1. Items that another one of the class beats in size and cost are dropped.
// 2. The LP relaxation: steps of all lower convex hulls by falling ratio of
//    cost saved to size, taken while they fit. `base` is the plan before the
//    first step that does not fit, and that step's ratio is the multiplier.
// 3. From the base, classes join the core one by one, those with the next best
//    hull step up or the cheapest hull step down first. A state is what a
//    choice within the core changes in size and cost; states that another one
//    beats in both are dropped, and those whose bound
//      cost - slack * best ratio of a class outside        (within capacity)
//      cost + overflow * cheapest ratio of a class outside (above it)
//    does not beat the incumbent. Items are dropped by reduced cost first.
//
// Lists, not a table: byte-exact sizes of any magnitude cost nothing, so
// nothing is divided or rounded. Time and memory follow the number of states,
// which in the worst case is exponential; on 1,000 classes of 6 it is some ten
// thousand.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace bitpact {

struct KnapsackItem {
  std::int64_t size = 0;  // any sign
  double cost = 0.0;      // finite
  // The caller's own number; not looked at.
  std::int64_t code = 0;
};
using KnapsackClass = std::vector<KnapsackItem>;  // not empty

// Drops items that another one equals or beats in both size and cost (of equal
// ones the first stays); the rest by ascending size. O(m log m).
void KeepParetoItems(KnapsackClass& items);

class ChoiceKnapsack {
 public:
  // The sum of the least sizes must be within `capacity`. Sums of sizes must
  // not overflow. Objectives that differ by less than `tolerance` >= 0 count as
  // equal, which is also what the bound is lowered by.
  ChoiceKnapsack(std::vector<KnapsackClass> classes,
                 std::int64_t capacity,
                 double tolerance);

  // Called with each improved plan: the codes of the items, one a class.
  using OnPlan = std::function<void(const std::vector<std::int64_t>&, double)>;
  // Asked with the number of states made so far; true ends the search.
  using MustStop = std::function<bool(std::int64_t)>;

  // Plans must be below `cutoff` (+infinity: any). Returns whether the search
  // ended by itself, which proves bound().
  bool Run(double cutoff, const OnPlan& on_plan, const MustStop& must_stop);

  // No plan costs less. After a complete Run the best value, lowered by the
  // tolerance; else the LP bound.
  [[nodiscard]] double bound() const { return bound_; }
  [[nodiscard]] std::int64_t states() const { return states_made_; }

 private:
  // A step of a class's lower hull, from one vertex to the next larger one.
  struct Step {
    double ratio = 0.0;  // cost saved per size, > 0
    int owner = 0;
    int to = 0;  // item index
    std::int64_t size = 0;
  };
  struct State {
    std::int64_t size = 0;
    double cost = 0.0;
    int node = -1;  // of nodes_; -1 is the base
  };
  struct Node {
    int parent = -1;
    int owner = 0;
    int item = 0;
  };

  void AddHullSteps(int owner, std::vector<Step>& steps) const;
  void SolveRelaxation();
  void FillGreedily(const std::vector<Step>& steps, std::size_t from);
  void OrderClasses();
  // The next class to join the core; -1 when all have.
  int NextClass();
  bool AddClass(int owner, const MustStop& must_stop);
  void ReduceStates();
  void OfferBest(const OnPlan& on_plan);
  [[nodiscard]] double ReducedCost(int owner, int item) const;

  std::vector<KnapsackClass> classes_;
  std::int64_t capacity_;
  double tolerance_;
  double bound_ = 0.0;
  double best_ = 0.0;  // only what is below is of interest
  double multiplier_ = 0.0;
  std::vector<int> base_;  // item index, one a class
  std::int64_t base_size_ = 0;
  double base_cost_ = 0.0;
  std::vector<int> greedy_;  // base and what else fits
  double greedy_cost_ = 0.0;
  std::vector<double> up_;    // ratio of the hull step above base; 0 if none
  std::vector<double> down_;  // of the step below; +infinity if none
  std::vector<int> by_up_;
  std::vector<int> by_down_;
  std::size_t next_up_ = 0;
  std::size_t next_down_ = 0;
  bool take_up_ = true;
  std::vector<char> in_core_;
  std::vector<State> list_;
  std::vector<State> merged_;
  std::vector<Node> nodes_;
  std::int64_t states_made_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CHOICE_KNAPSACK_H_
