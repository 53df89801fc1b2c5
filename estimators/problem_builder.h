// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_PROBLEM_BUILDER_H_
#define BITPACT_ESTIMATORS_PROBLEM_BUILDER_H_

// From measurements to numbers a solver takes: one option a format with its
// exact stored bytes, the surrogate's costs, and one resource row "bytes".
//
// The budget trap of CoopQ: its eq. 14 is a whole footprint, its eq. 12 limits
// the bytes added over all-low. Here the row holds whole footprints on both
// sides, so there is nothing to mix up.

#include <cstdint>
#include <vector>

#include "core/allocation_plan.h"
#include "core/budget.h"
#include "estimators/sensitivity_table.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

// byte_limit: inclusive, for the units together (core/budget.h). May be out of
// reach: solvers say so. O(units * formats + pairs).
AllocationProblem BuildProblem(const SensitivityTable& table,
                               std::int64_t byte_limit);

// Option indices of a solver as a plan.
AllocationPlan PlanFromAssignment(const SensitivityTable& table,
                                  const Assignment& assignment);

// A plan at the same bytes that knows nothing of the model: all units start at
// the smallest option and are raised step by step in random order as long as
// the limit holds. Needs a limit that the smallest options meet.
Assignment DrawRandomAssignment(const AllocationProblem& problem,
                                std::uint64_t seed,
                                std::uint64_t index);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_PROBLEM_BUILDER_H_
