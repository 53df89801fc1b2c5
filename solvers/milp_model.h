// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_MILP_MODEL_H_
#define BITPACT_SOLVERS_MILP_MODEL_H_

// A mixed-integer linear model in the form that every MILP backend and file
// format takes, and the part that all linearizations of a reduced problem
// share: its variables, group rows and resource rows.

#include <cstddef>
#include <string>
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
    std::vector<double> coefficients = {};  // one a column, none 0
  };
  std::vector<Column> columns;
  std::vector<Row> rows;
  // Value in the problem's unit = offset + scale * (the model's value).
  double scale = 1.0;
  double offset = 0.0;
};

struct MilpSize {
  std::size_t columns = 0;
  std::size_t rows = 0;
  std::size_t nonzeros = 0;  // of the rows

  friend bool operator==(const MilpSize&, const MilpSize&) = default;
};
[[nodiscard]] MilpSize SizeOf(const MilpModel& milp);
// "2080 columns, 4033 rows, 12160 nonzeros".
[[nodiscard]] std::string SizeText(const MilpSize& size);

// The linear part of the problem. Columns: its V variables in order, whole,
// 0..1. Rows: one for each group of more than two options (at most one), then
// the resources. Scale 1.
[[nodiscard]] MilpModel LinearPart(const ReducedProblem& problem);

// Divides all costs by the largest in magnitude, which moves into `scale`: MILP
// codes work with absolute tolerances. Leaves a model without costs alone.
void ScaleCosts(MilpModel& milp);

struct RowTerm {
  int column = 0;
  double coefficient = 0.0;
};
// A row in the order that Row prescribes from terms in any order; repeats of a
// column add up, zeros are dropped. O(terms log terms).
[[nodiscard]] MilpModel::Row MakeRow(double lower,
                                     double upper,
                                     std::vector<RowTerm> terms);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_MILP_MODEL_H_
