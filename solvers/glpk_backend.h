// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_GLPK_BACKEND_H_
#define BITPACT_SOLVERS_GLPK_BACKEND_H_

// GLPK, branch and bound with Gomory and cover cuts (GPL-3.0-or-later, which
// then holds for the whole binary), on a mixed-integer linear model.
//
// * Its proofs are as good as its tolerances: rows and reduced costs to 1e-9,
//   whole numbers to 1e-9, absolute.
// * Its gap is |best - bound| / (|best| + 2.2e-16), which is ours but for tiny
//   objectives.
// * GLPK looks at its clock between simplex steps at the root and between nodes
//   below; a stop is noticed at the next node.
// * Deterministic; it has no seed. GLPK's memory is one per thread: calls of
//   different threads do not meet.
//
// Compiled only with BITPACT_HAVE_GLPK.

#include "core/error.h"
#include "solvers/milp_backend.h"

namespace bitpact {

[[nodiscard]] Expected<MilpOutcome> RunGlpk(const MilpModel& milp,
                                            const MilpRequest& request,
                                            const SolveClock& clock);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_GLPK_BACKEND_H_
