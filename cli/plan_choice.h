// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_PLAN_CHOICE_H_
#define BITPACT_CLI_PLAN_CHOICE_H_

// From estimates to one plan: every estimate is solved, the main one for a pool
// of plans, and estimators/plan_search.h measures what comes of it. Calibration
// windows are split for that: estimates and swaps see two thirds, the judge the
// rest.

#include <string>
#include <vector>

#include "core/error.h"
#include "core/unit.h"
#include "estimators/plan_search.h"
#include "estimators/sensitivity_estimator.h"
#include "solvers/allocation_problem.h"
#include "solvers/solve_result.h"

namespace bitpact {

struct WindowSplit {
  std::vector<int> fit;
  std::vector<int> judge;  // every third window; empty below three
};
WindowSplit SplitWindows(int num_windows);

// Exact stored bytes of every unit in every format.
TargetBudget MakeTarget(const std::vector<Unit>& units,
                        const std::vector<FormatRule>& formats,
                        std::int64_t byte_limit);

// The surrogate under the target's limit; units are named by their number.
AllocationProblem ProblemOf(const Surrogate& surrogate,
                            const TargetBudget& target);

struct NamedSurrogate {
  std::string name;
  const Surrogate* surrogate = nullptr;
  bool baseline = false;  // see PlanCandidate
};

struct ChoiceOptions {
  std::string solver = "auto";
  SolveOptions solve;
  int pool =
      8;  // plans of each surrogate, where the solver keeps more than one
  PlanSearchOptions search;
};

// The surrogates' pools are the candidates, the first surrogate being the main
// one, with "all at the smallest" and a random plan that fills the budget as
// baselines. kInvalidArgument when the smallest formats are over the limit.
Expected<PlanSearchResult> ChoosePlan(
    ValueFunction& fit,
    ValueFunction& judge,
    const TargetBudget& target,
    const std::vector<NamedSurrogate>& surrogates,
    const ChoiceOptions& options);

}  // namespace bitpact

#endif  // BITPACT_CLI_PLAN_CHOICE_H_
