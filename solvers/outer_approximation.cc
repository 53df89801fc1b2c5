// SPDX-License-Identifier: Apache-2.0
#include "solvers/outer_approximation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "solvers/anneal_solver.h"
#include "solvers/convex_presolve.h"
#include "solvers/linearization.h"
#include "solvers/outer_master.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Cutting planes before the first master.
constexpr int kMostRootCuts = 40;
// How far from the relaxation's point towards the master's they are made.
constexpr double kInOutStep = 0.5;
// A master is solved to this share of the gap that is open.
constexpr double kMasterGapShare = 0.2;
constexpr double kAnnealWork = 2e5;
constexpr std::int64_t kLeastSweeps = 300;
constexpr std::int64_t kMostSweeps = 3000;
constexpr double kAnnealTimeShare = 0.2;

class OuterSearch {
 public:
  OuterSearch(const OuterApproximation& method,
              const AllocationProblem& problem,
              const ReducedProblem& reduced,
              const SolveOptions& options,
              const SolveClock& clock,
              IncumbentRecorder& recorder)
      : method_(method),
        problem_(problem),
        reduced_(reduced),
        options_(options),
        clock_(clock),
        recorder_(recorder),
        proof_tolerance_(ProofTolerance(problem)) {}

  Expected<OuterOutcome> Run() {
    if (method_.start == OuterStart::kAnneal) {
      const Expected<void> annealed = Anneal();
      if (!annealed) return tl::unexpected(annealed.error());
    }
    presolve_ = PresolveConvex(reduced_, Cutoff(), clock_);
    const int variables = presolve_.model.NumVariables();
    outcome_.detail =
        "outer approximation after presolve: " + std::to_string(variables) +
        " of " + std::to_string(reduced_.NumVariables()) + " binaries open";
    if (presolve_.is_closed) {
      recorder_.RaiseBound(Cutoff());
      return outcome_;
    }
    if (variables == 0) {
      recorder_.Offer(reduced_.Expand(presolve_.model.fixed));
      recorder_.RaiseBound(std::min(Cutoff(), recorder_.Best()));
      return outcome_;
    }
    recorder_.RaiseBound(std::min(presolve_.bound, Cutoff()));
    OuterMaster master(presolve_.model);
    if (variables <= method_.most_core_binaries) {
      const Expected<void> solved = SolveCore(master);
      if (!solved) return tl::unexpected(solved.error());
      return outcome_;
    }
    Expected<void> done = CutAtRoot(master);
    if (done) done = Iterate(master);
    if (!done) return tl::unexpected(done.error());
    outcome_.detail += "; " + std::to_string(master.num_tangents()) +
                       " tangents, " + std::to_string(masters_) + " masters";
    return outcome_;
  }

 private:
  // Plans at or above this are not worth finding.
  [[nodiscard]] double Cutoff() const {
    const double best = recorder_.Best();
    if (!std::isfinite(best)) return kInfinity;
    return best - std::max(0.9 * Allowed(best), 0.5 * proof_tolerance_);
  }
  [[nodiscard]] double Allowed(double best) const {
    return options_.relative_gap * std::max(1e-9, std::abs(best));
  }
  [[nodiscard]] bool IsProven() const {
    return recorder_.HasIncumbent() && recorder_.bound() >= Cutoff();
  }

  Expected<void> Anneal() {
    SolveOptions anneal = options_;
    anneal.on_incumbent = nullptr;
    anneal.node_limit =
        std::clamp(static_cast<std::int64_t>(
                       kAnnealWork / std::max(1, reduced_.NumVariables())),
                   kLeastSweeps,
                   kMostSweeps);
    if (options_.time_limit_s) {
      anneal.time_limit_s = kAnnealTimeShare * clock_.SecondsLeft();
    }
    const Expected<SolveResult> result = AnnealSolver().Solve(problem_, anneal);
    if (!result) return tl::unexpected(result.error());
    if (result->HasIncumbent()) recorder_.Offer(result->incumbent);
    return {};
  }

  // Few binaries are left: all products at once are quicker than tangents.
  Expected<void> SolveCore(const OuterMaster& master) {
    const double cutoff = Cutoff();
    const ReducedProblem core = CoreOf(presolve_.model);
    LinearModel linear = Linearize(LinearForm::kMcCormick, core);
    outcome_.detail +=
        "; McCormick linearization of those: " + SizeText(SizeOf(linear.milp));
    // Group rows stand first, one for each group of more than two choices,
    // which those without a reference always are.
    std::size_t row = 0;
    for (int g = 0; g < core.NumGroups(); ++g) {
      const ConvexModel::Group& group =
          presolve_.model.groups[static_cast<std::size_t>(g)];
      if (group.NumChoices() <= 2) continue;
      if (!group.has_reference) linear.milp.rows[row].lower = 1.0;
      ++row;
    }
    MilpRequest request{.relative_gap = options_.relative_gap,
                        .seed = options_.seed,
                        .node_limit = options_.node_limit};
    request.on_solution = [&](std::span<const double> values) {
      recorder_.Offer(reduced_.Expand(master.Plan(values)));
    };
    const Expected<MilpOutcome> solved =
        method_.backend(linear.milp, request, clock_);
    if (!solved) return tl::unexpected(solved.error());
    outcome_.nodes = solved->nodes;
    outcome_.iterations = solved->iterations;
    if (solved->is_infeasible) {
      recorder_.RaiseBound(Cutoff());
      return {};
    }
    const double bound = linear.milp.offset + linear.milp.scale * solved->bound;
    // Presolve has closed plans at and above the cutoff.
    recorder_.RaiseBound(std::min(bound, cutoff));
    if (!solved->is_proven) outcome_.limit = clock_.Reached(outcome_.nodes);
    return {};
  }

  // The tangent at the relaxation's point, then in-out cutting planes.
  Expected<void> CutAtRoot(OuterMaster& master) {
    const std::vector<double>& inner = presolve_.point;
    master.AddTangent(inner);
    if (recorder_.HasIncumbent()) CutAtPlan(master, recorder_.BestAssignment());
    for (int cut = 0; cut < kMostRootCuts; ++cut) {
      if (clock_.Reached(outcome_.nodes) != Limit::kNone) return {};
      std::vector<double> outer;
      const Expected<double> value =
          method_.relax(master.milp(), clock_, &outer);
      if (!value) return tl::unexpected(value.error());
      if (!std::isfinite(*value)) return {};
      std::vector<double> point(inner.size());
      for (std::size_t i = 0; i < point.size(); ++i) {
        point[i] = inner[i] + kInOutStep * (outer[i] - inner[i]);
      }
      master.AddTangent(point);
    }
    return {};
  }

  void CutAtPlan(OuterMaster& master, const Assignment& plan) {
    const Choices choices = reduced_.Contract(plan);
    std::vector<double> point = master.Columns(choices);
    point.pop_back();
    if (!seen_.insert(point).second) return;
    master.AddTangent(point);
    // Half way to the relaxation's point is where the next plans will be.
    for (std::size_t i = 0; i < point.size(); ++i) {
      point[i] = 0.5 * (point[i] + presolve_.point[i]);
    }
    master.AddTangent(point);
  }

  MilpRequest MakeRequest(const OuterMaster& master,
                          double share,
                          std::vector<Assignment>& met) {
    MilpRequest request{.seed = options_.seed, .is_one_of_many = true};
    const double best = recorder_.Best();
    const double open = best - recorder_.bound();
    // In the master's value, which lacks the offset.
    const double value =
        std::abs(best - master.milp().offset) + 1e-9 * reduced_.scale;
    request.relative_gap =
        std::isfinite(open) ? std::min(1e-2, share * open / value) : 1e-3;
    if (share == 0.0) request.relative_gap = 0.0;
    if (options_.node_limit) {
      request.node_limit =
          std::max<std::int64_t>(0, *options_.node_limit - outcome_.nodes);
    }
    if (recorder_.HasIncumbent()) {
      const Choices plan = reduced_.Contract(recorder_.BestAssignment());
      if (master.Contains(plan)) request.start = master.Columns(plan);
    }
    request.on_solution =
        [this, &master, &met](std::span<const double> values) {
          Assignment plan = reduced_.Expand(master.Plan(values));
          recorder_.Offer(plan);
          met.push_back(std::move(plan));
        };
    return request;
  }

  Expected<void> Iterate(OuterMaster& master) {
    double share = kMasterGapShare;
    while (!IsProven()) {
      outcome_.limit = clock_.Reached(outcome_.nodes);
      if (outcome_.limit != Limit::kNone) return {};
      std::vector<Assignment> met;
      const double bound_before = recorder_.bound();
      const MilpRequest request = MakeRequest(master, share, met);
      const Expected<MilpOutcome> solved =
          method_.backend(master.milp(), request, clock_);
      if (!solved) return tl::unexpected(solved.error());
      ++masters_;
      outcome_.nodes += solved->nodes;
      outcome_.iterations += solved->iterations;
      if (solved->is_infeasible) {
        // Nothing is below the cutoff, or nothing is at all.
        recorder_.RaiseBound(Cutoff());
        return {};
      }
      const MilpModel& milp = master.milp();
      recorder_.RaiseBound(
          std::min(milp.offset + milp.scale * solved->bound, Cutoff()));
      const std::size_t seen_before = seen_.size();
      for (const Assignment& plan : met) CutAtPlan(master, plan);
      const bool is_new = seen_.size() > seen_before;
      if (is_new || recorder_.bound() > bound_before) continue;
      // The master only meets plans it knows. Solved to the end, once more, its
      // optimum is the problem's.
      if (share == 0.0) return {};
      share = 0.0;
    }
    return {};
  }

  const OuterApproximation& method_;
  const AllocationProblem& problem_;
  const ReducedProblem& reduced_;
  const SolveOptions& options_;
  const SolveClock& clock_;
  IncumbentRecorder& recorder_;
  double proof_tolerance_;
  ConvexPresolve presolve_;
  std::set<std::vector<double>> seen_;
  int masters_ = 0;
  OuterOutcome outcome_;
};

}  // namespace

Expected<OuterOutcome> SolveByOuterApproximation(
    const OuterApproximation& method,
    const AllocationProblem& problem,
    const ReducedProblem& reduced,
    const SolveOptions& options,
    const SolveClock& clock,
    IncumbentRecorder& recorder) {
  return OuterSearch(method, problem, reduced, options, clock, recorder).Run();
}

}  // namespace bitpact
