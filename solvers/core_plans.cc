// SPDX-License-Identifier: Apache-2.0
#include "solvers/core_plans.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "core/random.h"
#include "solvers/convex_presolve.h"

namespace bitpact {

CorePlans::CorePlans(const ConvexModel& model)
    : model_(model), core_(CoreOf(model)), state_(core_) {}

std::optional<Choices> CorePlans::Improve(const Choices& plan) {
  Choices start;
  for (const ConvexModel::Group& group : model_.groups) {
    const auto found =
        std::find(group.reduced_choices.begin(),
                  group.reduced_choices.end(),
                  plan[static_cast<std::size_t>(group.reduced_group)]);
    start.push_back(
        found == group.reduced_choices.end()
            ? 0
            : static_cast<int>(found - group.reduced_choices.begin()));
  }
  state_.Reset(start);
  return Finish();
}

std::optional<Choices> CorePlans::Anneal(std::uint64_t seed,
                                         std::uint64_t index,
                                         std::int64_t sweeps) {
  const AnnealSchedule& schedule =
      core_.NumResources() > 0 ? kAnnealWithLimits : kAnnealWithoutLimits;
  const AnnealPrices prices = ComputeAnnealPrices(core_, state_);
  AnnealRun run(core_,
                prices,
                schedule,
                RandomStream(seed, "solvers/core_plans", index),
                state_);
  if (index % 2 == 1) run.Randomize(Smallest());
  const double unit =
      std::max(prices.typical_change, std::numeric_limits<double>::min());
  const double cooling = std::pow(schedule.coldest / schedule.hottest,
                                  1.0 / static_cast<double>(sweeps));
  double temperature = schedule.hottest * unit;
  double target = std::numeric_limits<double>::infinity();
  Choices best;
  for (std::int64_t s = 0; s < sweeps; ++s) {
    run.Sweep(temperature, target, best);
    temperature *= cooling;
    run.AdaptPenalty();
  }
  state_.Reset(best.empty() ? Choices(state_.choices()) : best);
  return Finish();
}

Choices CorePlans::Smallest() const {
  std::vector<double> weight;
  for (int k = 0; k < core_.NumResources(); ++k) {
    const double step = MeanSizeStep(core_, state_, k);
    weight.push_back(step > 0.0 ? 1.0 / step : 0.0);
  }
  Choices smallest;
  for (int g = 0; g < core_.NumGroups(); ++g) {
    const int choices = core_.groups[static_cast<std::size_t>(g)].NumChoices();
    smallest.push_back(0);
    double least = 0.0;
    for (int c = 1; c < choices; ++c) {
      double size = 0.0;
      for (int k = 0; k < core_.NumResources(); ++k) {
        size += weight[static_cast<std::size_t>(k)] *
                static_cast<double>(state_.Size(k, g, c));
      }
      if (size >= least) continue;
      least = size;
      smallest.back() = c;
    }
  }
  return smallest;
}

std::optional<Choices> CorePlans::Finish() {
  if (!RepairOverflow(core_, state_)) return std::nullopt;
  DescendWithinLimits(core_, state_, core_.NumVariables());
  Choices plan = model_.fixed;
  for (std::size_t g = 0; g < model_.groups.size(); ++g) {
    const ConvexModel::Group& group = model_.groups[g];
    plan[static_cast<std::size_t>(group.reduced_group)] =
        group.reduced_choices[static_cast<std::size_t>(
            state_.Choice(static_cast<int>(g)))];
  }
  return plan;
}

}  // namespace bitpact
