// SPDX-License-Identifier: Apache-2.0
#include "estimators/plan_search.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <numeric>
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
  Landscape(ValueFunction& game, const TargetBudget& target)
      : game_(&game), target_(&target) {}

  void FollowGuide(const Surrogate& surrogate) { surrogate_ = &surrogate; }

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
  const Surrogate* surrogate_ = nullptr;
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

namespace {

// "32 finals on 24576 tokens, 8 of them on 98304".
std::string DescribeFinals(const std::vector<FinalPlan>& finals) {
  const auto [least, most] =
      std::ranges::minmax(finals, {}, &FinalPlan::tokens);
  std::string text = std::to_string(finals.size()) + " finals on " +
                     std::to_string(least.tokens) + " tokens";
  if (most.tokens == least.tokens) return text;
  return text + ", " +
         std::to_string(
             std::ranges::count(finals, most.tokens, &FinalPlan::tokens)) +
         " of them on " + std::to_string(most.tokens);
}

}  // namespace

std::string DescribeSearch(const PlanSearchResult& result) {
  const bool swapped = result.best.name.starts_with("swap");
  return result.best.name + (swapped ? " from " + result.start : "") + ", of " +
         std::to_string(result.judged.size()) + " plans judged; " +
         std::to_string(result.swaps) + " swaps, " +
         std::to_string(result.neighbours) + " neighbours measured" +
         (result.finals.empty() ? "" : "; " + DescribeFinals(result.finals));
}

namespace {

double TokensOf(const ValueFunction& game) {
  const std::span<const double> tokens = game.window_tokens();
  return std::accumulate(tokens.begin(), tokens.end(), 0.0);
}

Expected<void> CheckCandidates(const TargetBudget& target,
                               const std::vector<PlanCandidate>& candidates) {
  if (candidates.empty()) {
    return InvalidArgument("candidates = 0 violates: at least one plan");
  }
  for (const PlanCandidate& candidate : candidates) {
    BITPACT_CHECK(candidate.guide != nullptr, "a guide for every candidate");
    if (BytesOf(target, candidate.assignment) > target.byte_limit) {
      return InvalidArgument("candidate '" + candidate.name +
                             "' is over the budget");
    }
  }
  return {};
}

// Sets the judge's loss of judged[first..].
Expected<void> JudgeFrom(std::size_t first,
                         ValueFunction& judge,
                         std::vector<JudgedPlan>& judged) {
  std::vector<FormatAssignment> plans;
  for (std::size_t i = first; i < judged.size(); ++i) {
    plans.push_back(judged[i].assignment);
  }
  const auto values = judge.Evaluate(plans);
  if (!values) return tl::unexpected(values.error());
  for (std::size_t i = first; i < judged.size(); ++i) {
    judged[i].judge_loss = (*values)[i - first].loss;
  }
  return {};
}

// Steps 3 and 4 of the header.
JudgedPlan TakeBest(const std::vector<PlanCandidate>& candidates,
                    const std::vector<JudgedPlan>& judged,
                    std::size_t start) {
  JudgedPlan best = judged[start];
  for (std::size_t i = candidates.size(); i < judged.size(); ++i) {
    if (judged[i].judge_loss < best.judge_loss) best = judged[i];
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].baseline && judged[i].judge_loss < best.judge_loss) {
      best = judged[i];
    }
  }
  return best;
}

}  // namespace

Expected<PlanSearchResult> SearchPlan(
    ValueFunction& fit,
    ValueFunction& judge,
    const TargetBudget& target,
    const std::vector<PlanCandidate>& candidates,
    const PlanSearchOptions& options) {
  const auto begun = std::chrono::steady_clock::now();
  const Expected<void> valid = Validate(options);
  if (!valid) return tl::unexpected(valid.error());
  Expected<void> done = CheckCandidates(target, candidates);
  if (!done) return tl::unexpected(done.error());
  CountingGame counted_fit(fit);
  CountingGame counted_judge(judge);
  Landscape landscape(counted_fit, target);
  std::vector<FormatAssignment> plans;
  for (const PlanCandidate& candidate : candidates) {
    plans.push_back(candidate.assignment);
  }
  done = landscape.Measure(plans);
  if (!done) return tl::unexpected(done.error());
  PlanSearchResult result;
  for (const PlanCandidate& candidate : candidates) {
    result.judged.push_back({candidate.name,
                             candidate.assignment,
                             landscape.LossOf(candidate.assignment),
                             0.0});
  }
  done = JudgeFrom(0, counted_judge, result.judged);
  if (!done) return tl::unexpected(done.error());
  const double fit_tokens = TokensOf(fit);
  const double judge_tokens = TokensOf(judge);
  result.fit_share = fit_tokens / (fit_tokens + judge_tokens);
  const auto start = static_cast<std::size_t>(
      std::ranges::min_element(result.judged,
                               {},
                               [&](const JudgedPlan& plan) {
                                 return fit_tokens * plan.fit_loss +
                                        judge_tokens * plan.judge_loss;
                               }) -
      result.judged.begin());
  result.start = candidates[start].name;
  landscape.FollowGuide(*candidates[start].guide);
  done = Descend(landscape, options, candidates[start].assignment, result);
  if (!done) return tl::unexpected(done.error());
  KeepFewer(result.judged, candidates.size());
  done = JudgeFrom(candidates.size(), counted_judge, result.judged);
  if (!done) return tl::unexpected(done.error());
  result.best = TakeBest(candidates, result.judged, start);
  result.fit_evaluations = counted_fit.evaluations();
  result.judge_evaluations = counted_judge.evaluations();
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - begun;
  result.seconds = taken.count();
  return result;
}

}  // namespace bitpact
