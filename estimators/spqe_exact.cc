// SPDX-License-Identifier: Apache-2.0
// Small games: every coalition is evaluated, in one call so that the game walks
// its prefixes depth first, and the mean over ALL orders is a weighted sum.
//
// With x the options so far, k = sum x, S = num_options - 1 steps a unit and K
// = n S in all, a random arrangement passes through x with probability
//   P(x) = multinomial(k; x) multinomial(K-k; S-x) / multinomial(K; S,...,S)
// and then lowers unit u with probability (S - x_u) / (K - k). So
//   phi(u, s) = sum over x with x_u = s-1 of P(x) (S - x_u)/(K - k)
//               (v(x + e_u) - v(x)),
// which is the textbook formula when S = 1.

#include <algorithm>
#include <cmath>

#include "estimators/spqe_parts.h"
#include "models/perplexity.h"

namespace bitpact {
namespace {

constexpr int kCovarianceOrders = 2048;

// Assignments as numbers in base num_options, unit 0 the lowest digit.
class States {
 public:
  explicit States(const ValueFunction& game)
      : units_(static_cast<std::size_t>(game.num_units())),
        options_(static_cast<std::size_t>(game.num_options())) {
    for (std::size_t u = 0, place = 1; u <= units_; ++u, place *= options_) {
      place_.push_back(place);
    }
  }
  [[nodiscard]] std::size_t count() const { return place_.back(); }
  [[nodiscard]] std::size_t units() const { return units_; }
  [[nodiscard]] std::size_t place(std::size_t unit) const {
    return place_[unit];
  }
  [[nodiscard]] FormatAssignment Assignment(std::size_t state) const {
    FormatAssignment assignment;
    for (std::size_t u = 0; u < units_; ++u, state /= options_) {
      assignment.push_back(static_cast<int>(state % options_));
    }
    return assignment;
  }

 private:
  std::size_t units_;
  std::size_t options_;
  std::vector<std::size_t> place_;
};

double LogFactorial(int n) { return std::lgamma(n + 1.0); }

// log P(x)
double LogPassing(const FormatAssignment& x, int steps) {
  const int total = steps * static_cast<int>(x.size());
  int taken = 0;
  double log = -LogFactorial(total);
  for (const int option : x) {
    taken += option;
    log += LogFactorial(steps) - LogFactorial(option) -
           LogFactorial(steps - option);
  }
  return log + LogFactorial(taken) + LogFactorial(total - taken);
}

// Sums over all orders: samples.mean and data_error.
void WeighAll(const States& states,
              const std::vector<Evaluation>& values,
              std::span<const double> tokens,
              MarginalSamples& samples) {
  const int steps = samples.num_options - 1;
  const auto players = static_cast<std::size_t>(samples.num_players());
  std::vector<std::vector<double>> sums(
      players, std::vector<double>(tokens.size(), 0.0));
  for (std::size_t state = 0; state + 1 < states.count(); ++state) {
    const FormatAssignment x = states.Assignment(state);
    int left = samples.num_players();
    for (const int option : x) left -= option;
    const double passing = std::exp(LogPassing(x, steps));
    for (std::size_t u = 0; u < x.size(); ++u) {
      if (x[u] == steps) continue;
      const double weight = passing * (steps - x[u]) / left;
      const Evaluation& before = values[state];
      const Evaluation& after = values[state + states.place(u)];
      std::vector<double>& sum = sums[u * static_cast<std::size_t>(steps) +
                                      static_cast<std::size_t>(x[u])];
      for (std::size_t w = 0; w < tokens.size(); ++w) {
        sum[w] += weight * (after.window_loss[w] - before.window_loss[w]);
      }
    }
  }
  for (const std::vector<double>& sum : sums) {
    const RatioEstimate value = EstimateRatio(sum, tokens);
    samples.mean.push_back(value.mean);
    samples.data_error.push_back(value.standard_error);
  }
  samples.permutation_error.assign(players, 0.0);
}

}  // namespace

Expected<MarginalSamples> EnumerateMarginals(ValueFunction& game,
                                             const SpqeOptions& options) {
  const States states(game);
  std::vector<FormatAssignment> all;
  for (std::size_t state = 0; state < states.count(); ++state) {
    all.push_back(states.Assignment(state));
  }
  const auto values = game.Evaluate(all);
  if (!values) return tl::unexpected(values.error());
  MarginalSamples samples;
  samples.num_units = game.num_units();
  samples.num_options = game.num_options();
  samples.base_loss = values->front().loss;
  samples.lowest_loss = values->back().loss;
  WeighAll(states, *values, game.window_tokens(), samples);
  // Rows for whoever needs the spread over orders.
  samples.permutations = kCovarianceOrders;
  const auto players = static_cast<std::size_t>(samples.num_players());
  samples.increases.resize(kCovarianceOrders * players);
  std::vector<int> order;
  for (int row = 0; row < kCovarianceOrders; ++row) {
    if (row % 2 == 0) {
      RandomStream random(options.seed,
                          "spqe/permutation",
                          static_cast<std::uint64_t>(row / 2));
      order = DrawOrder(game, random);
    } else {
      std::reverse(order.begin(), order.end());
    }
    const std::vector<int> steps =
        PlayersOf(order, samples.num_units, samples.num_options);
    std::size_t state = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t next =
          state + states.place(static_cast<std::size_t>(order[i]));
      samples.increases[static_cast<std::size_t>(row) * players +
                        static_cast<std::size_t>(steps[i])] =
          (*values)[next].loss - (*values)[state].loss;
      state = next;
    }
  }
  samples.detail = "all " + std::to_string(states.count()) +
                   " coalitions, every order counted";
  return samples;
}

}  // namespace bitpact
