// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_RATIO_PLANS_H_
#define BITPACT_CLI_RATIO_PLANS_H_

// Plans whose matrices store a share of their rows wider (quant/row_matrix.h),
// within a number of bytes: what HIPR's allocation is compared with, and its
// continuous form. Units hold one matrix each.

#include <cstdint>
#include <string>
#include <vector>

#include "core/allocation_plan.h"
#include "core/error.h"
#include "core/unit.h"
#include "estimators/surrogate.h"

namespace bitpact {

// What all plans of a run share.
struct RatioSetting {
  std::vector<Unit> units;
  FormatRule narrow;  // of the other rows
  int high_bits = 3;
  std::string quantizer;
};

// kInvalidArgument names the flag: ratios that are not ascending, outside of
// 0..1, finer than 1/10000, or fewer than two.
Expected<void> ValidateRatios(const std::vector<double>& ratios);

// The narrow format with this share of rows at `high_bits`, in units of
// 1/10000.
FormatRule RatioFormat(const RatioSetting& setting,
                       int high_bits,
                       int ratio_e4);

// The greatest ratio, the same for all matrices, that keeps the limit; nothing
// wide where none does. O(units * log).
AllocationPlan UniformRatioPlan(const RatioSetting& setting,
                                int high_bits,
                                std::int64_t byte_limit);

struct ContinuousPlan {
  AllocationPlan plan;
  double objective = 0.0;  // of the ratios before rounding
  double bound = 0.0;      // of the fitted function, for any ratios
  double shift = 0.0;      // added to make it convex; 0: it is
};

// Fits the surrogate by a quadratic function of the ratios
// (estimators/continuous_ratios.h), minimises it and rounds to whole rows
// (solvers/box_programme.h). ratios: of the surrogate's options, in its order.
// Errors are theirs.
Expected<ContinuousPlan> MakeContinuousPlan(const RatioSetting& setting,
                                            const Surrogate& surrogate,
                                            const std::vector<double>& ratios,
                                            std::int64_t byte_limit);

}  // namespace bitpact

#endif  // BITPACT_CLI_RATIO_PLANS_H_
