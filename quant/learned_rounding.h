// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_LEARNED_ROUNDING_H_
#define BITPACT_QUANT_LEARNED_ROUNDING_H_

// Learned rounding: every weight is rounded down or up, as a loss wants it.
// AdaRound (Nagel et al., "Up or Down? Adaptive Rounding for Post-Training
// Quantization", ICML 2020, section 3.3), as HIPR (arXiv 2511.17801, section 3,
// eqs. 10-12) has it:
//
//   w~ = s (clip(floor(W / s + z) + V, 0, 2^b - 1) - z)
//   V  = clip(1.2 sigmoid(nu) - 0.1, 0, 1)
//   penalty = weight * sum of 1 - |2 V - 1|^gamma
//
// with the grids of rounding to nearest (quant/group_grid.h), or other ones
// that are given. nu starts where w~ is the weight itself, or the grid's end if
// the weight is beyond it. The penalty is left out during the warm-up; then
// gamma falls linearly, and pushes V to 0 or 1. In the end V >= 1/2 rounds up.
//
// HIPR prints gamma from 20 to 2, Adam with rate 1e-3 and L2 1e-5; weight, V's
// form and the warm-up it leaves open: those here are the usual ones of
// AdaRound (MQBench).

#include <cstdint>
#include <span>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/adam.h"
#include "quant/group_grid.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"

namespace bitpact {

struct LearnedRoundingOptions {
  double learning_rate = 1e-3;   // > 0
  double l2 = 1e-5;              // >= 0, on nu
  double penalty = 0.01;         // >= 0
  double warm_up = 0.2;          // share of the steps, 0..1
  double first_exponent = 20.0;  // > 0
  double last_exponent = 2.0;    // > 0
};

class LearnedRounding {
 public:
  // weight: [rows, cols]; format: plain. Errors of ValidateQuantizerInput;
  // kUnsupported: a group's scale or shift exceeds its stored type. Memory: 17
  // bytes a weight.
  static Expected<LearnedRounding> Create(
      const MatrixView& weight,
      const BitFormat& format,
      const LearnedRoundingOptions& options = {});
  // The same on grids of one's own, one a group, all of stored types.
  static Expected<LearnedRounding> CreateOn(
      std::span<const GroupGrid> grids,
      const MatrixView& weight,
      const BitFormat& format,
      const LearnedRoundingOptions& options = {});

  [[nodiscard]] std::int64_t rows() const { return rows_; }

  // w~, or the rounded weights in the end: [rows, cols].
  void SoftWeights(std::span<float> out) const;
  void HardWeights(std::span<float> out) const;

  // slopes: dL/dw~, [rows, cols]; progress: the share of steps done, 0..1.
  // -> d(L + penalty)/d(nu).
  [[nodiscard]] std::vector<float> Gradient(std::span<const float> slopes,
                                            double progress) const;
  [[nodiscard]] double Penalty(double progress) const;
  // One step of Adam.
  void Step(std::span<const float> slopes, double progress);

  // nu, [rows, cols].
  [[nodiscard]] std::span<const float> parameters() const { return learned_; }
  // Back to parameters of before; Adam's memory stays.
  void Restore(std::span<const float> parameters);

  // The rounded weights.
  [[nodiscard]] PackedMatrix Pack() const;

 private:
  LearnedRounding(std::vector<GroupGrid> grids,
                  const MatrixView& weight,
                  const BitFormat& format,
                  const LearnedRoundingOptions& options);
  [[nodiscard]] const GroupGrid& GridOf(std::size_t index) const {
    const std::size_t cols = static_cast<std::size_t>(cols_);
    return grids_[index / cols * groups_per_row_ + index % cols / group_width_];
  }
  [[nodiscard]] int HardCode(std::size_t index) const;
  // 0 while the penalty is left out.
  [[nodiscard]] double Exponent(double progress) const;

  BitFormat format_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::size_t groups_per_row_ = 1;
  std::size_t group_width_ = 0;
  LearnedRoundingOptions options_;
  std::vector<GroupGrid> grids_;
  std::vector<std::int16_t> floors_;  // -1..2^b - 1
  std::vector<float> learned_;
  Adam adam_;
};

}  // namespace bitpact

#endif  // BITPACT_QUANT_LEARNED_ROUNDING_H_
