// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_BAQ_FLAGS_H_
#define BITPACT_CLI_BAQ_FLAGS_H_

// The flags of `bitpact quantize` that only mean something to quantizer 'baq',
// and what is said and written about its matrices.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "core/allocation_plan.h"
#include "core/error.h"
#include "quant/baq_quantizer.h"

namespace bitpact {

struct BaqFlags {
  std::optional<double> rate;  // stored bits a weight
  std::optional<std::string> form;
  std::optional<double> exponent;
  std::optional<int> passes;
  std::optional<std::filesystem::path> report;
  std::optional<std::filesystem::path> plot;
  std::vector<std::string> plot_tensors;

  [[nodiscard]] bool is_paper() const { return form == "paper"; }
};

// --rate --baq --baq-exponent --baq-passes --baq-report --baq-plot
// --baq-plot-tensors
void AddBaqFlags(CLI::App& command, BaqFlags& flags);

// is_baq: whether 'baq' is the quantizer. bits: of --bits. has_plan: --plan.
// kInvalidArgument names the flag, its value and the rule.
Expected<void> ValidateBaqFlags(const BaqFlags& flags,
                                bool is_baq,
                                std::optional<double> bits,
                                bool has_plan);

// Before long work: whether the plan has the matrices to be drawn and the
// folder for pictures can be written. kNotFound names the first it lacks.
Expected<void> CheckBaqPlot(const BaqFlags& flags, const AllocationPlan& plan);

// What the flags say of the options; damping and order are the caller's.
BaqOptions BaqOptionsOf(const BaqFlags& flags);

// "paper 1.95 2", "exact 1": for what unfinished work is recognised by.
// reference_rate: of the paper's second pass.
std::string BaqOptionsText(const BaqFlags& flags, double reference_rate);

// Prints the summary and writes what was asked for. num_matrices: of the model.
Expected<void> ReportOnBaq(const BaqFlags& flags,
                           const std::vector<BaqOutcome>& outcomes,
                           std::int64_t num_matrices);

}  // namespace bitpact

#endif  // BITPACT_CLI_BAQ_FLAGS_H_
