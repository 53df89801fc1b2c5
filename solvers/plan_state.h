// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_PLAN_STATE_H_
#define BITPACT_SOLVERS_PLAN_STATE_H_

// A plan of a reduced problem under local change: what a move would cost is
// known in O(1), making it takes one pass over a matrix row. Where pairs are
// kept as factors both take O(rank): the sum of the chosen rows is all that a
// move changes.

#include <cstdint>
#include <span>
#include <vector>

#include "solvers/reduced_problem.h"

namespace bitpact {

class PlanState {
 public:
  // Starts at every group's reference. Keeps a reference to the problem.
  explicit PlanState(const ReducedProblem& problem);

  // O(variables * groups): every number computed afresh, which also clears the
  // rounding that many moves pile up.
  void Reset(const Choices& choices);

  [[nodiscard]] const Choices& choices() const { return choices_; }
  [[nodiscard]] int Choice(int group) const {
    return choices_[static_cast<std::size_t>(group)];
  }
  // The reduced objective, to rounding.
  [[nodiscard]] double objective() const { return objective_; }
  // Use of each resource, differences from the reference, comparable with
  // ReducedProblem::limits.
  [[nodiscard]] const std::vector<std::int64_t>& use() const { return use_; }

  // What the objective contains because the group takes the choice, given all
  // other groups; 0 for the reference.
  [[nodiscard]] double Field(int group, int choice) const {
    const int variable = problem_.VariableOf(group, choice);
    if (variable < 0) return 0.0;
    const double field = field_[static_cast<std::size_t>(variable)];
    return row_sum_.empty() ? field : field + FactorField(group, variable);
  }
  // The objective's change if the group took the choice.
  [[nodiscard]] double Delta(int group, int choice) const {
    return Field(group, choice) - Field(group, Choice(group));
  }
  // The change if both groups (not the same) moved; Q holds at most four terms.
  [[nodiscard]] double SwapDelta(int group,
                                 int choice,
                                 int other,
                                 int other_choice) const;
  // Size difference of the move on resource k.
  [[nodiscard]] std::int64_t SizeDelta(int resource,
                                       int group,
                                       int choice) const {
    return Size(resource, group, choice) - Size(resource, group, Choice(group));
  }
  [[nodiscard]] std::int64_t Size(int resource, int group, int choice) const {
    const int variable = problem_.VariableOf(group, choice);
    return variable < 0 ? 0
                        : problem_.sizes[static_cast<std::size_t>(resource)]
                                        [static_cast<std::size_t>(variable)];
  }
  // How far resource k is over its limit; 0 when it is not.
  [[nodiscard]] std::int64_t Overflow(int resource) const;
  [[nodiscard]] bool IsWithinLimits() const;
  // Whether every limit holds after the move.
  [[nodiscard]] bool FitsAfter(int group, int choice) const;

  // O(variables), or the row's entries when sparse, or O(rank).
  void Move(int group, int choice);

 private:
  const ReducedProblem& problem_;
  Choices choices_;
  // What the factors' chosen rows of the other groups add to Field.
  [[nodiscard]] double FactorField(int group, int variable) const;

  // Linear + sum of the chosen rows (factors left out), one a variable.
  std::vector<double> field_;
  std::vector<double> row_sum_;  // of the factors' chosen rows; empty: none
  std::vector<std::int64_t> use_;
  double objective_ = 0.0;
};

// Moves towards the limits until they hold, each time the move with the least
// cost for what it removes of the overflow (relative to each limit's spread).
// Returns whether the plan fits now; always so with one resource. With factors
// the best hundredth of the moves is made at each look, which costs O(variables
// * rank).
bool RepairOverflow(const ReducedProblem& problem, PlanState& state);

// Best single moves, then (up to 1,024 variables) best pairs of moves, that
// keep every limit and lower the objective, until there are none or `max_moves`
// are made (with factors: first the best hundredth of the single moves a look).
// O((variables + variables^2 for pairs) * moves). Needs a plan within
// limits.
void DescendWithinLimits(const ReducedProblem& problem,
                         PlanState& state,
                         std::int64_t max_moves);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_PLAN_STATE_H_
