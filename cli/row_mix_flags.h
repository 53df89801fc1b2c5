// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_ROW_MIX_FLAGS_H_
#define BITPACT_CLI_ROW_MIX_FLAGS_H_

// Flags about matrices whose rows have two widths (quant/row_matrix.h).

#include <optional>

#include "CLI/CLI.hpp"
#include "core/allocation_plan.h"
#include "core/bit_format.h"
#include "core/error.h"
#include "quant/quantizer.h"

namespace bitpact {

// --row-ranking
void AddRowRankingFlag(CLI::App& app, QuantizerOptions& options);

// --high-bits --high-rows: the same share of high rows in every matrix.
struct RowMixFlags {
  std::optional<int> bits;
  std::optional<double> rows;

  [[nodiscard]] bool given() const { return bits || rows; }
};
void AddRowMixFlags(CLI::App& app, RowMixFlags& flags);

// The plain format with the flags' high rows; itself without flags.
// kInvalidArgument: one flag without the other, a share outside of 0..1 or
// with more than four digits, or what Validate says of the format.
Expected<BitFormat> WithHighRows(const BitFormat& plain,
                                 const RowMixFlags& flags);

// Whether calibration text is needed to rank rows.
bool HasRowMix(const AllocationPlan& plan);

}  // namespace bitpact

#endif  // BITPACT_CLI_ROW_MIX_FLAGS_H_
