// SPDX-License-Identifier: Apache-2.0
#include "solvers/glpk_backend.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "glpk.h"

namespace bitpact {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTolerance = 1e-9;

struct DeleteProblem {
  void operator()(glp_prob* problem) const { glp_delete_prob(problem); }
};
using ProblemPointer = std::unique_ptr<glp_prob, DeleteProblem>;

int BoundKind(double lower, double upper) {
  if (lower == upper) return GLP_FX;
  if (lower == -kInfinity) return upper == kInfinity ? GLP_FR : GLP_UP;
  return upper == kInfinity ? GLP_LO : GLP_DB;
}

ProblemPointer MakeProblem(const MilpModel& milp) {
  ProblemPointer problem(glp_create_prob());
  glp_set_obj_dir(problem.get(), GLP_MIN);
  if (!milp.columns.empty()) {
    glp_add_cols(problem.get(), static_cast<int>(milp.columns.size()));
  }
  if (!milp.rows.empty()) {
    glp_add_rows(problem.get(), static_cast<int>(milp.rows.size()));
  }
  for (std::size_t c = 0; c < milp.columns.size(); ++c) {
    const MilpModel::Column& column = milp.columns[c];
    const int j = static_cast<int>(c) + 1;
    glp_set_obj_coef(problem.get(), j, column.cost);
    glp_set_col_bnds(problem.get(),
                     j,
                     BoundKind(column.lower, column.upper),
                     column.lower,
                     column.upper);
    if (column.is_integer) glp_set_col_kind(problem.get(), j, GLP_IV);
  }
  // Entry 0 of GLPK's arrays is not used.
  std::vector<int> columns;
  std::vector<double> coefficients;
  for (std::size_t r = 0; r < milp.rows.size(); ++r) {
    const MilpModel::Row& row = milp.rows[r];
    const int i = static_cast<int>(r) + 1;
    columns.assign(1, 0);
    coefficients.assign(1, 0.0);
    for (std::size_t t = 0; t < row.columns.size(); ++t) {
      columns.push_back(row.columns[t] + 1);
      coefficients.push_back(row.coefficients[t]);
    }
    glp_set_mat_row(problem.get(),
                    i,
                    static_cast<int>(row.columns.size()),
                    columns.data(),
                    coefficients.data());
    glp_set_row_bnds(problem.get(),
                     i,
                     BoundKind(row.lower, row.upper),
                     row.lower,
                     row.upper);
  }
  return problem;
}

// What the callback sees and leaves behind.
struct Search {
  const MilpRequest* request = nullptr;
  const SolveClock* clock = nullptr;
  std::size_t columns = 0;
  bool has_offered_start = false;
  std::int64_t nodes = 0;
  double bound = -kInfinity;
};

void OnEvent(glp_tree* tree, void* info) {
  auto& search = *static_cast<Search*>(info);
  const int best = glp_ios_best_node(tree);
  if (best != 0) search.bound = glp_ios_node_bound(tree, best);
  const int reason = glp_ios_reason(tree);
  if (reason == GLP_ISELECT) ++search.nodes;
  if (reason == GLP_IHEUR && !search.has_offered_start &&
      !search.request->start.empty()) {
    search.has_offered_start = true;
    std::vector<double> start(1, 0.0);
    start.insert(start.end(),
                 search.request->start.begin(),
                 search.request->start.end());
    glp_ios_heur_sol(tree, start.data());
  }
  if (reason == GLP_IBINGO && search.request->on_solution) {
    glp_prob* problem = glp_ios_get_prob(tree);
    std::vector<double> values(search.columns);
    for (std::size_t c = 0; c < search.columns; ++c) {
      values[c] = glp_get_col_prim(problem, static_cast<int>(c) + 1);
    }
    search.request->on_solution(values);
  }
  const bool is_over_nodes =
      search.request->node_limit && search.nodes > *search.request->node_limit;
  if (is_over_nodes || search.clock->Reached(-1) != Limit::kNone) {
    glp_ios_terminate(tree);
  }
}

int Milliseconds(const SolveClock& clock) {
  const double left = clock.SecondsLeft();
  constexpr double kMost = std::numeric_limits<int>::max();
  return std::isfinite(left)
             ? static_cast<int>(std::clamp(1e3 * left, 1.0, kMost))
             : std::numeric_limits<int>::max();
}

// The root relaxation, which GLPK wants solved before it branches.
int SolveRoot(glp_prob* problem, const SolveClock& clock) {
  glp_smcp control;
  glp_init_smcp(&control);
  control.msg_lev = GLP_MSG_OFF;
  control.meth = GLP_DUALP;
  control.tol_bnd = kTolerance;
  control.tol_dj = kTolerance;
  control.tm_lim = Milliseconds(clock);
  return glp_simplex(problem, &control);
}

int Branch(glp_prob* problem, const SolveClock& clock, Search& search) {
  glp_iocp control;
  glp_init_iocp(&control);
  control.msg_lev = GLP_MSG_OFF;
  control.br_tech = GLP_BR_DTH;
  control.bt_tech = GLP_BT_BPH;
  control.tol_int = kTolerance;
  control.tol_obj = kTolerance;
  control.mip_gap = search.request->relative_gap;
  control.gmi_cuts = GLP_ON;
  control.cov_cuts = GLP_ON;
  control.tm_lim = Milliseconds(clock);
  control.cb_func = OnEvent;
  control.cb_info = &search;
  return glp_intopt(problem, &control);
}

void ReportFinal(glp_prob* problem, const Search& search) {
  if (!search.request->on_solution) return;
  std::vector<double> values(search.columns);
  for (std::size_t c = 0; c < search.columns; ++c) {
    values[c] = glp_mip_col_val(problem, static_cast<int>(c) + 1);
  }
  search.request->on_solution(values);
}

}  // namespace

Expected<MilpOutcome> RunGlpk(const MilpModel& milp,
                              const MilpRequest& request,
                              const SolveClock& clock) {
  const int terminal = glp_term_out(GLP_OFF);
  const ProblemPointer problem = MakeProblem(milp);
  MilpOutcome outcome;
  Search search{
      .request = &request, .clock = &clock, .columns = milp.columns.size()};
  const int root = SolveRoot(problem.get(), clock);
  const int root_status = glp_get_status(problem.get());
  int code = root;
  if (root == 0 && root_status == GLP_OPT) {
    code = Branch(problem.get(), clock, search);
    const int status = glp_mip_status(problem.get());
    outcome.is_infeasible = code == 0 && status == GLP_NOFEAS;
    outcome.is_proven = status == GLP_OPT || (code == GLP_EMIPGAP);
    if (status == GLP_OPT || status == GLP_FEAS) {
      ReportFinal(problem.get(), search);
    }
    if (outcome.is_proven) {
      // Within the gap GLPK stops; its last node bound is what is proven.
      outcome.bound =
          code == GLP_EMIPGAP ? search.bound : glp_mip_obj_val(problem.get());
    } else if (!outcome.is_infeasible) {
      outcome.bound = LoweredBound(search.bound);
    }
  } else {
    outcome.is_infeasible =
        root == 0 && (root_status == GLP_NOFEAS || root_status == GLP_INFEAS);
  }
  outcome.nodes = search.nodes;
  outcome.iterations = glp_get_it_cnt(problem.get());
  glp_term_out(terminal);
  const bool is_limit = code == 0 || code == GLP_ETMLIM ||
                        code == GLP_EMIPGAP || code == GLP_ESTOP ||
                        code == GLP_EITLIM;
  if (!is_limit) {
    return Fail(ErrorCode::kInternal,
                "glpk failed with its code " + std::to_string(code));
  }
  return outcome;
}

}  // namespace bitpact
