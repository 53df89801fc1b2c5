// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_LEARNED_MATRIX_H_
#define BITPACT_QUANT_LEARNED_MATRIX_H_

// A matrix whose stored form is learned, HIPR's way (arXiv 2511.17801, section
// 3, "hybrid"): the high rows of a row mix by learned rounding
// (quant/learned_rounding.h), all other rows by learned clipping
// (quant/learned_clipping.h). Rows of a plain format are low rows. Float16 rows
// are rounded once; nothing of them is learned.
//
// Beyond the paper, RoundedRows::kAll: after a share of the steps the ranges of
// the low rows stay as learned, and these rows too go on by learned rounding,
// with its own warm-up. Rounding to nearest, which starts that, is what was
// there before.
//
// At the start both kinds of rows, rounded, are what rounding to nearest makes
// of them (weights in the middle between two values aside).

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/learned_clipping.h"
#include "quant/learned_rounding.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"

namespace bitpact {

enum class RoundedRows : std::uint8_t { kHigh, kAll };

struct LearningOptions {
  LearnedRoundingOptions rounding;
  LearnedClippingOptions clipping;
  RoundedRows rounded = RoundedRows::kHigh;
  // kAll: of the steps, those that learn ranges, in (0, 1).
  double clipping_share = 0.5;
};

// kInvalidArgument names the field, its value and the rule.
Expected<void> Validate(const LearningOptions& options);

class LearnedMatrix {
 public:
  // weight: copied; row_scores: [rows] for a row mix (quant/row_ranking.h).
  // Errors of RowMixQuantizer and of the two techniques. Memory: about 25 bytes
  // a weight.
  static Expected<LearnedMatrix> Create(const MatrixView& weight,
                                        const BitFormat& format,
                                        std::span<const double> row_scores,
                                        const LearningOptions& options = {});

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t cols() const { return cols_; }

  // How many have learned rounding, before the last step is done.
  [[nodiscard]] std::int64_t rounded_weights() const;

  // What the loss sees during learning, and what will be stored: [rows, cols].
  void SoftWeights(std::span<float> out) const;
  void HardWeights(std::span<float> out) const;

  // One step. slopes: dL/d(soft weights), [rows, cols]; progress: the share of
  // steps done, never less than before.
  void Step(std::span<const float> slopes, double progress);

  // Everything learned, to go back to.
  struct State {
    std::vector<float> rounding;
    std::vector<float> clipping;
    std::vector<float> low_rounding;  // empty: not begun
  };
  [[nodiscard]] State Save() const;
  // Learning does not go on from there.
  void Restore(const State& state);

  // The hard weights, to the bit.
  [[nodiscard]] PackedMatrix Pack() const;

 private:
  LearnedMatrix() = default;
  // Ends the learning of ranges.
  void BeginLowRounding();

  LearningOptions options_;
  BitFormat format_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::vector<std::int32_t> high_rows_;
  std::vector<std::int32_t> low_rows_;
  std::vector<float> halves_;  // float16 rows, rounded
  std::optional<LearnedRounding> high_;
  std::optional<LearnedClipping> low_;
  std::optional<LearnedRounding> low_rounding_;  // on low_'s grids
};

}  // namespace bitpact

#endif  // BITPACT_QUANT_LEARNED_MATRIX_H_
