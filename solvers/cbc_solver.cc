// SPDX-License-Identifier: Apache-2.0
#include "solvers/cbc_solver.h"

#include <string>

#include "solvers/cbc_backend.h"
#include "solvers/incumbent_recorder.h"
#include "solvers/linearized_solve.h"
#include "solvers/outer_approximation.h"
#include "solvers/reduced_problem.h"
#include "solvers/solve_clock.h"

namespace bitpact {
namespace {

// The shift needs a dense matrix and its eigenvalues.
constexpr int kMostOuterBinaries = 2048;

// A form and why.
struct Choice {
  CbcForm form = CbcForm::kOuterApproximation;
  std::string reason = {};
};

Choice Choose(const AllocationProblem& problem) {
  if (problem.pairs.empty()) {
    return {CbcForm::kMcCormick, "chosen: no pair terms, all forms are equal"};
  }
  const ReducedProblem reduced = Reduce(problem);
  if (reduced.infeasible || reduced.NumGroups() == 0) return {};
  if (reduced.NumVariables() > kMostOuterBinaries) {
    return {CbcForm::kGlover,
            "chosen: " + std::to_string(reduced.NumVariables()) +
                " binaries are too many for the shift"};
  }
  return {CbcForm::kOuterApproximation,
          "chosen: its bound starts at the convex relaxation's, the "
          "linearizations' far below"};
}

LinearForm LinearFormOf(CbcForm form) {
  if (form == CbcForm::kGlover) return LinearForm::kGlover;
  return form == CbcForm::kRlt ? LinearForm::kRlt : LinearForm::kMcCormick;
}

Expected<SolveResult> SolveOuter(const std::string& name,
                                 const std::string& reason,
                                 const AllocationProblem& problem,
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
  if (reduced.NumVariables() > kMostOuterBinaries) {
    return Fail(ErrorCode::kUnsupported,
                name + ": " + std::to_string(reduced.NumVariables()) +
                    " binaries; outer approximation takes at most " +
                    std::to_string(kMostOuterBinaries));
  }
  const OuterApproximation method{.backend = RunCbc, .relax = RelaxationByClp};
  const Expected<OuterOutcome> outcome = SolveByOuterApproximation(
      method, problem, reduced, options, clock, recorder);
  if (!outcome) return tl::unexpected(outcome.error());
  SolveResult result = recorder.Finish(outcome->limit);
  result.detail = outcome->detail;
  if (!reason.empty()) result.detail += "; " + reason;
  result.stats.nodes = outcome->nodes;
  result.stats.iterations = outcome->iterations;
  return result;
}

}  // namespace

std::string_view CbcSolver::name() const {
  switch (form_) {
    case CbcForm::kChoose:
      return "cbc";
    case CbcForm::kOuterApproximation:
      return "cbc-oa";
    case CbcForm::kMcCormick:
      return "cbc-mccormick";
    case CbcForm::kGlover:
      return "cbc-glover";
    case CbcForm::kRlt:
      return "cbc-rlt";
  }
  return "cbc";
}

SolverCapabilities CbcSolver::capabilities() const {
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
          .max_binaries = form_ == CbcForm::kOuterApproximation
                              ? kMostOuterBinaries
                              : static_cast<int>(kMostLinearColumns)};
}

Expected<SolveResult> CbcSolver::Solve(const AllocationProblem& problem,
                                       const SolveOptions& options) {
  Choice choice{.form = form_};
  if (form_ == CbcForm::kChoose) choice = Choose(problem);
  const std::string own_name(name());
  if (choice.form == CbcForm::kOuterApproximation) {
    return SolveOuter(own_name, choice.reason, problem, options);
  }
  return SolveLinearized({.name = own_name,
                          .form = LinearFormOf(choice.form),
                          .reason = choice.reason,
                          .backend = RunCbc},
                         problem,
                         options);
}

}  // namespace bitpact
