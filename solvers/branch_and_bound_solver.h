// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BRANCH_AND_BOUND_SOLVER_H_
#define BITPACT_SOLVERS_BRANCH_AND_BOUND_SOLVER_H_

// Exact: best-first branch and bound on the convex relaxation of a convexified
// problem, two-way and one-hot, any number of resources, convex or not. Two-way
// problems whose limits are one row are annealed for an incumbent and go to
// solvers/two_way_search.h, on several threads if asked; all others to
// solvers/choice_search.h, on one thread.
//
// Bounds are lowered by 1e-12 of the sum of all magnitudes, so that rounding
// cannot prove what is not so. With more than one resource the bound is weaker
// (Lagrangian).
//
// One node is one relaxation. Equal optima: the first met, which is the
// annealer's plan if that is one. The pool holds plans met on the way and those
// next to them (solvers/pool_fill.h). Deterministic, for any number of threads.
// A RootCertificate comes with every result whose root was reached.

#include <string_view>

#include "solvers/reduced_problem.h"
#include "solvers/solver.h"

namespace bitpact {

class BranchAndBoundSolver final : public Solver {
 public:
  // The pairs of so many binaries are a matrix of 128 MiB, and the coordinates
  // of a convex model (solvers/convex_model.h; one a bit ladder, otherwise one
  // a binary) are factorized, in a second at this size, between two looks at
  // the clock. Beyond either: kUnsupported.
  static constexpr int kMostBinaries = 4096;
  static constexpr int kMostCoordinates = 2048;

  // kNothing leaves out the annealer and every other heuristic, so that the
  // proof stands alone: what the tests need, nobody else.
  enum class Start { kAnneal, kNothing };
  explicit BranchAndBoundSolver(Start start = Start::kAnneal) : start_(start) {}

  [[nodiscard]] std::string_view name() const override {
    return "branch-and-bound";
  }
  // Whether Solve takes it. O(n^2) for n binaries.
  [[nodiscard]] static bool IsSmallEnough(const ReducedProblem& reduced);

  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;

 private:
  Start start_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BRANCH_AND_BOUND_SOLVER_H_
