// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_ROOT_CERTIFICATE_H_
#define BITPACT_SOLVERS_ROOT_CERTIFICATE_H_

// The RootCertificate (solvers/solve_result.h) of a convex model and a point.
// The model is convex in few coordinates p = Uz; the certificate speaks of the
// variables z. Inside a group S is what the model bends, so that off the groups
// S should be U'KU, which is Q up to rounding (and what a ladder misses of its
// pairs). U'(K + D)U is singular whenever a ladder has several variables, so
// that rounding would make it indefinite: the certificate's shift is larger by
// 4 n epsilon of the largest row sum and by each row's |Q - U'KU|, which makes
// up for it (Gershgorin), and its bound is taken with that shift.

#include <span>

#include "solvers/convex_model.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_result.h"

namespace bitpact {

// `model`: of the whole domain of `reduced`. `point`: one entry a variable;
// `multipliers`: one a resource, >= 0. The bound is computed from `reduced` in
// long double and lowered by the model's rounding. O(n^2).
[[nodiscard]] RootCertificate CertifyRoot(const ReducedProblem& reduced,
                                          const ConvexModel& model,
                                          std::span<const double> point,
                                          std::span<const double> multipliers);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_ROOT_CERTIFICATE_H_
