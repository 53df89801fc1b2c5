// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_COMPARISON_H_
#define BITPACT_CLI_COMPARISON_H_

// The figures by which `bitpact compare` ranks solvers. Heuristics have no
// proof and exact solvers a late one, so nothing here looks at a solver's own
// idea of when it is done:
//
// * TIME TO TARGET: seconds until the incumbent's objective is at most
//     target = best + delta * max(1e-9, |best|),
//   best: the best known value of the instance where an index has it, else the
//   best objective of this comparison.
// * TIME TO PROOF: seconds of a solve that ended optimal or infeasible.
// * PRIMAL INTEGRAL (Berthold 2013, Measuring the impact of primal heuristics,
//   section 2): the integral over [0, T] of the primal gap
//     p(t) = 1 without an incumbent or when its sign is not best's,
//            |best - x(t)| / max(|best|, |x(t)|) else (0 when both are 0),
//   in seconds, T the time limit; after a solve's end p stays as it was. Less
//   is better; T is the worst. An x(t) better than `best` counts as 0.
// * PERFORMANCE PROFILE (Dolan & More 2002): for the time t[p,s] of solver s on
//   problem p, rho_s(tau) = the share of problems with t[p,s] <= tau * least
//   over solvers of t[p,.]. Times below 1 ms count as 1 ms: what the clock
//   cannot tell apart is no difference. A problem no solver did counts for
//   none.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "solvers/solve_result.h"

namespace bitpact {

struct ComparedRun {
  std::string instance;
  std::string solver;
  std::uint64_t seed = 1;
  // Empty when the solver could not take the instance or failed: see reason.
  std::optional<SolveResult> result;
  std::string reason = {};
  // Seconds; +infinity: never.
  double time_to_target_s = std::numeric_limits<double>::infinity();
  double time_to_proof_s = std::numeric_limits<double>::infinity();
  double primal_integral_s = std::numeric_limits<double>::infinity();
};

[[nodiscard]] double TargetOf(double best, double delta);
// +infinity when the trace never gets there.
[[nodiscard]] double TimeToTarget(const std::vector<TracePoint>& trace,
                                  double target);
[[nodiscard]] double PrimalGap(double objective, double best);
// `horizon_s` is T.
[[nodiscard]] double PrimalIntegral(const std::vector<TracePoint>& trace,
                                    double best,
                                    double horizon_s);

// The steps of rho_s: share of problems within the ratio, ascending in both.
struct ProfilePoint {
  double ratio = 1.0;
  double share = 0.0;
};
struct Profile {
  std::string solver;
  std::vector<ProfilePoint> steps;
};
// times[s][p], seconds or +infinity. All solvers have equally many problems.
[[nodiscard]] std::vector<Profile> PerformanceProfiles(
    const std::vector<std::string>& solvers,
    const std::vector<std::vector<double>>& times);

}  // namespace bitpact

#endif  // BITPACT_CLI_COMPARISON_H_
