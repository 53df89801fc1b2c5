// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_SOLVE_RESULT_H_
#define BITPACT_SOLVERS_SOLVE_RESULT_H_

// What is asked of a solver and what it answers. Modelled on MathOpt's
// SolveResult: every way to stop is a value, an error is something else.

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

// A plan with its exact objective.
struct ScoredPlan {
  Assignment assignment;
  double objective = std::numeric_limits<double>::infinity();

  friend bool operator==(const ScoredPlan&, const ScoredPlan&) = default;
};

// THE ORDER OF EQUAL OPTIMA: the smaller objective first; at the same objective
// (to the last bit) the lexicographically smaller assignment. `enumerate`
// returns the first plan of all in this order; every other solver the first of
// those it met. With the same seed and counted limits only, every solver
// returns the same plan for any number of threads.
[[nodiscard]] bool PlanPrecedes(const ScoredPlan& a, const ScoredPlan& b);

// The state of a solve at some time, for curves of quality against time.
struct TracePoint {
  double time_s = 0.0;
  double objective = std::numeric_limits<double>::infinity();
  double bound = -std::numeric_limits<double>::infinity();
};

struct SolveOptions {
  // Wall-clock cap in seconds, >= 0; unset: none. Results may then depend on
  // the machine; `node_limit` does not have that flaw.
  std::optional<double> time_limit_s;
  // Cap on counted work, >= 0; unset: the solver's own. What one node is, each
  // solver's header says (a branching node, a visited plan, a sweep).
  std::optional<std::int64_t> node_limit;
  // A plan is called optimal once objective - bound <= relative_gap *
  // max(1e-9, |objective|), or the difference is within rounding (see
  // ProofTolerance). In [0, 1].
  double relative_gap = 1e-7;
  std::uint64_t seed = 1;
  // >= 0; 0 means ThreadCount() of core/threads.h.
  int threads = 1;
  // Where to start. Must be feasible, otherwise kInvalidArgument.
  std::optional<Assignment> warm_start;
  // How many distinct plans to return at most, >= 1.
  int pool_size = 1;
  // Called with each improved incumbent, on the solving thread; must not throw.
  std::function<void(const ScoredPlan&)> on_incumbent;
  // Called with each improved incumbent or bound, as both enter the trace; same
  // rules.
  std::function<void(const TracePoint&)> on_progress;
  // Asks the solver to return its best so far, within a fraction of a second.
  std::stop_token stop;
};

// kInvalidArgument naming the first field that breaks a rule stated above.
Expected<void> Validate(const SolveOptions& options);

enum class Termination {
  // The incumbent is feasible and the bound proves it optimal within the gap.
  kOptimal,
  // There is an incumbent; optimality is not proven.
  kFeasible,
  // Proven: no plan meets pins, ties and limits.
  kInfeasible,
  // No incumbent was found, and infeasibility is not proven.
  kNoSolutionFound,
};

// Which limit ended the search; kNone when it ended by itself.
enum class Limit { kNone, kTime, kNodes, kStopped };

// "optimal", "feasible", "infeasible", "no_solution_found".
const char* TerminationName(Termination termination);
// "none", "time", "nodes", "stopped".
const char* LimitName(Limit limit);

struct SolveStats {
  double time_s = 0.0;          // wall clock of the whole solve
  double time_to_best_s = 0.0;  // until the returned incumbent was found
  std::int64_t nodes = 0;       // work as counted for node_limit
  std::int64_t iterations = 0;  // inner steps: moves, relaxation steps, pivots
};

// What was asked for one option and what was really used.
struct OptionUse {
  std::string asked;
  std::string used;
};

// What was folded away before the search (solvers/reduced_problem.h).
struct PresolveCounts {
  int tied_units = 0;   // that follow another
  int fixed_units = 0;  // pinned or with one option left
  int oversized_options = 0;
  int dominated_options = 0;
  int idle_resources = 0;  // cannot be exceeded
  // Resources whose sizes were divided by a common divisor above 1.
  int divided_resources = 0;
  // What is left to decide.
  int free_units = 0;  // groups of tied units
  int binaries = 0;

  friend bool operator==(const PresolveCounts&,
                         const PresolveCounts&) = default;
};
// "3 tied units, 1 dominated option; left: 219 free units, 640 binaries".
[[nodiscard]] std::string PresolveText(const PresolveCounts& counts);

// What anybody needs to derive a bound of the whole problem again. All in terms
// of Reduce(problem, {drops_dominated}) (solvers/reduced_problem.h), n
// variables, R resources:
//
//   f(z) = constant + linear'z + z'Qz / 2,  Q = pairs, symmetric, no diagonal,
//
// sizes and limits divided as there.
//
// For binary z with at most one 1 a group, z_v z_v = z_v and z_v z_w = 0 inside
// a group, so with S = Q + diag(shift) + the group pairs (each at both of its
// places)
//
//   f(z) = constant + (linear - shift/2)'z + z'Sz / 2.
//
// If S is positive semidefinite the right side is convex, so with g = linear -
// shift/2 + S point and f_S(point) the right side at the point, every feasible
// z has f(z) >= f_S(point) - g'point - multipliers'limits
//     + sum over groups of min(0, least g_v + multipliers'sizes_v of its v)
//   >= bound.
//
// Three things to check, then: the shapes and multipliers >= 0; S is positive
// semidefinite (solvers leave 4 n epsilon times the largest row sum of S as a
// margin, so a Cholesky factorization in long double succeeds); the formula
// reaches `bound`. Made before anything that depends on an incumbent, so it
// holds for all plans; the result's own bound is usually higher.
struct RootCertificate {
  // Whether dominated options were dropped: then the bound is one of the plans
  // without them, of which some one is optimal.
  bool drops_dominated = false;
  std::vector<double> shift;  // n
  // Coefficients inside groups; first and second are reduced variables.
  std::vector<PairTerm> group_pairs;
  std::vector<double> multipliers;  // R, >= 0
  std::vector<double> point;        // n, finite; any point will do
  // Lowered against rounding by the solver.
  double bound = -std::numeric_limits<double>::infinity();
};

// Born as "never ran".
struct SolveResult {
  std::string solver;  // name of who answered, "auto" included
  Termination termination = Termination::kNoSolutionFound;
  Limit limit = Limit::kNone;
  // One line for people: what was chosen and why, why infeasible.
  std::string detail;
  Assignment incumbent;  // empty when there is none
  // Exact objective of the incumbent; +infinity when there is none.
  double objective = std::numeric_limits<double>::infinity();
  // Proven: no feasible plan is below. -infinity: nothing claimed. +infinity
  // only with kInfeasible.
  double bound = -std::numeric_limits<double>::infinity();
  // Distinct feasible plans, best first, the incumbent at the front. Only
  // `enumerate` promises that they are the best of all.
  std::vector<ScoredPlan> pool;
  std::vector<TracePoint> trace;  // times ascend
  // Unset from solvers that do not reduce, and when nothing was solved.
  std::optional<PresolveCounts> presolve;
  // From solvers that bound by convexification, when the root was reached.
  std::optional<RootCertificate> root_certificate;
  SolveStats stats;
  std::map<std::string, OptionUse> options;

  [[nodiscard]] bool HasIncumbent() const { return !incumbent.empty(); }
  // objective - bound, not below 0; +infinity when either is missing.
  [[nodiscard]] double AbsoluteGap() const;
  // AbsoluteGap / max(1e-9, |objective|).
  [[nodiscard]] double RelativeGap() const;
};

// Rounding alone can separate a bound and an objective by this much: 1e-11 of
// ObjectiveScale(problem).
[[nodiscard]] double ProofTolerance(const AllocationProblem& problem);

// Whether the pair proves optimality in the sense of options.relative_gap.
[[nodiscard]] bool GapIsClosed(double objective,
                               double bound,
                               double relative_gap,
                               double proof_tolerance);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_SOLVE_RESULT_H_
