// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_UNIT_VARIANTS_H_
#define BITPACT_ESTIMATORS_UNIT_VARIANTS_H_

// Every unit of a model quantized once in every candidate format, and where in
// the forward pass its matrices lie. Memory: all packed variants; bytes() says
// how much.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/error.h"
#include "core/unit.h"
#include "models/model.h"
#include "models/token_set.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"

namespace bitpact {

// A block runs in four stages, cut where its linear layers change their input
// (Transformer::RunAttention and so on). Stage s of block l has the number
// l * kStagesPerBlock + s.
inline constexpr int kStagesPerBlock = 4;

class UnitVariants {
 public:
  // A quantizer that needs Hessians gets those of these tokens in full
  // precision: the variants of a unit cannot depend on what the other units
  // will be. The same tokens rank the rows of row mixes (models/row_scores.h).
  // Work is spread over threads. Errors are those of WeightIndices and of the
  // quantizer; a matrix that belongs to two units, or a unit that spans two
  // blocks, is kInvalidArgument. Only the variants are kept.
  static Expected<UnitVariants> Create(const Model& model,
                                       const std::vector<Unit>& units,
                                       const std::vector<FormatRule>& formats,
                                       const Quantizer& quantizer,
                                       const TokenSet& tokens);

  [[nodiscard]] int num_units() const {
    return static_cast<int>(places_.size());
  }
  [[nodiscard]] int num_options() const {
    return static_cast<int>(packed_.size());
  }
  // The first stage that reads a matrix of each unit.
  [[nodiscard]] std::span<const int> first_stages() const { return stages_; }
  // Places in a WeightSet.
  [[nodiscard]] std::span<const int> places(std::size_t unit) const {
    return places_[unit];
  }
  // Not null for the places of a unit.
  [[nodiscard]] const PackedMatrix* packed(int option, int place) const {
    return packed_[static_cast<std::size_t>(option)]
                  [static_cast<std::size_t>(place)]
                      .get();
  }
  [[nodiscard]] std::int64_t bytes() const;

 private:
  struct Variant;
  struct Sources;
  Expected<void> AddUnit(const Model& model, const Unit& unit);
  Expected<void> QuantizeAll(const Model& model,
                             const std::vector<Variant>& all,
                             const Quantizer& quantizer,
                             const TokenSet& tokens);
  Expected<void> QuantizeSome(const Model& model,
                              const std::vector<Variant>& variants,
                              const Sources& from);

  std::vector<std::vector<int>> places_;
  std::vector<int> stages_;
  // [option][place]: null where no unit owns the place.
  std::vector<std::vector<std::shared_ptr<const PackedMatrix>>> packed_;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_UNIT_VARIANTS_H_
