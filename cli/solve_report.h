// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_SOLVE_REPORT_H_
#define BITPACT_CLI_SOLVE_REPORT_H_

// What `bitpact solve` tells people: a page, whatever the problem's size.

#include <string>

#include "solvers/instance_file.h"
#include "solvers/solve_result.h"

namespace bitpact {

// Nine significant digits: "0.127299812", "-18558". "none" for infinity.
std::string FormatObjective(double value);
// "0.30%", "2.1e-07%", "none" for infinity.
std::string FormatPercent(double share);

// "out.txt: qkp file, 100 units, 200 options, 1 resource, 1280 pair terms".
std::string RenderInstance(const std::string& name, const Instance& instance);

// Objective, bound, gaps with formulas, status, limit, who solved and why,
// work, times, resources; then the curve, the plan and the options.
std::string RenderSolve(const Instance& instance, const SolveResult& result);

}  // namespace bitpact

#endif  // BITPACT_CLI_SOLVE_REPORT_H_
