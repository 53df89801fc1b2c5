// SPDX-License-Identifier: Apache-2.0
#include "estimators/spqe.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/check.h"
#include "core/random.h"
#include "models/perplexity.h"

namespace bitpact {
namespace {

// The units in the order they are lowered, one row a permutation.
std::vector<std::vector<int>> DrawOrders(const ValueFunction& game,
                                         const SpqeOptions& options) {
  std::vector<int> steps;
  for (int unit = 0; unit < game.num_units(); ++unit) {
    steps.insert(
        steps.end(), static_cast<std::size_t>(game.num_options() - 1), unit);
  }
  std::vector<std::vector<int>> orders;
  for (int pair = 0; pair < options.permutations / 2; ++pair) {
    RandomStream random(
        options.seed, "spqe/permutation", static_cast<std::uint64_t>(pair));
    std::vector<int> order = steps;
    random.Shuffle(order);
    orders.push_back(order);
    std::reverse(order.begin(), order.end());
    orders.push_back(std::move(order));
  }
  return orders;
}

// Every coalition on the way of every order: players + 1 a row.
std::vector<FormatAssignment> Coalitions(
    const std::vector<std::vector<int>>& orders, int num_units) {
  std::vector<FormatAssignment> coalitions;
  for (const std::vector<int>& order : orders) {
    FormatAssignment assignment(static_cast<std::size_t>(num_units), 0);
    coalitions.push_back(assignment);
    for (const int unit : order) {
      ++assignment[static_cast<std::size_t>(unit)];
      coalitions.push_back(assignment);
    }
  }
  return coalitions;
}

void SummariseRows(MarginalSamples& samples) {
  const auto players = static_cast<std::size_t>(samples.num_players());
  const auto rows = static_cast<std::size_t>(samples.permutations);
  samples.mean.assign(players, 0.0);
  samples.permutation_error.assign(players, 0.0);
  for (std::size_t p = 0; p < players; ++p) {
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t m = 0; m < rows; m += 2) {
      const double pair = 0.5 * (samples.increases[m * players + p] +
                                 samples.increases[(m + 1) * players + p]);
      sum += pair;
      squares += pair * pair;
    }
    const double pairs = 0.5 * static_cast<double>(rows);
    samples.mean[p] = sum / pairs;
    if (pairs > 1.0) {
      const double variance =
          std::max(0.0, squares - sum * sum / pairs) / (pairs - 1.0);
      samples.permutation_error[p] = std::sqrt(variance / pairs);
    }
  }
}

}  // namespace

Expected<void> Validate(const SpqeOptions& options) {
  if (options.permutations < 2 || options.permutations % 2 != 0) {
    return InvalidArgument(
        "permutations = " + std::to_string(options.permutations) +
        " violates: even and >= 2 (antithetic pairs)");
  }
  return {};
}

Expected<MarginalSamples> SampleMarginals(ValueFunction& game,
                                          const SpqeOptions& options) {
  const Expected<void> valid = Validate(options);
  if (!valid) return tl::unexpected(valid.error());
  if (game.num_options() < 2) {
    return InvalidArgument("formats = " + std::to_string(game.num_options()) +
                           " violates: at least two candidate formats");
  }
  MarginalSamples samples;
  samples.num_units = game.num_units();
  samples.num_options = game.num_options();
  samples.permutations = options.permutations;
  const auto orders = DrawOrders(game, options);
  const auto values = game.Evaluate(Coalitions(orders, game.num_units()));
  if (!values) return tl::unexpected(values.error());

  const auto players = static_cast<std::size_t>(samples.num_players());
  const std::size_t windows = game.window_tokens().size();
  samples.increases.resize(orders.size() * players);
  std::vector<std::vector<double>> window_sums(
      players, std::vector<double>(windows, 0.0));
  std::size_t at = 0;
  for (std::size_t m = 0; m < orders.size(); ++m, ++at) {
    std::vector<int> taken(static_cast<std::size_t>(samples.num_units), 0);
    for (const int unit : orders[m]) {
      const Evaluation& before = (*values)[at];
      const Evaluation& after = (*values)[++at];
      const auto player =
          static_cast<std::size_t>(unit) *
              static_cast<std::size_t>(samples.num_options - 1) +
          static_cast<std::size_t>(taken[static_cast<std::size_t>(unit)]++);
      samples.increases[m * players + player] = after.loss - before.loss;
      for (std::size_t w = 0; w < windows; ++w) {
        window_sums[player][w] += (after.window_nll[w] - before.window_nll[w]) /
                                  static_cast<double>(orders.size());
      }
    }
  }
  samples.base_loss = values->front().loss;
  samples.lowest_loss = values->back().loss;
  SummariseRows(samples);
  for (const std::vector<double>& sums : window_sums) {
    samples.data_error.push_back(
        EstimateRatio(sums, game.window_tokens()).standard_error);
  }
  return samples;
}

}  // namespace bitpact
