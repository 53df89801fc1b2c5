// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CBC_BACKEND_H_
#define BITPACT_SOLVERS_CBC_BACKEND_H_

// COIN-OR CBC, branch and cut (EPL licence), on a mixed-integer linear model.
//
// * Its proofs are as good as its tolerances: rows and reduced costs to 1e-9,
//   whole numbers to 1e-9, absolute.
// * CBC looks at its clock between nodes and cut rounds; a handler inside the
//   linear relaxations breaks off a root that takes minutes, and the outcome
//   then claims no bound.
// * CbcMain1 keeps global state: calls of one process wait for each other.
// * Preprocessing is off, so that solutions are met in the model's columns.
//
// Compiled only with BITPACT_HAVE_CBC.

#include "core/error.h"
#include "solvers/milp_backend.h"

namespace bitpact {

[[nodiscard]] Expected<MilpOutcome> RunCbc(const MilpModel& milp,
                                           const MilpRequest& request,
                                           const SolveClock& clock);

// The optimum of the continuous relaxation; -infinity when the clock broke it
// off, +infinity when it has no solution. `values`, when not null, gets the
// columns of the optimum.
[[nodiscard]] Expected<double> RelaxationByClp(const MilpModel& milp,
                                               const SolveClock& clock,
                                               std::vector<double>* values);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CBC_BACKEND_H_
