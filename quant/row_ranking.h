// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_ROW_RANKING_H_
#define BITPACT_QUANT_ROW_RANKING_H_

// Which output rows of a matrix get the wider codes of a row mix
// (quant/row_matrix.h): those with the highest scores. Three scores, all of the
// full-precision model:
//
//   error           e_r = mean over tokens of (d_r . x)^2, d the row's own
//                   error when rounded to nearest in the low rows' format: what
//                   the row does to the layer's output (quant/error_energy.h)
//   fisher          mean over the row's weights of their squared gradient of
//                   the language-model loss: HIPR (arXiv 2511.17801, section 3,
//                   eq. 4)
//   gradient-error  e_r times the mean squared gradient of the row's output:
//                   the loss increase that a diagonal Fisher of the outputs
//                   predicts
//
// models/row_scores.h measures them.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"

namespace bitpact {

enum class RowRanking : std::uint8_t { kError, kFisher, kGradientError };

// In the order of the enumeration.
std::vector<std::string> RowRankingNames();
std::string RowRankingName(RowRanking ranking);
// kInvalidArgument lists the names.
Expected<RowRanking> ParseRowRanking(const std::string& name);

// e_r of every row. weight: [rows, cols], finite; format: plain; hessian:
// [cols, cols] (quant/hessian.h). Errors: those of rounding to nearest.
// O(rows * cols^2).
Expected<std::vector<double>> RoundingEnergies(std::span<const float> weight,
                                               std::int64_t rows,
                                               std::int64_t cols,
                                               const BitFormat& format,
                                               std::span<const float> hessian);

// The `count` rows with the highest scores, ascending; of equal scores the
// earlier rows. scores: no NaN; 0 <= count <= their number (CHECK).
std::vector<std::int32_t> BestRows(std::span<const double> scores,
                                   std::int64_t count);

}  // namespace bitpact

#endif  // BITPACT_QUANT_ROW_RANKING_H_
