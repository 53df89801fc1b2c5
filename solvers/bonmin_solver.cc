// SPDX-License-Identifier: Apache-2.0
#include "solvers/bonmin_solver.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "solvers/bonmin_backend.h"
#include "solvers/convex_programme.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/linearization.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLeastSeconds = 0.01;
// Of the programme's unit: what stays between a proven plan and its bound.
constexpr double kProvenWithin = 1e-7;

std::string Line(const char* name, double value) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "%s %.17g\n", name, value);
  return text.data();
}

std::string OptionsText(const SolveOptions& options,
                        const SolveClock& clock,
                        double cutoff) {
  // Strong branching, Bonmin's default, fixes variables and may then branch on
  // one of them: an assertion of Osi, which ends the process.
  std::string text =
      "bonmin.variable_selection most-fractional\n"
      "bonmin.algorithm B-BB\nbonmin.bb_log_level 0\nbonmin.nlp_log_level 0\n"
      "bonmin.lp_log_level 0\nbonmin.milp_log_level 0\nprint_level 0\nsb yes\n"
      "tol 1e-9\nconstr_viol_tol 1e-9\nacceptable_tol 1e-8\n"
      "bonmin.cutoff_decr 1e-10\nbonmin.integer_tolerance 1e-7\n"
      "hessian_constant yes\njac_c_constant yes\njac_d_constant yes\n";
  text += Line("bonmin.allowable_fraction_gap", 0.5 * options.relative_gap);
  if (std::isfinite(cutoff)) text += Line("bonmin.cutoff", cutoff);
  if (options.node_limit) {
    const auto most = std::int64_t{std::numeric_limits<int>::max()};
    text += "bonmin.node_limit " +
            std::to_string(std::min(*options.node_limit, most)) + "\n";
  }
  if (std::isfinite(clock.SecondsLeft())) {
    const double seconds = std::max(clock.SecondsLeft(), kLeastSeconds);
    text += Line("bonmin.time_limit", seconds) + Line("max_cpu_time", seconds);
  }
  return text;
}

}  // namespace

SolverCapabilities BonminSolver::capabilities() const {
  return {.exact = true,
          .gives_bound = true,
          .warm_start = true,
          .time_limit = true,
          .node_limit = true,
          .pool = false,
          .multiple_options = true,
          .multiple_resources = true,
          .pair_terms = true,
          .threads = false,
          .max_binaries = kMostBinaries};
}

Expected<SolveResult> BonminSolver::Solve(const AllocationProblem& problem,
                                          const SolveOptions& options) {
  const SolveClock clock(options);
  const ReducedProblem reduced = Reduce(problem, ReduceFor(options));
  IncumbentRecorder recorder(problem, options, clock);
  recorder.NotePresolve(reduced.counts);
  if (reduced.infeasible) return recorder.Infeasible(*reduced.infeasible);
  if (reduced.NumGroups() == 0) {
    recorder.Offer(reduced.Expand({}));
    recorder.RaiseBound(recorder.Best());
    return recorder.Finish(Limit::kNone);
  }
  if (reduced.NumVariables() > kMostBinaries) {
    return Fail(ErrorCode::kUnsupported,
                "bonmin: " + std::to_string(reduced.NumVariables()) +
                    " binaries; the most is " + std::to_string(kMostBinaries));
  }
  const Expected<ConvexProgramme> programme = MakeConvexProgramme(reduced);
  if (!programme) {
    return Fail(programme.error().code, "bonmin: " + programme.error().message);
  }
  // A plan as good as the warm start is still to be found.
  const double start = recorder.Best();
  const double slack = 1e-7 * (std::abs(start) + 1e-3 * programme->unit);
  const double cutoff = (start + slack - reduced.constant) / programme->unit;
  const auto on_point = [&](const double* z) {
    const std::vector<double> values(
        z, z + static_cast<std::ptrdiff_t>(reduced.NumVariables()));
    recorder.Offer(reduced.Expand(ChoicesOfColumns(reduced, values)));
  };
  const std::string text = OptionsText(options, clock, cutoff);
  const Expected<MilpOutcome> outcome =
      RunBonmin(*programme, text, clock, on_point);
  if (!outcome) return tl::unexpected(outcome.error());
  if (outcome->is_infeasible) {
    recorder.RaiseBound(recorder.HasIncumbent() ? start : kInfinity);
  } else {
    const double bound = reduced.constant + programme->unit * outcome->bound;
    // Its proof is as good as Ipopt's tolerance, whatever the objective's size.
    const bool is_closed =
        outcome->is_proven &&
        recorder.Best() - bound <= kProvenWithin * programme->unit;
    recorder.RaiseBound(is_closed ? recorder.Best() : bound);
  }
  const bool is_done = outcome->is_proven || outcome->is_infeasible;
  Limit limit = is_done ? Limit::kNone : clock.Reached(outcome->nodes);
  if (!is_done && limit == Limit::kNone && options.time_limit_s) {
    limit = Limit::kTime;
  }
  SolveResult result = recorder.Finish(limit);
  result.detail = "B-BB over Ipopt, " + std::to_string(reduced.NumVariables()) +
                  " binaries, " + std::to_string(programme->rows.size()) +
                  " rows";
  result.stats.nodes = outcome->nodes;
  result.stats.iterations = outcome->iterations;
  return result;
}

}  // namespace bitpact
