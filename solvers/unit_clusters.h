// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_UNIT_CLUSTERS_H_
#define BITPACT_SOLVERS_UNIT_CLUSTERS_H_

// Groups that pair terms connect, as the solvers want them that treat what does
// not interact apart: the blocks of a transformer, when pairs were measured
// inside blocks only.

#include <cstdint>
#include <vector>

#include "solvers/reduced_problem.h"

namespace bitpact {

// Groups of the reduced problem, ascending; not empty.
using UnitCluster = std::vector<int>;

// The connected components of the pair terms, ordered by their first group. A
// low-rank part connects all groups that it names. O(binaries + pairs).
[[nodiscard]] std::vector<UnitCluster> FindClusters(
    const ReducedProblem& problem);

// The product of the groups' numbers of choices.
[[nodiscard]] double NumPlans(const ReducedProblem& problem,
                              const UnitCluster& cluster);

// Plans of a cluster are numbered in mixed radix, its last group fastest; sets
// the choices of the cluster's groups.
void DecodePlan(const ReducedProblem& problem,
                const UnitCluster& cluster,
                std::int64_t code,
                Choices& choices);

// The original number of the cluster's first unit, for messages.
[[nodiscard]] int FirstUnit(const ReducedProblem& problem,
                            const UnitCluster& cluster);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_UNIT_CLUSTERS_H_
