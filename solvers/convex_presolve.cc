// SPDX-License-Identifier: Apache-2.0
#include "solvers/convex_presolve.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "solvers/convex_relaxation.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr int kMostPasses = 12;
// A pass is repeated while it closes at least this share.
constexpr double kProgress = 0.05;

std::size_t CountOpen(const Domain& domain) {
  std::size_t open = 0;
  for (const auto& group : domain) {
    open +=
        static_cast<std::size_t>(std::count(group.begin(), group.end(), 1) - 1);
  }
  return open;
}

class Presolver {
 public:
  Presolver(const ReducedProblem& problem,
            double cutoff,
            const SolveClock& clock)
      : problem_(problem),
        cutoff_(cutoff),
        clock_(clock),
        domain_(FullDomain(problem)),
        multipliers_(problem.limits.size(), 0.0) {}

  ConvexPresolve Run() {
    result_.bound = -kInfinity;
    for (int pass = 0; pass < kMostPasses; ++pass) {
      const std::size_t before = CountOpen(domain_);
      if (!Pass()) return Closed();
      const std::size_t after = CountOpen(domain_);
      if (clock_.Reached(-1) != Limit::kNone || after == 0) break;
      if (static_cast<double>(before - after) <
          kProgress * static_cast<double>(before)) {
        break;
      }
    }
    // What the last pass closed leaves the model now.
    if (!Tighten(shift_).first) return Closed();
    return std::move(result_);
  }

 private:
  static ConvexPresolve Closed() {
    return {.is_closed = true, .bound = kInfinity};
  }

  // Both shifts; remembers which bounds better.
  bool Pass() {
    double best = -kInfinity;
    for (const Shift shift : {Shift::kLeastTrace, Shift::kSemidefinite}) {
      const auto bound = Tighten(shift);
      if (!bound.first) return false;
      if (bound.second > best) {
        best = bound.second;
        shift_ = shift;
      }
    }
    return true;
  }

  // One relaxation of the domain; false when no plan is left below the cutoff.
  std::pair<bool, double> Tighten(Shift shift) {
    ConvexModel model =
        MakeConvexModel(problem_, domain_, shift, multipliers_, &clock_);
    if (model.groups.empty()) {
      result_.model = std::move(model);
      result_.point.clear();
      return {true, result_.bound};
    }
    ConvexRelaxation relaxation(model);
    RelaxationNode root = relaxation.Root();
    root.multipliers = multipliers_;
    const ConvexRelaxation::Effort effort{
        .rounds = 200, .patience = 10, .clock = &clock_};
    if (!relaxation.Tighten(root, cutoff_, effort)) {
      return {false, kInfinity};
    }
    result_.bound = std::max(result_.bound, root.bound);
    multipliers_ = root.multipliers;
    // The node lists open choices group after group.
    std::size_t at = 0;
    for (const ConvexModel::Group& group : model.groups) {
      auto& open = domain_[static_cast<std::size_t>(group.reduced_group)];
      for (const int choice : group.reduced_choices) {
        if (root.open[at++] == 0) open[static_cast<std::size_t>(choice)] = 0;
      }
    }
    result_.model = std::move(model);
    result_.point.assign(root.point.begin(), root.point.end());
    return {true, root.bound};
  }

  const ReducedProblem& problem_;
  double cutoff_;
  const SolveClock& clock_;
  Domain domain_;
  std::vector<double> multipliers_;
  Shift shift_ = Shift::kLeastTrace;
  ConvexPresolve result_;
};

}  // namespace

ConvexPresolve PresolveConvex(const ReducedProblem& problem,
                              double cutoff,
                              const SolveClock& clock) {
  return Presolver(problem, cutoff, clock).Run();
}

ReducedProblem CoreOf(const ConvexModel& model) {
  ReducedProblem problem;
  problem.constant = model.constant;
  problem.group_of = model.group_of;
  problem.sizes = model.sizes;
  problem.limits = model.limits;
  for (const ConvexModel::Group& group : model.groups) {
    ReducedGroup reduced;
    reduced.options.resize(group.reduced_choices.size());
    reduced.first = group.first;
    problem.groups.push_back(std::move(reduced));
  }
  std::vector<PairTerm> pairs;
  problem.scale = std::abs(model.constant);
  for (int i = 0; i < model.NumVariables(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    // The shift goes back to where it came from.
    problem.linear.push_back(model.linear[at] + 0.5 * model.Bend(i, i));
    problem.scale += std::abs(problem.linear.back());
    for (int j = i + 1; j < model.NumVariables(); ++j) {
      const double value = model.Bend(i, j);
      if (value == 0.0 || problem.group_of[at] ==
                              problem.group_of[static_cast<std::size_t>(j)]) {
        continue;
      }
      pairs.push_back({i, j, value});
      problem.scale += std::abs(value);
    }
  }
  problem.pairs = PairMatrix(model.NumVariables(), pairs);
  return problem;
}

}  // namespace bitpact
