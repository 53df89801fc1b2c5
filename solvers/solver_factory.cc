// SPDX-License-Identifier: Apache-2.0
#include "solvers/solver_factory.h"

#include <array>

#include "solvers/anneal_solver.h"
#include "solvers/auto_solver.h"
#include "solvers/branch_and_bound_solver.h"
#ifdef BITPACT_HAVE_CBC
#include "solvers/cbc_solver.h"
#endif
#include "solvers/enumerate_solver.h"

namespace bitpact {
namespace {

using Make = std::unique_ptr<Solver> (*)();

template <typename T>
std::unique_ptr<Solver> Construct() {
  return std::make_unique<T>();
}

struct Row {
  const char* name;
  const char* summary;
  Make make;  // null when this build leaves it out
  const char* cmake_option;
};

#ifdef BITPACT_HAVE_CBC
constexpr Make kMakeCbc = Construct<CbcSolver>;
#else
constexpr Make kMakeCbc = nullptr;
#endif

// A table, not registration by static objects: the linker drops those from
// static libraries.
constexpr auto kSolvers = std::to_array<Row>({
    {"auto",
     "picks by structure and size, and says what it picked",
     Construct<AutoSolver>,
     ""},
    {"anneal",
     "simulated annealing, any size, no bound",
     Construct<AnnealSolver>,
     ""},
    {"branch-and-bound",
     "convex relaxation and reduced costs, exact, up to 2,048 binaries",
     Construct<BranchAndBoundSolver>,
     ""},
    {"cbc",
     "COIN-OR CBC on the McCormick linearization, exact",
     kMakeCbc,
     "BITPACT_WITH_CBC"},
    {"enumerate",
     "every plan, exact, up to 24 two-way units",
     Construct<EnumerateSolver>,
     ""},
});

}  // namespace

std::vector<SolverInfo> ListSolvers() {
  std::vector<SolverInfo> list;
  for (const Row& row : kSolvers) {
    list.push_back(
        {row.name, row.summary, row.make != nullptr, row.cmake_option});
  }
  return list;
}

std::vector<std::string> SolverNames() {
  std::vector<std::string> names;
  for (const Row& row : kSolvers) {
    if (row.make != nullptr) names.emplace_back(row.name);
  }
  return names;
}

Expected<std::unique_ptr<Solver>> MakeSolver(std::string_view name) {
  for (const Row& row : kSolvers) {
    if (row.name != name) continue;
    if (row.make != nullptr) return row.make();
    return Fail(ErrorCode::kUnavailable,
                "solver '" + std::string(name) +
                    "' is not in this build; configure with -D" +
                    row.cmake_option + "=ON and its library installed");
  }
  std::string known;
  for (const std::string& built : SolverNames()) {
    known += (known.empty() ? "" : ", ") + built;
  }
  return InvalidArgument("unknown solver '" + std::string(name) +
                         "'; built in: " + known);
}

}  // namespace bitpact
