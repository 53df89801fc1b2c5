// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_LAGRANGIAN_QKP_SOLVER_H_
#define BITPACT_SOLVERS_LAGRANGIAN_QKP_SOLVER_H_

// Branch and bound for the 0-1 quadratic knapsack with the Lagrangian bound of
// Caprara, Pisinger & Toth (INFORMS J. Computing 11(2), 1999): see
// solvers/qkp_bound.h for the bound, solvers/qkp_model.h for what is folded
// away. Two options a unit, one resource at most, and no pair cost above zero
// (or none left after some units exchange their options); kUnsupported names
// what is otherwise.
//
// * The first incumbent is annealed (solvers/anneal_solver.h).
// * At the root the shares are improved and items closed by reduced cost, until
//   that closes little; then every item that is left is tried both ways.
// * A node inherits its parent's shares and improves them by a few steps. It
//   splits the item whose mean in the relaxation is most divided, weighted by
//   what the item is worth; depth first, the likelier half first.
// * When all numbers that count are whole, a plan must be better by one.
//
// Deviations from the paper: shares are inherited and improved at every node
// instead of being kept from the root, closing goes on below the root, and the
// branching differs. Bounds are rounded outward by 1e-12 of the sum of all
// magnitudes.
//
// One node is one tightened sub-problem (the tries at the root count as one
// each). Of equal optima the first one met. Memory: the pairs of one path of
// the tree. One thread; deterministic without a time limit.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

class LagrangianQkpSolver final : public Solver {
 public:
  // kNothing starts without a plan, so that only the search itself can find the
  // optimum: for tests of the proof.
  enum class Start { kAnneal, kNothing };

  explicit LagrangianQkpSolver(Start start = Start::kAnneal) : start_(start) {}

  [[nodiscard]] std::string_view name() const override {
    return "lagrangian-qkp";
  }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;

 private:
  Start start_;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_LAGRANGIAN_QKP_SOLVER_H_
