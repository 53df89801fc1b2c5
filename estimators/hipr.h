// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_HIPR_H_
#define BITPACT_ESTIMATORS_HIPR_H_

// The quadratic model of HIPR ("Layer-wise high-impact parameter ratio
// optimization in post-training quantization", arXiv 2511.17801, section 3):
// what it costs to store a share of a matrix's rows wider than the rest. With
// d(S) the loss increase over full precision when the matrices of S are stored
// at their options and all others in full precision,
//
//   cost of option m of matrix l    M_lm,lm / 2 = d({lm})               (eq. 7)
//   pair term                       d({l1 m1, l2 m2}) - d({l1 m1}) - d({l2 m2})
//                                                                       (eq. 8)
//   loss(delta)                     1/2 delta' M delta = their sum
//
// Pairs are measured inside blocks and taken as zero across them, as the paper
// does, or over the whole model.
//
// Deviations: the loss is the language model's (or the divergence from full
// precision), where the paper takes squared errors of unnamed outputs; entries
// of one matrix with itself, which the one-hot rule never reads, are left out.
// A pair may be measured at some options only: the others are interpolated,
// bilinear in sqrt(d({lm})), the size of the error that an option makes. Of a
// Gauss-Newton matrix and errors along one direction that is exact.

#include <cstdint>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/unit.h"
#include "estimators/sensitivity_estimator.h"
#include "estimators/value_function.h"

namespace bitpact {

struct HiprOptions {
  bool pairs_across_blocks = false;
  // Options, without full precision, at which pairs are measured: distinct,
  // from 0; empty: all.
  std::vector<int> pair_options;
};

// What will be asked, before anything is.
struct HiprDesign {
  std::vector<std::pair<int, int>> pairs;  // of units
  std::vector<int> pair_options;           // ascending
  std::int64_t evaluations = 0;
};
// num_options: without full precision. kInvalidArgument: a pair option out of
// range or twice.
Expected<HiprDesign> DesignHipr(const std::vector<Unit>& units,
                                int num_options,
                                const HiprOptions& options);

// Option 0 of the game is full precision, option o >= 1 is number o - 1 of the
// estimate, whose surrogate counts from full precision: `constant` is 0,
// base_loss the loss of full precision, lowest_loss that of all at the last
// option. Asks 2 + units * options + pairs * pair options^2 questions at once,
// so that a game with prefixes shares them. Standard errors of the costs from
// calibration windows. Errors are those of the game.
Expected<Estimate> MeasureHipr(ValueFunction& game, const HiprDesign& design);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_HIPR_H_
