// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_MODELS_ROW_SCORES_H_
#define BITPACT_MODELS_ROW_SCORES_H_

// The scores that rank the output rows of a model's matrices
// (quant/row_ranking.h), measured once on the full-precision model: an
// allocation's candidates and the quantized model in the end then agree on
// which rows are high, whatever else is quantized.

#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "models/model.h"
#include "models/token_set.h"
#include "quant/quantizer.h"

namespace bitpact {

// A matrix, by place in a WeightSet, and the format it will be stored in.
struct PlacedFormat {
  int place = 0;
  BitFormat format;
};

class RowScores {
 public:
  // None: of formats that are no row mixes.
  RowScores() = default;

  // Scores for the row mixes among `wanted`; without any, nothing is done.
  // kInvalidArgument: tokens is null; errors of Model::Load, Calibration,
  // BackpropagateWindows and of rounding (the tensor is named). Deterministic
  // for any number of threads.
  //
  // Cost: "error" one forward pass with Hessians and rows * cols^2 a matrix;
  // "fisher" one reverse pass; "gradient-error" both. Memory: theirs
  // (models/calibration.h, models/gradient_statistics.h), 8 bytes a row, and
  // the whole model in float32 while it works when `model` left its matrices on
  // the disk.
  static Expected<RowScores> Measure(const Model& model,
                                     std::span<const PlacedFormat> wanted,
                                     RowRanking ranking,
                                     const TokenSet* tokens);
  // As the quantizer ranks; kUnsupported: it makes no row mixes.
  static Expected<RowScores> Measure(const Model& model,
                                     std::span<const PlacedFormat> wanted,
                                     const Quantizer& quantizer,
                                     const TokenSet* tokens);

  // [rows]; empty unless the format is a row mix that was measured.
  [[nodiscard]] std::span<const double> Of(int place,
                                           const BitFormat& format) const;

 private:
  // By place and the low rows' format.
  using Key = std::pair<int, BitFormat>;
  Expected<void> AddEnergies(const Model& model, const TokenSet& tokens);
  Expected<void> AddGradients(const Model& model,
                              const TokenSet& tokens,
                              RowRanking ranking);
  std::map<Key, std::vector<double>> scores_;
};

}  // namespace bitpact

#endif  // BITPACT_MODELS_ROW_SCORES_H_
