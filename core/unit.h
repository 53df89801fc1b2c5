// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_UNIT_H_
#define BITPACT_CORE_UNIT_H_

// A unit is what receives one format: a transformer block, a fused group
// (q/k/v or gate/up, which engines multiply at once) or a single matrix.

#include <cstdint>
#include <string>
#include <vector>

#include "core/bit_format.h"

namespace bitpact {

struct UnitMatrix {
  std::string
      tensor;  // name in the checkpoint, "model.layers.0.mlp.up_proj.weight"
  std::int64_t rows = 0;  // outputs
  std::int64_t cols = 0;  // inputs
};

struct Unit {
  std::string name;  // "layers.0", "layers.0.qkv", "layers.0.mlp.up_proj"
  std::vector<UnitMatrix> matrices;  // not empty
};

// A request for a width that each matrix turns into a BitFormat of its own:
// with `fit_group_size`, Quanto's rule (QuantoGroupSize) picks the group size
// for each matrix, otherwise `base.group_size` holds for all.
struct FormatRule {
  BitFormat base;
  bool fit_group_size = false;
};

// The format a matrix with `cols` inputs gets under the rule.
BitFormat FormatFor(const FormatRule& rule, std::int64_t cols);

std::int64_t WeightCount(const Unit& unit);
// Exact bytes of all matrices of the unit.
std::int64_t StoredBytes(const FormatRule& rule, const Unit& unit);

}  // namespace bitpact

#endif  // BITPACT_CORE_UNIT_H_
