// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BONMIN_BACKEND_H_
#define BITPACT_SOLVERS_BONMIN_BACKEND_H_

// The one place that knows Bonmin's and Ipopt's headers.

#include <functional>
#include <string>

#include "core/error.h"
#include "solvers/convex_programme.h"
#include "solvers/milp_backend.h"
#include "solvers/solve_clock.h"

namespace bitpact {

// Solves by Bonmin with the options of the text (its own format, a line each);
// bonmin.opt is not read. All in the programme's values. `on_point` is given
// each solution, best last, whole to a tolerance. kInternal is Bonmin failing,
// whatever it throws. One call at a time: MUMPS has global state; it locks.
Expected<MilpOutcome> RunBonmin(
    const ConvexProgramme& programme,
    const std::string& options_text,
    const SolveClock& clock,
    const std::function<void(const double*)>& on_point);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BONMIN_BACKEND_H_
