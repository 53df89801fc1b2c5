// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CONVEX_PROGRAMME_H_
#define BITPACT_SOLVERS_CONVEX_PROGRAMME_H_

// A reduced problem as outside solvers of convex quadratic programmes take it.
// The diagonal d = t s, s balancing the rows of the pairs' matrix Q and t the
// least that makes Q + diag(d) semidefinite, is added to the squares and half
// of it taken from the linear costs, which changes no binary point's value.
// Made apart from the shifts of our own solvers (solvers/diagonal_shift.h,
// solvers/convex_shift.h), whose referees those outside ones are.

#include <vector>

#include "Eigen/Dense"
#include "core/error.h"
#include "solvers/milp_model.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// minimise linear'z + z'Sz / 2 over the rows, z binary. The problem's value is
// its constant + unit * this. Coefficients of objective and rows: 1 at most.
struct ConvexProgramme {
  std::vector<double> linear;
  Eigen::MatrixXd bend;  // S
  std::vector<MilpModel::Row> rows;
  double unit = 1.0;
};

// kUnsupported when the matrix is not semidefinite to rounding after the shift.
// O(n^3), dense.
Expected<ConvexProgramme> MakeConvexProgramme(const ReducedProblem& reduced);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CONVEX_PROGRAMME_H_
