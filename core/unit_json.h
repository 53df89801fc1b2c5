// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_UNIT_JSON_H_
#define BITPACT_CORE_UNIT_JSON_H_

// Units inside JSON files (plans, sensitivity tables):
//
//   { "name": "layers.0.qkv", ...,
//     "matrices": [{"tensor": "...", "rows": 128, "cols": 128}, ...] }

#include <cstdint>
#include <set>
#include <string>

#include "core/error.h"
#include "core/json_file.h"
#include "core/unit.h"

namespace bitpact {

// The value of "matrices".
Json MatricesToJson(const Unit& unit);

// Reads the units of one file, one after the other, and refuses what they
// cannot be together.
class UnitReader {
 public:
  // kInvalidArgument: a unit without matrices, a shape out of range, a tensor
  // or a name that came before, or more weights in all units than any model has
  // (2^50; sizes of what is accepted fit in 64 bits).
  Expected<Unit> Read(const JsonReader& reader);

 private:
  Expected<UnitMatrix> ReadMatrix(const JsonReader& reader);

  std::set<std::string> names_;
  std::set<std::string> tensors_;
  std::int64_t weights_ = 0;
};

}  // namespace bitpact

#endif  // BITPACT_CORE_UNIT_JSON_H_
