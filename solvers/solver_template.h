// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_SOLVER_TEMPLATE_H_
#define BITPACT_SOLVERS_SOLVER_TEMPLATE_H_

// A solver to copy: random plans, repaired and improved by local moves. It is
// complete and passes the conformance suite, but is not in the factory.
//
// To add a solver `mine`:
// 1. Copy solver_template.{h,cc} to mine_solver.{h,cc}; say here what the
//    method is, the paper and section it follows, where it deviates, what one
//    node is, what holds for equal optima, and its cost.
// 2. Give capabilities() what is true, no more: SolveAndCheck refuses for you
//    what you do not claim, and the suite tests what you do.
// 3. Write Solve() in terms of a ReducedProblem, where pins, ties and hopeless
//    options are gone and two-way units are single binaries. Hand every plan to
//    an IncumbentRecorder: it scores exactly, keeps the pool and writes the
//    trace.
// 4. Add one line to the table in solver_factory.cc and the file to
//    CMakeLists.txt; a third-party backend is a CMake option, its headers are
//    included in the .cc only, and whatever it throws is caught there.
// 5. Run solvers_test: the conformance suite takes every solver of the table.

#include <string_view>

#include "solvers/solver.h"

namespace bitpact {

// One node is one random plan; 1,000 by default.
class SolverTemplate final : public Solver {
 public:
  [[nodiscard]] std::string_view name() const override { return "template"; }
  [[nodiscard]] SolverCapabilities capabilities() const override;
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override;
};

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_SOLVER_TEMPLATE_H_
