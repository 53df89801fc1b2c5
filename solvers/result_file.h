// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_RESULT_FILE_H_
#define BITPACT_SOLVERS_RESULT_FILE_H_

// result.json, format "bitpact.result": all of a SolveResult, with names, sizes
// and options of the problem spelled out, so that the file reads without the
// problem. An objective, bound or gap that is not claimed is null; `seed` in
// the header and `threads` are those used, `absolute_gap` and `relative_gap`
// as in solvers/solve_result.h.

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/json_file.h"
#include "solvers/allocation_problem.h"
#include "solvers/solve_result.h"

namespace bitpact {

// Facts about the problem's file that the result repeats, where they are known.
struct ResultSource {
  std::string instance = {};  // as the user named it
  // The file states a maximum: the values it speaks of are the negatives of
  // ours, and the result gives them as `published`.
  bool maximises = false;
  std::map<std::string, std::string> inputs = {};  // see core/json_file.h
};

[[nodiscard]] FileHeader ResultHeader(const SolveResult& result,
                                      const ResultSource& source);
[[nodiscard]] Json ResultBody(const AllocationProblem& problem,
                              const SolveResult& result,
                              const ResultSource& source);

Expected<void> WriteSolveResult(const std::filesystem::path& file,
                                const AllocationProblem& problem,
                                const SolveResult& result,
                                const ResultSource& source);

// What a result.json keeps so that others can check it.
struct StoredProof {
  std::optional<PresolveCounts> presolve;
  std::optional<RootCertificate> root_certificate;
};
// kNotFound, kDataLoss, kUnsupported (newer version), kInvalidArgument (a field
// that is missing or of another kind). Whether the certificate proves its bound
// is for CheckRootCertificate (solvers/certificate_checker.h), which needs the
// problem.
Expected<StoredProof> ReadStoredProof(const std::filesystem::path& file);

// The plan of a result.json or plan.json, for this problem: a warm start. Units
// are found by name, options
// by name, then by index; units of the file that the problem lacks are passed
// over. kNotFound, kDataLoss, kUnsupported (newer version), kInvalidArgument: a
// unit of the problem that the file does not have, an option it does not know,
// a result without a plan. Limits, pins and ties are SolveAndCheck's to look
// at.
Expected<Assignment> ReadWarmStart(const std::filesystem::path& file,
                                   const AllocationProblem& problem);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_RESULT_FILE_H_
