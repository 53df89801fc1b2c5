// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_ROW_PARTS_H_
#define BITPACT_QUANT_ROW_PARTS_H_

// The weights of a row mix's two kinds of rows, taken apart: what makers of row
// mixes (quant/row_matrix.h) share.

#include <cstdint>
#include <span>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/quantizer.h"

namespace bitpact {

struct SplitWeights {
  // Ascending; together all rows.
  std::vector<std::int32_t> high_rows;
  std::vector<std::int32_t> low_rows;
  // [high rows, cols] and [low rows, cols].
  std::vector<float> high;
  std::vector<float> low;
};

// row_scores: [rows] for a row mix; the rows of other formats are low.
// kInvalidArgument: a broken format, a weight that is not finite, scores that
// are not one a row; kUnsupported: mixed columns, a weight beyond float16's
// range in a float16 row (row and column are named).
Expected<SplitWeights> SplitRows(const MatrixView& weight,
                                 const BitFormat& format,
                                 std::span<const double> row_scores);

// The rows one behind the other: [rows.size(), cols].
std::vector<float> GatherRows(const MatrixView& weight,
                              std::span<const std::int32_t> rows);
// The other way round.
void ScatterRows(std::span<const float> from,
                 std::span<const std::int32_t> rows,
                 std::int64_t cols,
                 std::span<float> to);

// `error` of something that saw one kind of rows only; which: "high", "low".
Error AmongRows(const char* which, Error error);

}  // namespace bitpact

#endif  // BITPACT_QUANT_ROW_PARTS_H_
