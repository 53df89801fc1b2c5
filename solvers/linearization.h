// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_LINEARIZATION_H_
#define BITPACT_SOLVERS_LINEARIZATION_H_

// The linearizations of a binary quadratic programme, each a transformation of
// a reduced problem (pins and ties folded, one binary for each option but the
// reference; any number of resources) into a mixed-integer linear model whose
// whole points are exactly the plans, at the plans' values. They differ in size
// and in how good the bound of their continuous relaxation is:
//
//   kMcCormick  solvers/mccormick.h  one column a pair        middling
//   kGlover     solvers/glover.h     one column a variable    weak, small
//   kRlt        solvers/rlt.h        all pairs, many rows     best, large
//
// The relaxation of kRlt is never below that of kMcCormick.

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "solvers/milp_model.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

enum class LinearForm { kMcCormick, kGlover, kRlt };

// "McCormick", "Glover", "RLT-1".
[[nodiscard]] std::string_view LinearFormName(LinearForm form);

struct LinearModel {
  // Columns: the V variables of the reduced problem in order, whole; then one
  // for each entry of `products`; then one for each entry of `floors`. The
  // largest cost is 1 in magnitude.
  MilpModel milp;
  // The column is z_first * z_second, first < second; lexicographic.
  std::vector<std::pair<int, int>> products = {};
  // The column is z_variable * (sum over j > variable of q_ij z_j - floor) /
  // unit.
  struct Floor {
    int variable = 0;
    double floor = 0.0;
    double unit = 1.0;
  };
  std::vector<Floor> floors = {};
};

// The values of all columns at a plan.
[[nodiscard]] std::vector<double> LiftToColumns(const LinearModel& model,
                                                const ReducedProblem& problem,
                                                const Choices& choices);
// The plan at the values of the variables' columns, rounded. Its groups have
// one choice each; limits are the caller's to check.
[[nodiscard]] Choices ChoicesOfColumns(const ReducedProblem& problem,
                                       std::span<const double> values);

// How many columns the form will have, counted without building it. O(pairs).
[[nodiscard]] std::size_t CountColumns(LinearForm form,
                                       const ReducedProblem& problem);

// Needs a problem that folding did not prove infeasible.
[[nodiscard]] LinearModel Linearize(LinearForm form,
                                    const ReducedProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_LINEARIZATION_H_
