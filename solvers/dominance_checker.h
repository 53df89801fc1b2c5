// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_DOMINANCE_CHECKER_H_
#define BITPACT_SOLVERS_DOMINANCE_CHECKER_H_

// The dominated options of a reduction (solvers/dominated_options.h) shown to
// be dominated, from the original problem's costs, pairs and sizes, in long
// double, by code that shares no arithmetic with what found them. Part of
// solvers/certificate_checker.h.

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "solvers/allocation_problem.h"
#include "solvers/reduced_problem.h"

namespace bitpact {

// Takes the replacements in their order: each must make no plan of `options`
// dearer or larger, and then its option is erased there. `classes` are the
// units that choose together, `options` what each class can still take. Empty
// when all hold; the first that does not otherwise. Fewer options leave less
// room for others, so what cannot fit is dropped again, by the function given,
// where a replacement needs it and at the end; one of an option that is gone by
// then holds. A plan may get dearer by 1e-15 of the magnitudes compared, for
// rounding. O(pairs + replacements * (row
// + variables * rank)).
std::string DropReplaced(
    const AllocationProblem& problem,
    const std::vector<ReducedProblem::Replacement>& replacements,
    const std::vector<std::vector<std::size_t>>& classes,
    std::vector<std::vector<int>>& options,
    const std::function<void()>& drop_what_cannot_fit);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_DOMINANCE_CHECKER_H_
