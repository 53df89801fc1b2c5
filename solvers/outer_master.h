// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_OUTER_MASTER_H_
#define BITPACT_SOLVERS_OUTER_MASTER_H_

// The linear master of an outer approximation (solvers/outer_approximation.h):
// the convex model's variables, a column t for its quadratic part, and a row
// for every tangent added so far.

#include <span>
#include <vector>

#include "solvers/convex_model.h"
#include "solvers/milp_model.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

class OuterMaster {
 public:
  // Keeps a reference to the model, which needs at least one variable.
  explicit OuterMaster(const ConvexModel& model);

  // Adds t >= (My)'z - y'My / 2, lowered by rounding. One value a variable of
  // the model, any point. O(V^2).
  void AddTangent(std::span<const double> point);

  [[nodiscard]] const MilpModel& milp() const { return milp_; }
  [[nodiscard]] int num_tangents() const { return num_tangents_; }

  // Columns of a plan: its variables and the least t.
  [[nodiscard]] std::vector<double> Columns(const Choices& choices) const;
  // The plan at the columns' values, rounded.
  [[nodiscard]] Choices Plan(std::span<const double> columns) const;
  // Whether all groups' open choices contain the plan's.
  [[nodiscard]] bool Contains(const Choices& choices) const;

 private:
  void AddGroupRows();
  void AddResourceRows();

  const ConvexModel& model_;
  MilpModel milp_;
  double unit_ = 1.0;  // of t
  std::size_t first_tangent_ = 0;
  int num_tangents_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_OUTER_MASTER_H_
