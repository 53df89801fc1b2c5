// SPDX-License-Identifier: Apache-2.0
#include "estimators/plan_search.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "core/check.h"
#include "estimators/counting_game.h"
#include "estimators/quadratic_fit.h"

namespace bitpact {
namespace {

std::int64_t BytesOf(const TargetBudget& target,
                     const FormatAssignment& assignment) {
  std::int64_t bytes = 0;
  for (std::size_t u = 0; u < assignment.size(); ++u) {
    bytes += target.option_bytes[u][static_cast<std::size_t>(assignment[u])];
  }
  return bytes;
}

// Everything measured on the fitting windows, and what is expected elsewhere.
class Landscape {
 public:
  Landscape(ValueFunction& game,
            const TargetBudget& target,
            const Surrogate& surrogate)
      : game_(&game), target_(&target), surrogate_(&surrogate) {}

  Expected<void> Measure(const std::vector<FormatAssignment>& plans) {
    const auto values = game_->Evaluate(plans);
    if (!values) return tl::unexpected(values.error());
    for (std::size_t i = 0; i < plans.size(); ++i) {
      known_[plans[i]] = (*values)[i].loss;
    }
    return {};
  }
  [[nodiscard]] bool Knows(const FormatAssignment& plan) const {
    return known_.contains(plan);
  }
  [[nodiscard]] double LossOf(const FormatAssignment& plan) const {
    return known_.at(plan);
  }

  // Fits the residuals of what is known.
  Expected<void> Correct() {
    const auto indicators = static_cast<std::size_t>(
        game_->num_units() * (game_->num_options() - 1));
    if (known_.size() < 2 * indicators + 3) return {};
    std::vector<FormatAssignment> rows;
    std::vector<double> residuals;
    for (const auto& [plan, loss] : known_) {
      rows.push_back(plan);
      residuals.push_back(loss - surrogate_->Predict(plan));
    }
    const std::vector<double> weights(rows.size(), 1.0);
    auto fit =
        FitQuadratic(rows, residuals, weights, game_->num_options(), 0.0);
    if (!fit) return tl::unexpected(fit.error());
    correction_ = std::move(fit->surrogate);
    return {};
  }
  [[nodiscard]] double Expect(const FormatAssignment& plan) const {
    return surrogate_->Predict(plan) +
           (correction_.linear.empty() ? 0.0 : correction_.Predict(plan));
  }

  // Unknown neighbours, the most promising first, `count` at most.
  [[nodiscard]] std::vector<FormatAssignment> Propose(
      const FormatAssignment& from, std::size_t count) const {
    std::map<FormatAssignment, double> found;
    const auto offer = [&](FormatAssignment plan, std::size_t lowered) {
      Fill(plan, lowered);
      if (!Knows(plan) && !found.contains(plan)) {
        const double expected = Expect(plan);
        found.emplace(std::move(plan), expected);
      }
    };
    const int last = game_->num_options() - 1;
    const std::size_t units = from.size();
    for (std::size_t up = 0; up < units; ++up) {
      if (from[up] == 0) continue;
      FormatAssignment raised = from;
      --raised[up];
      if (BytesOf(*target_, raised) <= target_->byte_limit)
        offer(raised, units);
      for (std::size_t down = 0; down < units; ++down) {
        if (down == up || from[down] == last) continue;
        FormatAssignment swapped = raised;
        ++swapped[down];
        if (BytesOf(*target_, swapped) <= target_->byte_limit) {
          offer(std::move(swapped), down);
        }
      }
    }
    std::vector<std::pair<double, FormatAssignment>> ranked;
    for (auto& [plan, expected] : found) ranked.emplace_back(expected, plan);
    std::sort(ranked.begin(), ranked.end());
    std::vector<FormatAssignment> plans;
    for (auto& [expected, plan] : ranked) {
      if (plans.size() == count) break;
      plans.push_back(std::move(plan));
    }
    return plans;
  }

 private:
  // Raises whatever fits, the most useful first, but not the unit just lowered.
  void Fill(FormatAssignment& plan, std::size_t lowered) const {
    std::int64_t left = target_->byte_limit - BytesOf(*target_, plan);
    for (;;) {
      std::size_t best = plan.size();
      double least = Expect(plan);
      for (std::size_t u = 0; u < plan.size(); ++u) {
        if (u == lowered || plan[u] == 0 || StepBytes(plan, u) > left) continue;
        --plan[u];
        const double expected = Expect(plan);
        ++plan[u];
        if (expected < least) {
          least = expected;
          best = u;
        }
      }
      if (best == plan.size()) return;
      left -= StepBytes(plan, best);
      --plan[best];
    }
  }
  [[nodiscard]] std::int64_t StepBytes(const FormatAssignment& plan,
                                       std::size_t u) const {
    const auto option = static_cast<std::size_t>(plan[u]);
    return target_->option_bytes[u][option - 1] -
           target_->option_bytes[u][option];
  }

  ValueFunction* game_;
  const TargetBudget* target_;
  const Surrogate* surrogate_;
  Surrogate correction_;
  std::map<FormatAssignment, double> known_;
};

// Measured swaps from `start`; every improvement is added to `path`.
Expected<void> Descend(Landscape& landscape,
                       const PlanSearchOptions& options,
                       FormatAssignment start,
                       PlanSearchResult& result) {
  int idle = 0;
  while (result.neighbours < options.max_evaluations &&
         idle < options.patience) {
    const auto count = static_cast<std::size_t>(std::min(
        options.moves_per_round, options.max_evaluations - result.neighbours));
    const std::vector<FormatAssignment> plans = landscape.Propose(start, count);
    if (plans.empty()) break;
    Expected<void> done = landscape.Measure(plans);
    if (!done) return done;
    result.neighbours += static_cast<int>(plans.size());
    const auto best = std::ranges::min_element(
        plans, {}, [&](const auto& plan) { return landscape.LossOf(plan); });
    ++idle;
    if (landscape.LossOf(*best) < landscape.LossOf(start)) {
      idle = 0;
      start = *best;
      ++result.swaps;
      result.judged.push_back({"swap " + std::to_string(result.swaps),
                               start,
                               landscape.LossOf(start),
                               0.0});
    }
    done = landscape.Correct();
    if (!done) return done;
  }
  return {};
}

// Thins out the plans on the way, the last one kept.
void KeepFewer(std::vector<JudgedPlan>& judged, std::size_t candidates) {
  const std::size_t swaps = judged.size() - candidates;
  constexpr std::size_t kMost = PlanSearchOptions::kMostJudged;
  if (swaps <= kMost) return;
  std::vector<JudgedPlan> kept(
      judged.begin(), judged.begin() + static_cast<std::ptrdiff_t>(candidates));
  for (std::size_t i = 1; i <= kMost; ++i) {
    kept.push_back(judged[candidates + i * swaps / kMost - 1]);
  }
  judged = std::move(kept);
}

}  // namespace

Expected<void> Validate(const PlanSearchOptions& options) {
  if (options.max_evaluations < 0 || options.moves_per_round < 1 ||
      options.patience < 1) {
    return InvalidArgument(
        "max_evaluations = " + std::to_string(options.max_evaluations) +
        ", moves_per_round = " + std::to_string(options.moves_per_round) +
        ", patience = " + std::to_string(options.patience) +
        ": violates max_evaluations >= 0, the others >= 1");
  }
  return {};
}

std::string DescribeSearch(const PlanSearchResult& result) {
  return result.best.name + ", the best of " +
         std::to_string(result.judged.size()) + " plans on held-out windows; " +
         std::to_string(result.swaps) + " swaps, " +
         std::to_string(result.neighbours) + " neighbours measured";
}

Expected<PlanSearchResult> SearchPlan(
    ValueFunction& fit,
    ValueFunction& judge,
    const TargetBudget& target,
    const Surrogate& surrogate,
    const std::vector<PlanCandidate>& candidates,
    const PlanSearchOptions& options) {
  const auto begun = std::chrono::steady_clock::now();
  const Expected<void> valid = Validate(options);
  if (!valid) return tl::unexpected(valid.error());
  if (candidates.empty()) {
    return InvalidArgument("candidates = 0 violates: at least one plan");
  }
  std::vector<FormatAssignment> plans;
  for (const PlanCandidate& candidate : candidates) {
    if (BytesOf(target, candidate.assignment) > target.byte_limit) {
      return InvalidArgument("candidate '" + candidate.name +
                             "' is over the budget");
    }
    plans.push_back(candidate.assignment);
  }
  CountingGame counted_fit(fit);
  CountingGame counted_judge(judge);
  Landscape landscape(counted_fit, target, surrogate);
  Expected<void> done = landscape.Measure(plans);
  if (!done) return tl::unexpected(done.error());
  PlanSearchResult result;
  for (const PlanCandidate& candidate : candidates) {
    result.judged.push_back({candidate.name,
                             candidate.assignment,
                             landscape.LossOf(candidate.assignment),
                             0.0});
  }
  const FormatAssignment start =
      std::ranges::min_element(result.judged, {}, &JudgedPlan::fit_loss)
          ->assignment;
  done = Descend(landscape, options, start, result);
  if (!done) return tl::unexpected(done.error());
  KeepFewer(result.judged, candidates.size());
  plans.clear();
  for (const JudgedPlan& plan : result.judged) plans.push_back(plan.assignment);
  const auto values = counted_judge.Evaluate(plans);
  if (!values) return tl::unexpected(values.error());
  for (std::size_t i = 0; i < plans.size(); ++i) {
    result.judged[i].judge_loss = (*values)[i].loss;
  }
  result.best =
      *std::ranges::min_element(result.judged, {}, &JudgedPlan::judge_loss);
  result.fit_evaluations = counted_fit.evaluations();
  result.judge_evaluations = counted_judge.evaluations();
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - begun;
  result.seconds = taken.count();
  return result;
}

}  // namespace bitpact
