// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_BAQ_QUANTIZER_H_
#define BITPACT_QUANT_BAQ_QUANTIZER_H_

// BAQ (quant/baq_theory.h) as a quantizer: GPTQ whose columns have as many
// levels as they deserve. It makes formats of mixed columns, and no others.
//
// kScaled, the exact form. Column j's cost at n levels is first taken to be
//   pivot_j * E_j * D(n),
// E_j the squared weights of the column and D(n) what n evenly spaced values
// leave of a normal number's square (quant/column_layout.h): c_j 2^(-2R) of the
// theory with the true curve in place of 2^(-2R), which is wrong where it
// matters here, below three bits, and knows no column without bits. Two things
// are still wrong with it: a column of few rows is no normal sample, and error
// feedback moves columns before it is their turn. With a second pass the matrix
// is rounded again, with levels by pivot_j times the squared errors that the
// pass before has met in each column at every number of levels. That lowers the
// layer error (docs/baq.md says how much, and what of it reaches perplexity).
// Levels are chosen so that the stored bytes are the format's
// (quant/baq_allocation.h).
//
// kRange, the form of the paper's released code: ranges of rows from the
// original weights, and levels that somebody has computed from the column
// losses of a first pass (models/baq_paper.h).
//
// Deviations from the released code, both forms: a column of inputs that were
// never seen counts with what damping alone gives it (there: with nothing, and
// its weights become 0); losses and levels are kept in original column order,
// whatever the order of rounding (there each pass has its own order, and the
// second reads the first's losses by position).

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "quant/quantizer.h"

namespace bitpact {

// What became of one matrix. Vectors are [cols], in original order.
struct BaqOutcome {
  std::string tensor;
  BitFormat format;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<int> levels;
  std::vector<double> sensitivities;  // c_j of the theory
  std::vector<double> losses;         // layer error by columns
  // PredictedGain of the sensitivities.
  double predicted_gain = 1.0;
  // kScaled: pivot_j * E_j; kRange: the sensitivities.
  std::vector<double> weights;
  // PredictedGain of the weights.
  double weighted_gain = 1.0;
  // kScaled: the costs that the levels were chosen by, summed, relative to
  // those of columns alike at equal bytes: with whole levels, stored bits and
  // in the last pass measured errors.
  double expected_gain = 1.0;
  double loss = 0.0;  // sum of `losses`
  // The same at equal bytes and with the same grids when all columns count
  // alike; 0 when not asked for.
  double uniform_loss = 0.0;
  double reported_rate = 0.0;     // mean log2 of the levels
  std::int64_t code_bytes = 0;    // of the streams
  std::int64_t unused_bytes = 0;  // padding at the end
  std::int64_t stored_bytes = 0;  // everything
  [[nodiscard]] double stored_rate() const {
    return 8.0 * static_cast<double>(stored_bytes) /
           static_cast<double>(rows * cols);
  }
  // loss / uniform_loss; 1 where that is 0.
  [[nodiscard]] double measured_gain() const {
    return uniform_loss > 0.0 ? loss / uniform_loss : 1.0;
  }
};

struct BaqOptions {
  double damping = 0.01;         // as GptqOptions
  bool activation_order = true;  // as GptqOptions
  // kScaled: whether columns count by their sensitivity, or all alike in one
  // pass (to see what the allocation gains).
  bool by_sensitivity = true;
  // kRange: the levels of a matrix, [cols], each 1..256.
  std::function<Expected<std::vector<int>>(const std::string& tensor,
                                           std::int64_t cols)>
      range_levels = {};
  // kScaled: how often a matrix is rounded, 1..8. Of the first pass levels are
  // chosen by the formula, of later ones by the errors that the pass before has
  // met; the pass that loses least is kept. Each after the first takes as long
  // as the first and about 500 operations a weight.
  int passes = 1;
  // Called for each matrix, one at a time, in any order.
  std::function<void(const BaqOutcome&)> on_matrix = {};
  // Fill BaqOutcome::uniform_loss: doubles the time.
  bool compare_uniform = false;
};
Expected<void> Validate(const BaqOptions& options);

// Named "baq". Quantize's errors besides Quantizer::Quantize's: those of
// FactorHessian; kInvalidArgument: no Hessian or one of another size, a rate
// that does not hold the levels of kRange; kUnsupported: another format, or
// kRange without range_levels. passes * rows * cols^2 / 2 + cols^3 / 6
// multiplications and additions; memory: 9 bytes a weight and 4 * cols^2.
std::unique_ptr<Quantizer> MakeBaqQuantizer(const BaqOptions& options = {});

}  // namespace bitpact

#endif  // BITPACT_QUANT_BAQ_QUANTIZER_H_
