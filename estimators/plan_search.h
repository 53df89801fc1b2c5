// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_PLAN_SEARCH_H_
#define BITPACT_ESTIMATORS_PLAN_SEARCH_H_

// From good plans to the one that is measured to be best. A surrogate that
// explains 99.5% of unseen losses can still choose a worse plan than a simpler
// one, so the last word is not its own:
//
// 1. Every candidate (a solver's pool, plans of other metrics, one that knows
//    nothing) is measured on the fitting windows and on the judge's, windows
//    that nothing was fitted or searched on. The best over both is the start:
//    few plans are compared, so more text counts for more than text unseen.
// 2. From it, measured swaps on the fitting windows: neighbours lower a unit by
//    a step, raise another, and fill what room is left; or only raise. Those
//    that the start's surrogate, corrected by everything measured on the way,
//    likes most are measured, moves_per_round at a time; the best is taken when
//    it lowers the loss. Ends when max_evaluations are used or patience rounds
//    bring nothing.
// 3. Of the start and the plans on the way the one with the least loss on the
//    judge's windows is taken. Losses on fitting windows fall with every swap
//    while those on other text rise again: the judge sees the turn.
// 4. A candidate marked as a baseline that is better on the judge's windows
//    replaces it: the answer is never worse there than any baseline.
//
// The correction is FitQuadratic (quadratic_fit.h) on the surrogate's residuals
// over all plans measured here, once there are twice as many as indicators.
//
// Cost: at most max_evaluations + candidates on the fitting windows, candidates
// + kMostJudged on the judge's. Deterministic.

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "estimators/sensitivity_estimator.h"
#include "estimators/surrogate.h"
#include "estimators/value_function.h"

namespace bitpact {

struct PlanCandidate {
  std::string name;
  FormatAssignment assignment;  // within the budget
  // Ranks the neighbours when the search starts here. Outlives the search.
  const Surrogate* guide = nullptr;
  bool baseline = false;
};

struct PlanSearchOptions {
  int max_evaluations = 600;  // of neighbours; 0: only rank the candidates
  int moves_per_round = 24;
  int patience = 3;

  // Plans on the way that the judge sees besides the candidates.
  static constexpr int kMostJudged = 12;
};
Expected<void> Validate(const PlanSearchOptions& options);

struct JudgedPlan {
  std::string name;  // the candidate's, or "swap 7"
  FormatAssignment assignment;
  double fit_loss = 0.0;    // on the fitting windows, nats per token
  double judge_loss = 0.0;  // on the judge's
};

// A plan quantized as a whole and run on other text (cli/plan_finals.h).
struct FinalPlan {
  std::string name;
  FormatAssignment assignment;
  double loss = 0.0;        // on the text it was run on, nats per token
  std::int64_t tokens = 0;  // predicted there; more in the last round
};

struct PlanSearchResult {
  JudgedPlan best;
  std::string start;               // the candidate the swaps started from
  std::vector<JudgedPlan> judged;  // candidates in order, then swaps
  std::vector<FinalPlan> finals;   // empty where none were played
  double fit_share = 0.0;          // of the fitting windows in all tokens
  int swaps = 0;                   // improvements on the fitting windows
  int neighbours = 0;              // measured
  double fit_evaluations = 0.0;    // passes over the fitting windows
  double judge_evaluations = 0.0;  // and the judge's
  double seconds = 0.0;
};

// "swap 3 from pairs, of 12 plans judged; 4 swaps, 96 neighbours measured".
std::string DescribeSearch(const PlanSearchResult& result);

// fit and judge: games of the same units on windows of their own.
// kInvalidArgument: no candidate, or one that is over the budget. CHECKs that
// every candidate has a guide.
Expected<PlanSearchResult> SearchPlan(
    ValueFunction& fit,
    ValueFunction& judge,
    const TargetBudget& target,
    const std::vector<PlanCandidate>& candidates,
    const PlanSearchOptions& options);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_PLAN_SEARCH_H_
