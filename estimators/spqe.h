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
//   the low format (EstimateOptions::sign_as_printed brings it back).
// * Orders come in antithetic pairs (an order and its reverse): in a game with
//   pair interactions only, one pair gives the exact Shapley values.
// * More than two options: a player is a step (unit, s) from option s-1 to s,
//   and the steps of a unit are taken in order. An order is a random
//   arrangement in which every unit occurs num_options - 1 times. With two
//   options this is the paper's game.
// * kPerWindow: every calibration window is walked by orders of its own. The
//   value is linear in the loss, so the mean over windows is the Shapley value
//   of the mean loss; the choice of text is the larger noise by far, and this
//   spends no second order on a window before all windows have had one.
// * Small games are enumerated: every coalition once, in one call, so that the
//   game shares prefixes; no error is left but that of the text.
//
// Evaluations: at most permutations * (players - 1) + 2 with shared orders, the
// same at kPerWindow (each on one window only, so `permutations` = 2 costs what
// two shared orders do), num_options^num_units when enumerated.

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "estimators/sensitivity_estimator.h"
#include "estimators/value_function.h"

namespace bitpact {

struct SpqeOptions {
  // Orders in all, or for each window; even, >= 2. More orders shrink the
  // permutation error with 1/sqrt; the paper uses 100 and sees no gain beyond
  // 50.
  int permutations = 12;
  std::uint64_t seed = 1;
  OrderDesign orders = OrderDesign::kShared;
  // See EstimateOptions. Sampling goes in rounds of kPairsInRound pairs, or
  // kWindowsInRound windows in random order, and looks at the rules after each
  // from the second on. With shared orders the error that counts is that of the
  // orders; more orders do not reduce that of the text.
  double stop_error = 0.0;
  int stop_plan = 0;
  const TargetBudget* target = nullptr;  // needed by stop_plan
  int exact_players = 0;

  static constexpr int kPairsInRound = 2;
  static constexpr int kWindowsInRound = 8;
};
Expected<void> Validate(const SpqeOptions& options);
SpqeOptions SpqePart(const EstimateOptions& options);

// D of the paper and what is needed for error bars. Player p is step
// p % (num_options-1) + 1 of unit p / (num_options-1).
struct MarginalSamples {
  int num_units = 0;
  int num_options = 0;
  [[nodiscard]] int num_players() const {
    return num_units * (num_options - 1);
  }
  int permutations = 0;      // rows of `increases`
  double base_loss = 0.0;    // all units at option 0
  double lowest_loss = 0.0;  // all units at the last option
  // [permutations, num_players]: loss increases, nats per token. Every row sums
  // to lowest_loss - base_loss. With shared orders rows 2k and 2k+1 are an
  // antithetic pair. Empty at kPerWindow, where rows would differ by window.
  // When enumerated: 2048 random orders read from the enumerated values.
  std::vector<double> increases;
  // [num_players]: the Shapley values.
  std::vector<double> mean;
  // [num_players]: standard error from the choice of orders (pairs are the
  // independent draws; 0 with one pair and when enumerated) and from the choice
  // of calibration windows (models/perplexity.h, ratio estimate; 0 with one
  // window). At kPerWindow the latter holds both and the former is 0.
  std::vector<double> permutation_error;
  std::vector<double> data_error;
  // "20 of 100 orders: error 1.9% of the values".
  std::string detail;

  // Root sum of squares of all errors over that of the values.
  [[nodiscard]] double RelativeError() const;
};

Expected<MarginalSamples> SampleMarginals(ValueFunction& game,
                                          const SpqeOptions& options);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SPQE_H_
