// SPDX-License-Identifier: Apache-2.0
// Orders that are all played on all windows: the paper's design.

#include <algorithm>
#include <cmath>

#include "estimators/spqe_parts.h"
#include "models/perplexity.h"

namespace bitpact {
namespace {

// Adds rows for the orders; window_sums [player][window] grows by their
// increases.
Expected<void> PlayOrders(ValueFunction& game,
                          const std::vector<std::vector<int>>& orders,
                          MarginalSamples& samples,
                          std::vector<std::vector<double>>& window_sums) {
  std::vector<FormatAssignment> coalitions;
  for (const std::vector<int>& order : orders) {
    const auto path = CoalitionsOf(order, samples.num_units);
    coalitions.insert(coalitions.end(), path.begin(), path.end());
  }
  const auto values = game.Evaluate(coalitions);
  if (!values) return tl::unexpected(values.error());
  const auto players = static_cast<std::size_t>(samples.num_players());
  std::size_t at = 0;
  for (const std::vector<int>& order : orders) {
    const std::size_t row = samples.increases.size();
    samples.increases.resize(row + players);
    for (const int step :
         PlayersOf(order, samples.num_units, samples.num_options)) {
      const auto player = static_cast<std::size_t>(step);
      const Evaluation& before = (*values)[at];
      const Evaluation& after = (*values)[++at];
      samples.increases[row + player] = after.loss - before.loss;
      for (std::size_t w = 0; w < window_sums[player].size(); ++w) {
        window_sums[player][w] += after.window_loss[w] - before.window_loss[w];
      }
    }
    ++at;
  }
  samples.permutations += static_cast<int>(orders.size());
  samples.base_loss = values->front().loss;
  samples.lowest_loss = values->back().loss;
  return {};
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

Expected<MarginalSamples> SampleSharedOrders(ValueFunction& game,
                                             const SpqeOptions& options) {
  MarginalSamples samples;
  samples.num_units = game.num_units();
  samples.num_options = game.num_options();
  std::vector<std::vector<double>> window_sums(
      static_cast<std::size_t>(samples.num_players()),
      std::vector<double>(game.window_tokens().size(), 0.0));
  const bool in_rounds = options.stop_error > 0.0 || options.stop_plan > 0;
  const int pairs = options.permutations / 2;
  StopRule rule(options);
  for (int pair = 0; pair < pairs;) {
    const int end =
        in_rounds ? std::min(pairs, pair + SpqeOptions::kPairsInRound) : pairs;
    std::vector<std::vector<int>> orders;
    for (; pair < end; ++pair) {
      RandomStream random(
          options.seed, "spqe/permutation", static_cast<std::uint64_t>(pair));
      std::vector<int> order = DrawOrder(game, random);
      orders.push_back(order);
      std::reverse(order.begin(), order.end());
      orders.push_back(std::move(order));
    }
    const auto played = PlayOrders(game, orders, samples, window_sums);
    if (!played) return tl::unexpected(played.error());
    SummariseRows(samples);
    if (in_rounds && rule.Enough(samples)) break;
  }
  for (std::vector<double>& sums : window_sums) {
    for (double& sum : sums) sum /= samples.permutations;
    samples.data_error.push_back(
        EstimateRatio(sums, game.window_tokens()).standard_error);
  }
  samples.detail = std::to_string(samples.permutations) + " of " +
                   std::to_string(options.permutations) + " orders";
  if (!rule.reason().empty()) samples.detail += ": " + rule.reason();
  return samples;
}

}  // namespace bitpact
