// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_ALLOCATION_PLAN_H_
#define BITPACT_CORE_ALLOCATION_PLAN_H_

// The answer: which format every unit gets, with exact bytes. plan.json is what
// quantizers and exporters read; people edit it by hand, so reading checks it.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/unit.h"

namespace bitpact {

struct PlannedUnit {
  Unit unit;
  FormatRule format;
  std::int64_t size_bytes = 0;  // StoredBytes(format, unit)
};

struct AllocationPlan {
  std::vector<PlannedUnit> units;  // in the model's order, names unique
  std::int64_t size_bytes = 0;     // sum over units
  std::int64_t weights = 0;        // sum over units
  std::string quantizer;           // name of the quantizer to make it with
  [[nodiscard]] double bits_per_weight() const {
    return weights == 0 ? 0.0
                        : 8.0 * static_cast<double>(size_bytes) /
                              static_cast<double>(weights);
  }
};

// One format a unit, in the units' order; computes all sizes. CHECKs the
// lengths.
AllocationPlan MakePlan(const std::vector<Unit>& units,
                        const std::vector<FormatRule>& formats,
                        const std::string& quantizer);

// Every unit in the same format.
AllocationPlan MakeUniformPlan(const std::vector<Unit>& units,
                               const FormatRule& format,
                               const std::string& quantizer);

Expected<void> WritePlan(const std::filesystem::path& file,
                         const AllocationPlan& plan,
                         const std::map<std::string, std::string>& inputs);

// kInvalidArgument: a broken format, a duplicate unit or tensor, a stated size
// that is not what the format takes, a shape out of range.
Expected<AllocationPlan> ReadPlan(const std::filesystem::path& file);

}  // namespace bitpact

#endif  // BITPACT_CORE_ALLOCATION_PLAN_H_
