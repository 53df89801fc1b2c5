// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_HIPR_REPORT_H_
#define BITPACT_CLI_HIPR_REPORT_H_

// What `bitpact hipr` shows: plans of the same bytes side by side, what the
// model predicted, and which share of each matrix became wide.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/report.h"
#include "core/allocation_plan.h"
#include "core/error.h"
#include "models/block_reconstruction.h"
#include "solvers/solve_result.h"

namespace bitpact {

struct HiprReport {
  std::string model;  // folder as given
  std::string budget;
  std::int64_t byte_limit = 0;
  std::string evaluation;
  std::vector<ReportRow> rows;  // the plan that was taken is the last
  std::string allocation;       // its name
  AllocationPlan plan;
  SolveResult solve;  // of the one-hot problem
  std::uint64_t seed = 1;
  double evaluations = 0.0;
  // Loss increase over full precision on the calibration text, nats per token:
  // by the quadratic model, and measured.
  double predicted = 0.0;
  double measured = 0.0;
  double continuous_objective = 0.0;
  double continuous_bound = 0.0;
  double continuous_shift = 0.0;
  std::string row_ranking;
  std::vector<ReconstructionOutcome> learned;  // empty without the hybrid
  std::string learning;  // the options that were used; empty without the hybrid
};

// "ratio  q k v o gate up down" with the share of wide rows, a line a block.
std::string RenderRatios(const AllocationPlan& plan);
std::string RenderHipr(const HiprReport& report);

// hipr.json, hipr-ratios.dat and .gp, and, where gnuplot is installed, .svg and
// .png. Returns a note for people when there are no pictures, otherwise an
// empty string.
Expected<std::string> WriteHipr(const std::filesystem::path& folder,
                                const HiprReport& report);

}  // namespace bitpact

#endif  // BITPACT_CLI_HIPR_REPORT_H_
