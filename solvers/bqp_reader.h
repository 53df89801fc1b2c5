// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BQP_READER_H_
#define BITPACT_SOLVERS_BQP_READER_H_

// The sparse format of unconstrained binary quadratic programmes used by the
// OR-Library (Beasley 1990) and the Biq Mac Library (Wiegele 2007): "n m", then
// m lines "i j q", 1-based, i <= j, whole numbers. The objective is x'Qx with Q
// symmetric, to be minimised, so an off-diagonal q counts twice.
//
// Unit i of the problem has the options "0" and "1" (cost q_ii); the pair of
// two "1" has 2 q_ij; no resource. A pair that the file lists twice counts with
// the sum.

#include <filesystem>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

// kNotFound, kDataLoss (file ends early), kInvalidArgument: names file, line,
// value and the rule it breaks: n in 1..20000, m in 0..n(n+1)/2, indices in
// 1..n with i <= j, |q| <= 2^40, nothing after the last entry.
Expected<AllocationProblem> ReadBqp(const std::filesystem::path& file);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BQP_READER_H_
