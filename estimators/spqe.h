// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SPQE_H_
#define BITPACT_ESTIMATORS_SPQE_H_

// Shapley-based Progressive Quantization Estimation: CoopQ (arXiv 2509.15455),
// section 3, eqs. 4-6. Starting with every unit at option 0, units are lowered
// one after the other in a random order and the loss increase of each step is
// recorded; the mean over orders is the unit's Shapley value.
//
// Deviations, each on purpose:
// * The recorded number is the loss increase v(after) - v(before). Eq. 5 as
//   printed has the opposite sign, which would put the most sensitive units at
//   the low format.
// * Orders come in antithetic pairs (an order and its reverse): in a game with
//   pair interactions only, one pair gives the exact Shapley values.
// * More than two options: a player is a step (unit, s) from option s-1 to s,
// and
//   the steps of a unit are taken in order. An order is a random arrangement in
//   which every unit occurs num_options - 1 times. With two options this is the
//   paper's game.
//
// All orders are drawn before the first evaluation, so the game can share work.
// Evaluations: at most permutations * (players - 1) + 2.

#include <cstdint>
#include <vector>

#include "core/error.h"
#include "estimators/value_function.h"

namespace bitpact {

struct SpqeOptions {
  // Orders in all; even, >= 2. More orders shrink the permutation error with
  // 1/sqrt; the paper uses 100 and sees no gain beyond 50.
  int permutations = 12;
  std::uint64_t seed = 1;
};
Expected<void> Validate(const SpqeOptions& options);

// D of the paper and what is needed for error bars. Player p is step
// p % (num_options-1) + 1 of unit p / (num_options-1).
struct MarginalSamples {
  int num_units = 0;
  int num_options = 0;
  [[nodiscard]] int num_players() const {
    return num_units * (num_options - 1);
  }
  int permutations = 0;
  double base_loss = 0.0;    // all units at option 0
  double lowest_loss = 0.0;  // all units at the last option
  // [permutations, num_players]: loss increases, nats per token; rows 2k and
  // 2k+1 are an antithetic pair. Every row sums to lowest_loss - base_loss.
  std::vector<double> increases;
  // [num_players]: mean over rows (the Shapley values).
  std::vector<double> mean;
  // [num_players]: standard error from the choice of orders (pairs are the
  // independent draws; 0 with one pair) and from the choice of calibration
  // windows (models/perplexity.h, ratio estimate; 0 with one window).
  std::vector<double> permutation_error;
  std::vector<double> data_error;
};

Expected<MarginalSamples> SampleMarginals(ValueFunction& game,
                                          const SpqeOptions& options);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SPQE_H_
