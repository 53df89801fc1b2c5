// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SURROGATE_H_
#define BITPACT_ESTIMATORS_SURROGATE_H_

// What every estimator delivers: a quadratic stand-in for the game,
//
//   loss(x) - loss(all at option 0)  ~  constant + sum_u linear[u][x_u]
//                                       + sum_{u<w} pair[(u, x_u), (w, x_w)]
//
// in nats per predicted token (CoopQ's pair terms are variances, nats squared;
// coopq.h says what that means). Each unordered pair counts once.

#include <cstdint>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/random.h"
#include "estimators/value_function.h"

namespace bitpact {

struct SurrogatePair {
  int unit_a = 0;  // unit_a < unit_b
  int option_a = 0;
  int unit_b = 0;
  int option_b = 0;
  double value = 0.0;
};

struct Surrogate {
  double constant = 0.0;
  // [unit][option]; option 0 is the reference and normally 0.
  std::vector<std::vector<double>> linear;
  // Standard error of each linear entry, same shape; empty when not known.
  std::vector<std::vector<double>> linear_standard_error;
  // Pairs that are not listed are 0.
  std::vector<SurrogatePair> pairs;

  [[nodiscard]] double Predict(std::span<const int> assignment) const;
};

// How the surrogate does on assignments it was not made from. Increases are
// over the loss of the all-0 assignment, nats per token.
struct FitQuality {
  int assignments = 0;  // 0: not measured
  // Spearman's rank correlation of predicted and measured loss increase.
  double rank_correlation = 0.0;
  // Root mean square error, and the standard deviation of the measured
  // increases beside it.
  double rms_error = 0.0;
  double measured_deviation = 0.0;
  // Mean of predicted minus measured.
  double bias = 0.0;
  // 1 - (rms_error / measured_deviation)^2, the bias counted as an error: below
  // 0 when the mean of the measured would predict better. 0 when the measured
  // do not vary.
  [[nodiscard]] double r_squared() const;
};

// From predictions and measurements of the same assignments.
FitQuality CompareWithMeasured(std::span<const double> predicted,
                               std::span<const double> measured);

// Measures `count` assignments drawn by `seed`: a uniformly random number of
// demotions (options lowered by one), each at a uniformly random unit that can
// still be lowered.
Expected<FitQuality> MeasureFit(ValueFunction& game,
                                const Surrogate& surrogate,
                                int count,
                                std::uint64_t seed);

// Measures `count` assignments that fill a budget: [unit][option] bytes; all
// units start at the last option and are raised step by step in random order as
// long as byte_limit holds. kInvalidArgument when the last options do not fit.
Expected<FitQuality> MeasureFitAtBudget(
    ValueFunction& game,
    const Surrogate& surrogate,
    std::span<const std::vector<std::int64_t>> option_bytes,
    std::int64_t byte_limit,
    int count,
    std::uint64_t seed);

// One such assignment. The last options must fit.
FormatAssignment DrawAtBudget(
    std::span<const std::vector<std::int64_t>> option_bytes,
    std::int64_t byte_limit,
    RandomStream& random);

// Spearman's rho with mean ranks for ties; 0 when either side is constant or
// shorter than 2.
double RankCorrelation(std::span<const double> a, std::span<const double> b);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SURROGATE_H_
