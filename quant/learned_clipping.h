// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_LEARNED_CLIPPING_H_
#define BITPACT_QUANT_LEARNED_CLIPPING_H_

// Learned weight clipping: rounding to nearest in a range that is learned for
// every group. OmniQuant (Shao et al., arXiv 2308.13137, section 3.2, eq. 2),
// as HIPR (arXiv 2511.17801, section 3, eq. 13) has it:
//
//   h = (alpha max W - beta min W) / (2^b - 1),  z = -round(beta min W / h)
//   w^ = h (clamp(round(W / h) + z, 0, 2^b - 1) - z)
//
// The derivatives take round() for the identity ("straight through"). With lo =
// beta min W, u = W / h + z before rounding, q the code:
//
//   dw^/dh  = q - z - W / h inside the range; q - r outside, r what rounding z
//             added to -lo / h
//   dw^/dlo = 0 inside; 1 outside
//
// With a float shift r = 0 and z stands for -lo / h; symmetric formats have one
// parameter a group, h = alpha max|W| / (2^(b-1) - 1), and z fixed.
//
// Deviations from OmniQuant:
//   - alpha = sigmoid(a) / sigmoid(4), where a starts at 4: the start is the
//     whole range and thus exactly quant/group_grid.h's rounding to nearest,
//     where sigmoid(4) = 0.982 alone would clip the ends before anything is
//     learned. alpha may grow to 1.018.
//   - A group without 0 between its ends contracts toward the end next to 0,
//     not toward 0, so that its range never turns over.
//   - Scale and shift are rounded to their stored types during learning too, so
//     that what is learned is what is stored.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/adam.h"
#include "quant/group_grid.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"

namespace bitpact {

struct LearnedClippingOptions {
  double learning_rate = 1e-2;  // OmniQuant's for weights; > 0
};

class LearnedClipping {
 public:
  // weight: copied; format: plain. Errors of ValidateQuantizerInput;
  // kUnsupported: a group's scale or shift exceeds its stored type. Memory: 5
  // bytes a weight.
  static Expected<LearnedClipping> Create(
      const MatrixView& weight,
      const BitFormat& format,
      const LearnedClippingOptions& options = {});

  [[nodiscard]] std::int64_t rows() const { return rows_; }

  // The rounded weights, [rows, cols].
  void Weights(std::span<float> out) const;
  // slopes: dL/d(weights), [rows, cols]. -> dL/d(parameters).
  [[nodiscard]] std::vector<float> Gradient(
      std::span<const float> slopes) const;
  // One step of Adam.
  void Step(std::span<const float> slopes);

  // [groups, 2], or [groups] of symmetric formats: a and b of all groups.
  [[nodiscard]] std::span<const float> parameters() const { return learned_; }
  // Back to parameters of before; Adam's memory stays.
  void Restore(std::span<const float> parameters);

  // The original weights, and the grids of the present ranges, a group each.
  [[nodiscard]] MatrixView original() const { return {weights_, rows_, cols_}; }
  [[nodiscard]] std::span<const GroupGrid> grids() const { return grids_; }

  [[nodiscard]] PackedMatrix Pack() const;

 private:
  LearnedClipping(const MatrixView& weight,
                  const BitFormat& format,
                  const LearnedClippingOptions& options);
  // Least and greatest weight of a group, or -max|w| and max|w|.
  struct Range {
    float least = 0.0F;
    float greatest = 0.0F;
    [[nodiscard]] float center() const;
  };
  [[nodiscard]] std::span<const float> Group(std::size_t group) const;
  [[nodiscard]] GroupGrid Grid(std::size_t group) const;
  // Grids and codes of the present parameters.
  void Refresh();

  BitFormat format_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::size_t groups_per_row_ = 1;
  std::size_t group_width_ = 0;
  std::vector<float> weights_;
  std::vector<Range> ranges_;
  std::vector<float> learned_;
  std::vector<GroupGrid> grids_;
  std::vector<std::uint8_t> codes_;
  Adam adam_;
};

}  // namespace bitpact

#endif  // BITPACT_QUANT_LEARNED_CLIPPING_H_
