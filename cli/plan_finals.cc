// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_finals.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

#include "core/allocation_plan.h"
#include "core/progress.h"
#include "models/perplexity.h"
#include "models/quantized_model.h"

namespace bitpact {
namespace {

// The first round's share of the text and the second's of the plans.
constexpr int kRoundShare = 4;

// A metric's first plan, not a further one of its pool nor one on the way.
bool LeadsItsMetric(const JudgedPlan& plan) {
  return plan.name.find(" pool ") == std::string::npos &&
         !plan.name.starts_with("swap ");
}

// The first share of the windows, and what is left.
struct Rounds {
  TokenSet first;
  std::optional<TokenSet> second;
};
Rounds SplitRounds(const TokenSet& text) {
  std::vector<int> first;
  std::vector<int> second;
  std::int64_t taken = 0;
  for (int w = 0; w < static_cast<int>(std::ssize(text.windows)); ++w) {
    const bool is_first = kRoundShare * taken < text.predicted;
    (is_first ? first : second).push_back(w);
    taken += text.windows[static_cast<std::size_t>(w)].predicted();
  }
  Rounds rounds{TakeWindows(text, first), std::nullopt};
  if (!second.empty()) rounds.second = TakeWindows(text, second);
  return rounds;
}

Expected<double> LossInSequence(const PlanFinals& finals,
                                const TokenSet& text,
                                const FormatAssignment& assignment) {
  std::vector<FormatRule> rules;
  for (const int option : assignment) {
    rules.push_back((*finals.formats)[static_cast<std::size_t>(option)]);
  }
  const AllocationPlan plan =
      MakePlan(*finals.units, rules, finals.quantizer->name());
  const auto quantized = QuantizedModel::Make(
      *finals.model, plan, *finals.quantizer, finals.calibration);
  if (!quantized) return tl::unexpected(quantized.error());
  return EvaluateLoss(*finals.model, quantized->weights(), text).nll.mean;
}

}  // namespace

std::vector<std::size_t> ChooseFinalists(const PlanSearchResult& result,
                                         std::size_t count) {
  std::vector<std::size_t> order(result.judged.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto loss = [&](std::size_t i) {
    const JudgedPlan& plan = result.judged[i];
    return result.fit_share * plan.fit_loss +
           (1.0 - result.fit_share) * plan.judge_loss;
  };
  std::ranges::stable_sort(order, {}, loss);
  std::vector<std::size_t> chosen;
  std::set<FormatAssignment> seen;
  const auto take = [&](std::size_t most, bool leaders_only) {
    for (const std::size_t i : order) {
      if (chosen.size() >= most) return;
      const JudgedPlan& plan = result.judged[i];
      if (leaders_only && !LeadsItsMetric(plan)) continue;
      if (seen.insert(plan.assignment).second) chosen.push_back(i);
    }
  };
  // The plan that would be taken without finals is always among them.
  for (std::size_t i = 0; i < result.judged.size() && count > 0; ++i) {
    if (result.judged[i].assignment != result.best.assignment) continue;
    chosen.push_back(i);
    seen.insert(result.best.assignment);
    break;
  }
  take((count + 1) / 2, false);
  take(count, true);
  take(count, false);
  return chosen;
}

Expected<void> PlayFinals(const PlanFinals& finals, PlanSearchResult& result) {
  const bool tells_more =
      finals.text != nullptr || finals.quantizer->needs_hessian();
  if (!tells_more || finals.count < 2) return {};
  const auto begun = std::chrono::steady_clock::now();
  const std::vector<std::size_t> finalists =
      ChooseFinalists(result, static_cast<std::size_t>(finals.count));
  const Rounds rounds = finals.text != nullptr
                            ? SplitRounds(*finals.text)
                            : Rounds{*finals.calibration, std::nullopt};
  for (const std::size_t i : finalists) {
    const JudgedPlan& plan = result.judged[i];
    const Expected<double> loss =
        LossInSequence(finals, rounds.first, plan.assignment);
    if (!loss) return tl::unexpected(loss.error());
    result.finals.push_back(
        {plan.name, plan.assignment, *loss, rounds.first.predicted});
  }
  std::vector<std::size_t> order(finalists.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto loss_of = [&](std::size_t i) { return result.finals[i].loss; };
  std::ranges::stable_sort(order, {}, loss_of);
  if (rounds.second) {
    order.resize((order.size() + kRoundShare - 1) / kRoundShare);
    for (const std::size_t i : order) {
      FinalPlan& plan = result.finals[i];
      const Expected<double> loss =
          LossInSequence(finals, *rounds.second, plan.assignment);
      if (!loss) return tl::unexpected(loss.error());
      const auto before = static_cast<double>(plan.tokens);
      const auto more = static_cast<double>(rounds.second->predicted);
      plan.loss = (plan.loss * before + *loss * more) / (before + more);
      plan.tokens += rounds.second->predicted;
    }
    std::ranges::stable_sort(order, {}, loss_of);
  }
  result.best = result.judged[finalists[order.front()]];
  const std::chrono::duration<double> taken =
      std::chrono::steady_clock::now() - begun;
  result.seconds += taken.count();
  return {};
}

}  // namespace bitpact
