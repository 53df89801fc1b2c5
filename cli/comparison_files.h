// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_COMPARISON_FILES_H_
#define BITPACT_CLI_COMPARISON_FILES_H_

// What `bitpact compare` leaves in its folder: every run as CSV and JSON, and
// the performance profiles as data, gnuplot script, SVG and PNG.

#include <filesystem>
#include <string>
#include <vector>

#include "cli/comparison.h"
#include "core/error.h"

namespace bitpact {

struct Comparison {
  std::vector<std::string> solvers;
  std::vector<ComparedRun> runs;  // instance by instance, solver by solver
  double time_limit_s = 0.0;
  double delta = 0.0;
};

// runs.csv: one line a run; empty cells for what there is not. Commas and
// quotes in texts are quoted as in RFC 4180.
std::string ComparisonCsv(const Comparison& comparison);
// The table for terminals: one line a run, the reason where there is no result.
std::string ComparisonTable(const Comparison& comparison);
// One line a solver over all its runs: proven, at the target, medians and mean
// primal integral.
std::string ComparisonSummary(const Comparison& comparison);

// runs.csv, comparison.json ("bitpact.comparison"), profile-target.{dat,gp},
// profile-proof.{dat,gp} and, where gnuplot is installed, .svg and .png of
// both. A profile that nobody has a finite time for is left out. Returns a note
// for people, empty when all pictures were drawn.
Expected<std::string> WriteComparison(const std::filesystem::path& folder,
                                      const Comparison& comparison);

}  // namespace bitpact

#endif  // BITPACT_CLI_COMPARISON_FILES_H_
