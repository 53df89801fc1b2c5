// SPDX-License-Identifier: Apache-2.0
#include "quant/row_parts.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "quant/half.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

std::vector<std::int32_t> OtherRows(std::span<const std::int32_t> some,
                                    std::int64_t rows) {
  std::vector<std::int32_t> others;
  std::size_t next = 0;
  for (std::int32_t row = 0; row < rows; ++row) {
    if (next < some.size() && some[next] == row) {
      ++next;
    } else {
      others.push_back(row);
    }
  }
  return others;
}

Expected<void> CheckHalfRange(std::span<const float> dense,
                              std::span<const std::int32_t> rows,
                              std::int64_t cols) {
  for (std::size_t i = 0; i < dense.size(); ++i) {
    if (std::isfinite(RoundToHalf(dense[i]))) continue;
    return Fail(ErrorCode::kUnsupported,
                "weight at row " + std::to_string(rows[i / Size(cols)]) +
                    ", column " + std::to_string(i % Size(cols)) + " is " +
                    std::to_string(dense[i]) +
                    ", more than float16 holds (65504)");
  }
  return {};
}

}  // namespace

Expected<SplitWeights> SplitRows(const MatrixView& weight,
                                 const BitFormat& format,
                                 std::span<const double> row_scores) {
  if (const auto valid = Validate(format); !valid) {
    return tl::unexpected(valid.error());
  }
  if (const auto valid = ValidateQuantizerInput(weight, LowFormat(format));
      !valid) {
    return tl::unexpected(valid.error());
  }
  SplitWeights split;
  if (format.row_mix()) {
    if (std::ssize(row_scores) != weight.rows) {
      return InvalidArgument(FormatName(format) +
                             " needs a score for each of " +
                             std::to_string(weight.rows) + " rows, there are " +
                             std::to_string(row_scores.size()));
    }
    split.high_rows = BestRows(row_scores, HighRows(format, weight.rows));
  }
  split.low_rows = OtherRows(split.high_rows, weight.rows);
  split.high = GatherRows(weight, split.high_rows);
  split.low = GatherRows(weight, split.low_rows);
  if (format.high_bits == kFloat16Bits) {
    const auto fits = CheckHalfRange(split.high, split.high_rows, weight.cols);
    if (!fits) return tl::unexpected(fits.error());
  }
  return split;
}

std::vector<float> GatherRows(const MatrixView& weight,
                              std::span<const std::int32_t> rows) {
  std::vector<float> gathered;
  gathered.reserve(rows.size() * Size(weight.cols));
  for (const std::int32_t row : rows) {
    const auto from =
        weight.data.subspan(Size(row * weight.cols), Size(weight.cols));
    gathered.insert(gathered.end(), from.begin(), from.end());
  }
  return gathered;
}

void ScatterRows(std::span<const float> from,
                 std::span<const std::int32_t> rows,
                 std::int64_t cols,
                 std::span<float> to) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::ranges::copy(from.subspan(i * Size(cols), Size(cols)),
                      to.begin() + static_cast<std::ptrdiff_t>(rows[i]) * cols);
  }
}

Error AmongRows(const char* which, Error error) {
  error.message = std::string("among the ") + which +
                  " rows, counted by themselves: " + error.message;
  return error;
}

}  // namespace bitpact
