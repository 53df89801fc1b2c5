// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_QKP_READER_H_
#define BITPACT_SOLVERS_QKP_READER_H_

// The published 0-1 quadratic knapsack instances of Billionnet & Soutif (2004),
// files jeu_n_density_i.txt: a name; n; n linear profits; the upper triangle of
// pair profits row by row (n-1, n-2, .. 1 numbers); 0 (the row is <=); the
// capacity; n weights. All whole numbers between white space.
//
// They maximise profit. The problem here minimises its negative: unit i has the
// options "out" (cost 0, size 0) and "in" (cost -profit, size weight), the pair
// {i, j} of two "in" has -profit_ij, so objective = -(published value).

#include <filesystem>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

// kNotFound, kDataLoss (file ends early), kInvalidArgument (names the number
// that is not one or is out of range: n in 1..20000, weights and capacity in
// 0..2^40).
Expected<AllocationProblem> ReadQkp(const std::filesystem::path& file);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_QKP_READER_H_
