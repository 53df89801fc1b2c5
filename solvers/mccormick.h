// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_MCCORMICK_H_
#define BITPACT_SOLVERS_MCCORMICK_H_

// The standard linearization of a binary quadratic programme (McCormick 1976,
// Fortet 1960) as a mixed-integer linear model that any MILP backend can take:
// one continuous column y in [0, 1] for each pair coefficient q that is not
// zero,
//
//   q > 0:  y >= z_i + z_j - 1        (q pushes y down)
//   q < 0:  y <= z_i,  y <= z_j       (q pushes y up)
//
// so only the rows that the sign needs. Exact at binary z; its continuous bound
// is weak when pairs are many, and very weak when the matrix is positive
// semidefinite. Size: V + P columns, up to G + K + 2P rows for V variables, P
// pairs, G groups, K resources.

#include <utility>
#include <vector>

#include "solvers/reduced_problem.h"

namespace bitpact {

// minimise cost'x  subject to  lower <= row'x <= upper, column bounds, and some
// columns whole. Infinite bounds are +-infinity of double.
struct MilpModel {
  struct Column {
    double cost = 0.0;
    double lower = 0.0;
    double upper = 1.0;
    bool is_integer = false;
  };
  struct Row {
    double lower = 0.0;
    double upper = 0.0;
    std::vector<int> columns = {};          // ascending
    std::vector<double> coefficients = {};  // one a column
  };
  std::vector<Column> columns;
  std::vector<Row> rows;
  // Value in the problem's unit = offset + scale * (the model's value). The
  // largest cost is 1 in magnitude: MILP codes work with absolute tolerances.
  double scale = 1.0;
  double offset = 0.0;
};

struct McCormickModel {
  // Columns: the V variables of the reduced problem in order (whole), then one
  // for each entry of `products`. Rows: groups of more than two options,
  // resources (sizes and limit divided by their greatest common divisor), then
  // products.
  MilpModel milp;
  std::vector<std::pair<int, int>> products;  // i < j, lexicographic

  // The column values of a plan.
  [[nodiscard]] std::vector<double> Lift(const ReducedProblem& problem,
                                         const Choices& choices) const;
};

// Needs a problem that folding did not prove infeasible. O(pairs).
[[nodiscard]] McCormickModel LinearizeMcCormick(const ReducedProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_MCCORMICK_H_
