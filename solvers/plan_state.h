// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_PLAN_STATE_H_
#define BITPACT_SOLVERS_PLAN_STATE_H_

// A plan of a reduced problem under local change: what a move would cost is
// known in O(1), making it takes one pass over a matrix row.

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
    return variable < 0 ? 0.0 : field_[static_cast<std::size_t>(variable)];
  }
  // Field(group of v, choice of v) of every variable v.
  [[nodiscard]] std::span<const double> fields() const { return field_; }
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

  // O(variables), or the row's entries when sparse.
  void Move(int group, int choice);

 private:
  const ReducedProblem& problem_;
  Choices choices_;
  std::vector<double> field_;  // linear + sum of chosen rows, one a variable
  std::vector<std::int64_t> use_;
  double objective_ = 0.0;
};

// Moves towards the limits until they hold, each time the move with the least
// cost for what it removes of the overflow (relative to each limit's spread).
// Returns whether the plan fits now; always so with one resource.
bool RepairOverflow(const ReducedProblem& problem, PlanState& state);

// Best single moves, then (up to 1,024 variables) best pairs of moves, that
// keep every limit and lower the objective, until there are none or `max_moves`
// are made. O((variables + variables^2 for pairs) * moves). Needs a plan within
// limits.
void DescendWithinLimits(const ReducedProblem& problem,
                         PlanState& state,
                         std::int64_t max_moves);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_PLAN_STATE_H_
