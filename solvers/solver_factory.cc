// SPDX-License-Identifier: Apache-2.0
#include "solvers/solver_factory.h"

#include <array>

#include "solvers/anneal_solver.h"
#include "solvers/auto_solver.h"
#include "solvers/block_dp_solver.h"
#include "solvers/branch_and_bound_solver.h"
#ifdef BITPACT_HAVE_BONMIN
#include "solvers/bonmin_solver.h"
#endif
#ifdef BITPACT_HAVE_CBC
#include "solvers/cbc_solver.h"
#endif
#include "solvers/dp_solver.h"
#include "solvers/enumerate_solver.h"
#include "solvers/greedy_solver.h"
#include "solvers/lagrangian_qkp_solver.h"
#include "solvers/relax_round_solver.h"
#include "solvers/tabu_solver.h"
#ifdef BITPACT_HAVE_GLPK
#include "solvers/glpk_solver.h"
#endif

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
template <CbcForm form>
constexpr Make kMakeCbc =
    [] { return std::unique_ptr<Solver>(new CbcSolver(form)); };
#define BITPACT_CBC(form) kMakeCbc<CbcForm::form>
#else
#define BITPACT_CBC(form) nullptr
#endif
#ifdef BITPACT_HAVE_BONMIN
constexpr Make kMakeBonmin = Construct<BonminSolver>;
#else
constexpr Make kMakeBonmin = nullptr;
#endif
#ifdef BITPACT_HAVE_GLPK
constexpr Make kMakeGlpk = Construct<GlpkSolver>;
template <LinearForm form>
constexpr Make kMakeGlpkForm =
    [] { return std::unique_ptr<Solver>(new GlpkSolver(form)); };
#define BITPACT_GLPK(form) kMakeGlpkForm<LinearForm::form>
#else
constexpr Make kMakeGlpk = nullptr;
#define BITPACT_GLPK(form) nullptr
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
    {"tabu",
     "iterated tabu search, any size, no bound",
     Construct<TabuSolver>,
     ""},
    {"greedy",
     "best gain for the budget it takes, a rule of thumb without bound",
     Construct<GreedySolver>,
     ""},
    {"relax-round",
     "convex relaxation and rounding, any size, with a proven bound",
     Construct<RelaxRoundSolver>,
     ""},
    {"branch-and-bound",
     "convex relaxation and reduced costs, exact, up to 4,096 binaries",
     Construct<BranchAndBoundSolver>,
     ""},
    {"lagrangian-qkp",
     "two options, one resource, pair costs not above zero, exact",
     Construct<LagrangianQkpSolver>,
     ""},
    {"cbc",
     "COIN-OR CBC in the form that suits the problem, exact",
     BITPACT_CBC(kChoose),
     "BITPACT_WITH_CBC"},
    {"cbc-oa",
     "CBC by outer approximation of the convexified objective, exact",
     BITPACT_CBC(kOuterApproximation),
     "BITPACT_WITH_CBC"},
    {"cbc-mccormick",
     "CBC on the McCormick linearization, exact",
     BITPACT_CBC(kMcCormick),
     "BITPACT_WITH_CBC"},
    {"cbc-glover",
     "CBC on the Glover linearization, exact",
     BITPACT_CBC(kGlover),
     "BITPACT_WITH_CBC"},
    {"cbc-rlt",
     "CBC on the RLT-1 linearization, exact",
     BITPACT_CBC(kRlt),
     "BITPACT_WITH_CBC"},
    {"bonmin",
     "COIN-OR Bonmin on the convexified objective, exact, up to 600 binaries",
     kMakeBonmin,
     "BITPACT_WITH_BONMIN"},
    {"dp",
     "dynamic programming, exact when pair terms couple few units at a time",
     Construct<DpSolver>,
     ""},
    {"block-dp",
     "every plan of each block, then dynamic programming, exact when pair "
     "terms stay inside blocks",
     Construct<BlockDpSolver>,
     ""},
    {"enumerate",
     "every plan, exact, up to 24 two-way units",
     Construct<EnumerateSolver>,
     ""},
    {"glpk",
     "GLPK on a linearization that it chooses, exact",
     kMakeGlpk,
     "BITPACT_WITH_GLPK"},
    {"glpk-mccormick",
     "GLPK on the McCormick linearization, exact",
     BITPACT_GLPK(kMcCormick),
     "BITPACT_WITH_GLPK"},
    {"glpk-glover",
     "GLPK on the Glover linearization, exact",
     BITPACT_GLPK(kGlover),
     "BITPACT_WITH_GLPK"},
    {"glpk-rlt",
     "GLPK on the RLT-1 linearization, exact",
     BITPACT_GLPK(kRlt),
     "BITPACT_WITH_GLPK"},
});

}  // namespace

std::vector<SolverInfo> ListSolvers() {
  std::vector<SolverInfo> list;
  list.reserve(kSolvers.size());
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
  std::string left_out;
  for (const Row& row : kSolvers) {
    if (row.make != nullptr) continue;
    left_out += (left_out.empty() ? "; not in this build: " : ", ") +
                std::string(row.name) + " (needs " + row.cmake_option +
                "=ON and its library)";
  }
  return InvalidArgument("unknown solver '" + std::string(name) +
                         "'; built in: " + known + left_out);
}

}  // namespace bitpact
