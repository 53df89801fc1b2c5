// SPDX-License-Identifier: Apache-2.0
#include "estimators/spqe.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "estimators/spqe_parts.h"

namespace bitpact {
namespace {

constexpr double kMostEnumerated = 1'048'576.0;

}  // namespace

Expected<void> Validate(const SpqeOptions& options) {
  if (options.permutations < 2 || options.permutations % 2 != 0) {
    return InvalidArgument(
        "permutations = " + std::to_string(options.permutations) +
        " violates: even and >= 2 (antithetic pairs)");
  }
  if (!(options.stop_error >= 0.0 && options.stop_error < 1.0)) {
    return InvalidArgument(
        "stop_error = " + std::to_string(options.stop_error) +
        " violates 0 <= stop_error < 1");
  }
  if (options.stop_plan < 0) {
    return InvalidArgument("stop_plan = " + std::to_string(options.stop_plan) +
                           " violates stop_plan >= 0");
  }
  return {};
}

SpqeOptions SpqePart(const EstimateOptions& options) {
  SpqeOptions part;
  part.permutations = options.permutations;
  part.seed = options.seed;
  part.orders = options.orders;
  part.stop_error = options.stop_error;
  part.stop_plan = options.stop_plan;
  part.target = options.target ? &*options.target : nullptr;
  part.exact_players = options.exact_players;
  return part;
}

double MarginalSamples::RelativeError() const {
  double errors = 0.0;
  double values = 0.0;
  for (std::size_t p = 0; p < mean.size(); ++p) {
    errors += std::pow(permutation_error[p], 2) + std::pow(data_error[p], 2);
    values += mean[p] * mean[p];
  }
  return values == 0.0 ? 0.0 : std::sqrt(errors / values);
}

Expected<MarginalSamples> SampleMarginals(ValueFunction& game,
                                          const SpqeOptions& options) {
  const Expected<void> valid = Validate(options);
  if (!valid) return tl::unexpected(valid.error());
  if (game.num_options() < 2) {
    return InvalidArgument("formats = " + std::to_string(game.num_options()) +
                           " violates: at least two candidate formats");
  }
  const int players = game.num_units() * (game.num_options() - 1);
  if (players <= options.exact_players &&
      std::pow(game.num_options(), game.num_units()) <= kMostEnumerated) {
    return EnumerateMarginals(game, options);
  }
  return options.orders == OrderDesign::kShared
             ? SampleSharedOrders(game, options)
             : SampleWindowOrders(game, options);
}

std::vector<int> DrawOrder(const ValueFunction& game, RandomStream& random) {
  std::vector<int> order;
  for (int unit = 0; unit < game.num_units(); ++unit) {
    order.insert(
        order.end(), static_cast<std::size_t>(game.num_options() - 1), unit);
  }
  random.Shuffle(order);
  return order;
}

std::vector<FormatAssignment> CoalitionsOf(const std::vector<int>& order,
                                           int num_units) {
  FormatAssignment assignment(static_cast<std::size_t>(num_units), 0);
  std::vector<FormatAssignment> coalitions = {assignment};
  for (const int unit : order) {
    ++assignment[static_cast<std::size_t>(unit)];
    coalitions.push_back(assignment);
  }
  return coalitions;
}

std::vector<int> PlayersOf(const std::vector<int>& order,
                           int num_units,
                           int num_options) {
  std::vector<int> taken(static_cast<std::size_t>(num_units), 0);
  std::vector<int> players;
  for (const int unit : order) {
    players.push_back(unit * (num_options - 1) +
                      taken[static_cast<std::size_t>(unit)]++);
  }
  return players;
}

bool StopRule::Enough(const MarginalSamples& samples) {
  ++rounds_;
  if (options_->stop_plan > 0 && options_->target != nullptr) {
    FormatAssignment plan = GreedyPlan(samples.mean, *options_->target);
    unchanged_ = plan == plan_ ? unchanged_ + 1 : 0;
    plan_ = std::move(plan);
    if (unchanged_ >= options_->stop_plan) {
      reason_ = "the plan at the budget stayed the same for " +
                std::to_string(unchanged_) + " rounds";
      return true;
    }
  }
  if (options_->stop_error == 0.0 || rounds_ < 2) return false;
  double errors = 0.0;
  double values = 0.0;
  const std::vector<double>& error = options_->orders == OrderDesign::kShared
                                         ? samples.permutation_error
                                         : samples.data_error;
  for (std::size_t p = 0; p < samples.mean.size(); ++p) {
    errors += error[p] * error[p];
    values += samples.mean[p] * samples.mean[p];
  }
  if (errors > options_->stop_error * options_->stop_error * values) {
    return false;
  }
  reason_ = "the error asked for is reached";
  return true;
}

FormatAssignment GreedyPlan(const std::vector<double>& values,
                            const TargetBudget& target) {
  const std::size_t units = target.option_bytes.size();
  const std::size_t steps = values.size() / units;
  FormatAssignment plan(units, static_cast<int>(steps));
  std::int64_t left = target.byte_limit;
  for (const auto& bytes : target.option_bytes) left -= bytes.back();
  for (;;) {
    std::size_t best = units;
    double best_ratio = 0.0;
    for (std::size_t u = 0; u < units; ++u) {
      if (plan[u] == 0) continue;
      const auto at = static_cast<std::size_t>(plan[u]);
      const std::int64_t more =
          target.option_bytes[u][at - 1] - target.option_bytes[u][at];
      if (more > left) continue;
      const double ratio = values[u * steps + at - 1] /
                           static_cast<double>(std::max<std::int64_t>(1, more));
      if (ratio > best_ratio) {
        best_ratio = ratio;
        best = u;
      }
    }
    if (best == units) return plan;
    const auto at = static_cast<std::size_t>(plan[best]);
    left -= target.option_bytes[best][at - 1] - target.option_bytes[best][at];
    --plan[best];
  }
}

}  // namespace bitpact
