// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_BUDGET_H_
#define BITPACT_CORE_BUDGET_H_

// How large a model may become, as people say it:
//
//   3.0bpw          bits per weight over the allocated units, scales,
//   zero-points
//                   and padding included; what is not allocated (embedding,
//                   head, norms) does not count
//   1.2MB 900KiB    bytes of the whole model: units plus what is kept as it is
//   60%             of the whole model's bytes in the checkpoint
//
// KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024, B is bytes. A budget is
// an inclusive limit.

#include <cstdint>
#include <string>

#include "core/error.h"

namespace bitpact {

enum class BudgetKind : std::uint8_t { kBitsPerWeight, kModelBytes, kShare };

struct Budget {
  BudgetKind kind = BudgetKind::kBitsPerWeight;
  double value = 0.0;  // bits, bytes, or a share of 1; > 0, finite
  std::string text;    // as written
};

// kInvalidArgument quotes the text.
Expected<Budget> ParseBudget(const std::string& text);

// What a budget is measured against.
struct ModelBytes {
  std::int64_t unit_weights = 0;  // weights in all units
  std::int64_t kept = 0;          // bytes of what no unit holds
  std::int64_t stored = 0;        // bytes of the checkpoint's tensors
};

// The most bytes that the units together may take, rounded down; negative when
// the kept part alone is over a budget for the whole model.
std::int64_t UnitByteLimit(const Budget& budget, const ModelBytes& model);

// "91,234".
std::string FormatCount(std::int64_t count);

}  // namespace bitpact

#endif  // BITPACT_CORE_BUDGET_H_
