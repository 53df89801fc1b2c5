// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_QUANTIZED_VARIANTS_H_
#define BITPACT_ESTIMATORS_QUANTIZED_VARIANTS_H_

// Every matrix of every unit in every candidate format, and what the format
// does to its weights: the errors that metrics without evaluations weigh.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/error.h"
#include "estimators/sensitivity_estimator.h"
#include "models/model.h"
#include "quant/packed_matrix.h"

namespace bitpact {

class RowScores;

// One matrix of a unit.
struct VariantMatrix {
  std::size_t unit = 0;
  int place = 0;  // in a WeightSet
  std::int64_t rows = 0;
  std::int64_t cols = 0;

  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(rows * cols);
  }
  [[nodiscard]] int layer() const { return place / kLinearsPerBlock; }
};

class QuantizedVariants {
 public:
  // Quantizes all of them, spread over threads. A quantizer that needs Hessians
  // gets those of the full-precision model, as in the game
  // (estimators/model_game.h), and row mixes its row scores
  // (models/row_scores.h). Errors: of RowScores::Measure, of WeightIndices, of
  // the quantizer (the tensor is named), of Calibration. Memory: all packed
  // variants. The model must outlive this object.
  static Expected<QuantizedVariants> Make(const ModelEvidence& evidence);

  // Unit by unit, in the order of Unit::matrices.
  [[nodiscard]] const std::vector<VariantMatrix>& matrices() const {
    return matrices_;
  }
  [[nodiscard]] std::size_t num_units() const { return num_units_; }
  [[nodiscard]] std::size_t num_options() const { return num_options_; }
  // Index of the matrix at a place; matrices().size() when no unit owns it.
  [[nodiscard]] std::size_t MatrixAt(std::size_t place) const;

  // error = stored - full precision, [rows, cols]. O(rows * cols); thread-safe.
  void WeightError(std::size_t matrix,
                   std::size_t option,
                   std::span<float> error) const;

 private:
  QuantizedVariants() = default;
  struct Job;
  Expected<void> Quantize(std::span<const Job> jobs,
                          const ModelEvidence& evidence,
                          const RowScores& row_scores,
                          std::span<const float> hessian);

  const Model* model_ = nullptr;
  std::size_t num_units_ = 0;
  std::size_t num_options_ = 0;
  std::vector<VariantMatrix> matrices_;
  std::vector<std::size_t> at_place_;
  // [matrix][option]
  std::vector<std::vector<PackedMatrix>> packed_;
};

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_QUANTIZED_VARIANTS_H_
