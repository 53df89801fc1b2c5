// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_SOLVER_FACTORY_H_
#define BITPACT_SOLVERS_SOLVER_FACTORY_H_

// The one table of solvers. Names are stored in files: a solver whose meaning
// changes changes its name.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "solvers/solver.h"

namespace bitpact {

// One row of the table, for help texts and listings.
struct SolverInfo {
  std::string name;
  std::string summary;       // one line
  bool available = false;    // in this build
  std::string cmake_option;  // what would build it; empty when always built
};

// All solvers that exist, also those this build leaves out, in the table's
// order.
[[nodiscard]] std::vector<SolverInfo> ListSolvers();

// The names of those in this build.
[[nodiscard]] std::vector<std::string> SolverNames();

// kInvalidArgument for an unknown name (lists those built in), kUnavailable for
// one that this build leaves out (names the CMake option).
[[nodiscard]] Expected<std::unique_ptr<Solver>> MakeSolver(
    std::string_view name);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_SOLVER_FACTORY_H_
