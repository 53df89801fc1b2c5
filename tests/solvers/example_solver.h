// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_SOLVERS_EXAMPLE_SOLVER_H_
#define BITPACT_TESTS_SOLVERS_EXAMPLE_SOLVER_H_

// The solver of docs/adding-a-solver.md.

#include <memory>

#include "solvers/solver.h"

namespace bitpact::testing {

std::unique_ptr<Solver> MakeExampleSolver();

}  // namespace bitpact::testing

#endif  // BITPACT_TESTS_SOLVERS_EXAMPLE_SOLVER_H_
