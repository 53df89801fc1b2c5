// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_ASSIGNMENT_WALK_H_
#define BITPACT_ESTIMATORS_ASSIGNMENT_WALK_H_

// The order in which many assignments share the most work. What enters a stage
// of the forward pass depends only on the units of the stages before it, so the
// assignments are walked depth first over the tree of their prefixes: sorted
// with the units in the order of the stages, each one needs only the stages
// behind its first difference from the one before. The stages run are then the
// distinct prefixes, the least possible without keeping more than one
// activation a stage.

#include <span>
#include <vector>

#include "estimators/value_function.h"

namespace bitpact {

struct AssignmentWalk {
  // In the order asked.
  std::vector<const FormatAssignment*> assignments;
  // The order of the walk: indices into `assignments`.
  std::vector<std::size_t> order;
};

// first_stages: [units], the first stage that each unit takes part in. The
// assignments must outlive the walk. O(n log n * units).
AssignmentWalk MakeWalk(std::vector<const FormatAssignment*> assignments,
                        std::span<const int> first_stages);

// The first stage in which two assignments differ; num_stages when they are
// equal. O(units).
int FirstDifference(const FormatAssignment& a,
                    const FormatAssignment& b,
                    std::span<const int> first_stages,
                    int num_stages);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_ASSIGNMENT_WALK_H_
