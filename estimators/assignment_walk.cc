// SPDX-License-Identifier: Apache-2.0
#include "estimators/assignment_walk.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/check.h"

namespace bitpact {

AssignmentWalk MakeWalk(std::vector<const FormatAssignment*> assignments,
                        std::span<const int> first_stages) {
  std::vector<std::size_t> units(first_stages.size());
  std::iota(units.begin(), units.end(), 0U);
  std::ranges::stable_sort(
      units, {}, [&](std::size_t u) { return first_stages[u]; });
  AssignmentWalk walk;
  walk.assignments = std::move(assignments);
  for (const FormatAssignment* assignment : walk.assignments) {
    BITPACT_CHECK(assignment->size() == first_stages.size(),
                  "one option a unit");
  }
  walk.order.resize(walk.assignments.size());
  std::iota(walk.order.begin(), walk.order.end(), 0U);
  std::ranges::sort(walk.order, [&](std::size_t a, std::size_t b) {
    for (const std::size_t u : units) {
      const int left = (*walk.assignments[a])[u];
      const int right = (*walk.assignments[b])[u];
      if (left != right) return left < right;
    }
    return a < b;
  });
  return walk;
}

int FirstDifference(const FormatAssignment& a,
                    const FormatAssignment& b,
                    std::span<const int> first_stages,
                    int num_stages) {
  int first = num_stages;
  for (std::size_t u = 0; u < first_stages.size(); ++u) {
    if (a[u] != b[u]) first = std::min(first, first_stages[u]);
  }
  return first;
}

}  // namespace bitpact
