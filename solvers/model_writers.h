// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_MODEL_WRITERS_H_
#define BITPACT_SOLVERS_MODEL_WRITERS_H_

// The problem as a file for any outside solver, in CPLEX LP or free MPS format,
// with a linear (linearized) or a quadratic objective. Columns are c0, c1, ..
// in the model's order, rows r0, r1, .. ; whole columns are 0..1 as they are in
// the model. Numbers have 17 digits, so that they are read back to the last
// bit.
//
// What differs between readers, and what is written for all of them:
// * Objective constant: a column `cst` fixed to 1. SCIP refuses a bare number
//   in an LP objective, and GLPK 5.0 ignores the right side of an MPS objective
//   row, where the constant usually stands.
// * Products. LP: "[ 2 c0 * c1 + .. ] / 2", so twice each coefficient. MPS:
//   QUADOBJ, the lower or upper triangle of the matrix H of x'Hx / 2 once, so
//   the coefficient itself.
// * MPS: free format ("NAME bitpact FREE" is understood by CPLEX, SCIP and CBC;
//   fixed-format readers cannot read it), MARKER lines in quotes around whole
//   columns, a bound line for every column.
//
// Values are in the problem's unit: scale and offset of the model are written
// out, so the file's optimum is the problem's.

#include <ostream>
#include <span>

#include "solvers/milp_model.h"
#include "solvers/pair_terms.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// A quadratic problem as it is: its linear part, and `products` over the
// columns, each unordered pair counted once, first < second.
struct QuadraticModel {
  MilpModel linear;
  std::vector<PairTerm> products;
};
// Needs a problem that folding did not prove infeasible. O(pairs).
[[nodiscard]] QuadraticModel MakeQuadraticModel(const ReducedProblem& problem);

// `products` may be empty. Every column needs a finite lower bound. Write
// errors are left in the stream's state.
void WriteLp(const MilpModel& milp,
             std::span<const PairTerm> products,
             std::ostream& out);
void WriteMps(const MilpModel& milp,
              std::span<const PairTerm> products,
              std::ostream& out);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_MODEL_WRITERS_H_
