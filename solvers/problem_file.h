// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_PROBLEM_FILE_H_
#define BITPACT_SOLVERS_PROBLEM_FILE_H_

// problem.json, format "bitpact.problem", version 2: the arrow between
// estimators and solvers, made to be diffed and edited by hand. A problem
// without pair factors is written as version 1, which knew none, so that older
// readers take it and never drop a factor in silence.
//
//   "constant": 0.25,
//   "resources": [{"name": "bytes", "limit": 4096}],
//   "units": [{"name": "layers.0",
//              "options": [{"name": "q2", "cost": 0.5, "sizes": [1024]}, ..]},
//             ..],
//   "pins": [{"unit": 0, "option": 1}],
//   "ties": [[1, 2]],
//   "pair_terms": [[0, 2, -0.125], ..],
//   "pair_blocks": [{"variables": [0, 2, 4], "values": [.., .., ..]}],
//   "pair_factors": [{"variables": [0, 2], "rank": 1, "scale": 0.5,
//                     "values": [.., ..]}]
//
// Pair terms name variables (option o of unit u is FirstVariable(u) + o) and
// are counted once an unordered pair; block values are the strict upper
// triangle row by row, factor values the rows of U (solvers/pair_terms.h).
// Pins, ties and pair lists may be absent.

#include <filesystem>
#include <map>
#include <string>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

// Writes atomically; see core/json_file.h for `inputs`. Reading back gives an
// equal problem, doubles to the bit.
Expected<void> WriteProblem(const std::filesystem::path& file,
                            const AllocationProblem& problem,
                            const std::map<std::string, std::string>& inputs);

// The errors of JsonFile::Read, and kInvalidArgument naming file and field, or
// file and what Validate says. Memory stays within a small factor of the file.
Expected<AllocationProblem> ReadProblem(const std::filesystem::path& file);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_PROBLEM_FILE_H_
