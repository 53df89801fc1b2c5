// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BLOCK_PLANS_H_
#define BITPACT_SOLVERS_BLOCK_PLANS_H_

// Every plan of a cluster of units, of which only those are kept that no other
// one equals or beats in size and cost: the items of one knapsack class. With
// pair terms of any sign a partial plan says nothing about its completions, so
// all are looked at; they are not all stored.

#include <cstdint>
#include <functional>

#include "solvers/choice_knapsack.h"
#include "solvers/reduced_problem.h"
#include "solvers/unit_clusters.h"

namespace bitpact {

// Plans between two looks at `must_stop`, about.
inline constexpr std::int64_t kBlockPlansPerLook = 1 << 16;

// Depth first; what a choice adds with those before it is carried down, so that
// a plan costs O(1) and a look at the front kept so far, O(log front).
// Candidates are collected and merged into the front in batches. Codes as
// DecodePlan (unit_clusters.h) wants them. Time O(plans * log front), memory
// O(front + batch + (binaries of the cluster)^2). `plans` counts on; when
// `must_stop(plans)` says so, the list is empty.
[[nodiscard]] KnapsackClass ParetoPlans(
    const ReducedProblem& problem,
    const UnitCluster& cluster,
    const std::function<bool(std::int64_t)>& must_stop,
    std::int64_t& plans);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BLOCK_PLANS_H_
