// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_CERTIFICATE_CHECKER_H_
#define BITPACT_SOLVERS_CERTIFICATE_CHECKER_H_

// A root bound derived again, in long double, by code that shares no arithmetic
// with the solvers: from the ORIGINAL problem's costs, pairs and sizes. Of the
// reduction (solvers/reduced_problem.h) it takes nothing but the numbering of
// variables, and checks that no feasible plan falls outside it: an option that
// the reduction dropped must be one that a fixpoint of its own drops too, or be
// dominated (solvers/dominance_checker.h).
//
// The steps, with the terms of RootCertificate (solvers/solve_result.h):
// 1. f(z) = constant + linear'z + z'Qz / 2 by first and second differences of
//    the original numbers, units of a group moving together.
// 2. S = Q + diag(shift) + group pairs is positive semidefinite: Cholesky in
//    long double of S - c I runs to its end, with c = 4 (n + 2) u trace(S) +
//    the rounding of S's own entries, u = 2^-64. By Rump 2006, Verification of
//    positive definiteness, theorem 2.3, that is a proof (c there is half as
//    large). All shifts are first raised by 4 c, for matrices that are zero or
//    cancel to it; the bound falls by that much.
// 3. bound = f_S(point) - g'point - multipliers'limits + the least
//    contribution of each group, lowered by 1e-17 of the summed magnitudes,
//    more than its rounding (u = 5e-20, a few thousand terms a row).
//
// O(n^3 / 3) long double operations for n variables (n = 224: 10 ms, 1,024: a
// second) and n^2 long doubles of 16 bytes.

#include "core/error.h"
#include "solvers/allocation_problem.h"
#include "solvers/solve_result.h"

namespace bitpact {

// The bound that the certificate proves for every feasible plan (for some best
// one when it drops dominated options). kInternal
// says which of its claims is false. Needs a valid problem.
Expected<double> DeriveRootBound(const AllocationProblem& problem,
                                 const RootCertificate& certificate);

// Whether it proves what it claims: DeriveRootBound is at least
// certificate.bound, up to 1e-15 of ObjectiveScale(problem). kInternal if not.
Expected<void> CheckRootCertificate(const AllocationProblem& problem,
                                    const RootCertificate& certificate);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_CERTIFICATE_CHECKER_H_
