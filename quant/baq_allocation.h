// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_BAQ_ALLOCATION_H_
#define BITPACT_QUANT_BAQ_ALLOCATION_H_

// Numbers of levels for the columns of one matrix from kLevelCounts
// (quant/column_layout.h), so that the codes fit their bytes and the summed
// cost is least.
//
// Marginal analysis (Fox, "Discrete optimization via marginal analysis",
// Management Science 13(3), 1966): every column starts with one level, and the
// step on the lower convex hull of its costs that saves most a bit is taken
// next, as long as it fits. The saving a bit of the last step taken is the
// Lagrange multiplier; what it bounds is returned beside the cost. Where the
// last steps do not fit, smaller ones behind them and steps beside the hull are
// tried, so bytes are left over only where no single step fits.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/column_layout.h"

namespace bitpact {

// costs[i]: of a column with kLevelCounts[i] levels; finite, >= 0.
using LevelCosts = std::array<double, kLevelCounts.size()>;

struct LevelAllocation {
  std::vector<std::uint8_t> indices;  // into kLevelCounts, one a column
  std::int64_t code_bytes = 0;        // of all streams
  double cost = 0.0;
  // No choice that fits costs less. May be far below where few columns share
  // many bytes.
  double lower_bound = 0.0;
};

// code_bytes >= 0: for all streams together, the padding of each counted.
// O(columns * log columns) for the 16 choices.
LevelAllocation AllocateLevels(std::span<const LevelCosts> costs,
                               std::int64_t rows,
                               std::int64_t code_bytes);

// Bytes of the codes when `counts[i]` columns have kLevelCounts[i] levels.
std::int64_t CodeBytes(
    std::span<const std::int64_t, kLevelCounts.size()> counts,
    std::int64_t rows);

}  // namespace bitpact

#endif  // BITPACT_QUANT_BAQ_ALLOCATION_H_
