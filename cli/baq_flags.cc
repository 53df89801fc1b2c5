// SPDX-License-Identifier: Apache-2.0
#include "cli/baq_flags.h"

#include <iostream>
#include <set>

#include "cli/baq_plot.h"
#include "cli/baq_report.h"
#include "cli/text_table.h"
#include "core/atomic_file.h"

namespace bitpact {
namespace {

bool AnyGiven(const BaqFlags& flags) {
  return flags.rate || flags.form || flags.exponent || flags.passes ||
         flags.report || flags.plot || !flags.plot_tensors.empty();
}

}  // namespace

void AddBaqFlags(CLI::App& command, BaqFlags& flags) {
  command.add_option("--rate",
                     flags.rate,
                     "baq, instead of --bits: stored bits a weight, everything "
                     "counted, 1 to 8");
  command.add_option("--baq",
                     flags.form,
                     "baq: exact (the default; stored bytes are what was asked "
                     "for), paper (two passes over the model, whole levels), "
                     "or alike (exact's grids and bytes with equal columns, to "
                     "compare)");
  command.add_option(
      "--baq-exponent",
      flags.exponent,
      "--baq paper: 1.95 by default as in its code, 2 in theory");
  command.add_option(
      "--baq-passes",
      flags.passes,
      "--baq exact: how often a matrix is rounded, 1 to 8 (default "
      "1); from the second on levels go by measured errors");
  command.add_option("--baq-report",
                     flags.report,
                     "baq: levels, losses and gains of every matrix as JSON; "
                     "rounds once more to measure them");
  command.add_option("--baq-plot",
                     flags.plot,
                     "baq: a folder for pictures of the columns' levels and of "
                     "the gains (SVG and PNG, by gnuplot); rounds once more");
  command
      .add_option("--baq-plot-tensors",
                  flags.plot_tensors,
                  "--baq-plot: the matrices whose columns are drawn, at most "
                  "8; default: those of least, middle and greatest gain")
      ->delimiter(',');
}

Expected<void> ValidateBaqFlags(const BaqFlags& flags,
                                bool is_baq,
                                std::optional<double> bits,
                                bool has_plan) {
  if (!is_baq) {
    if (!AnyGiven(flags)) return {};
    return InvalidArgument(
        "--rate, --baq, --baq-exponent, --baq-passes, --baq-report and "
        "--baq-plot go with --quantizer baq");
  }
  if (flags.form && *flags.form != "exact" && *flags.form != "paper" &&
      *flags.form != "alike") {
    return InvalidArgument("--baq '" + *flags.form +
                           "' is not one of: exact, paper, alike");
  }
  if (flags.exponent && !flags.is_paper()) {
    return InvalidArgument("--baq-exponent goes with --baq paper");
  }
  if (flags.passes && flags.form && *flags.form != "exact") {
    return InvalidArgument("--baq-passes goes with --baq exact");
  }
  if (flags.is_paper() && has_plan) {
    return InvalidArgument("--baq paper makes a plan of its own");
  }
  if (!flags.plot_tensors.empty() && !flags.plot) {
    return InvalidArgument("--baq-plot-tensors goes with --baq-plot");
  }
  for (const auto& [name, value] :
       {std::pair("--bits", bits), std::pair("--rate", flags.rate)}) {
    if (value && !(*value >= 1.0 && *value <= 8.0)) {
      return InvalidArgument(std::string(name) + " = " +
                             FormatNumber(*value, 4) +
                             " violates 1 <= bits a weight <= 8");
    }
  }
  return Validate(BaqOptionsOf(flags));
}

Expected<void> CheckBaqPlot(const BaqFlags& flags, const AllocationPlan& plan) {
  if (!flags.plot) return {};
  std::set<std::string> tensors;
  for (const PlannedUnit& unit : plan.units) {
    for (const UnitMatrix& matrix : unit.unit.matrices) {
      tensors.insert(matrix.tensor);
    }
  }
  for (const std::string& tensor : flags.plot_tensors) {
    if (tensors.contains(tensor)) continue;
    return Fail(ErrorCode::kNotFound,
                "--baq-plot-tensors: the model has no linear matrix '" +
                    tensor + "'; it has, e.g., '" + *tensors.begin() + "'");
  }
  return MakeWritableFolder(*flags.plot);
}

BaqOptions BaqOptionsOf(const BaqFlags& flags) {
  BaqOptions options;
  options.by_sensitivity = flags.form != "alike";
  options.passes = flags.passes.value_or(options.passes);
  options.compare_uniform = flags.report.has_value() || flags.plot.has_value();
  return options;
}

std::string BaqOptionsText(const BaqFlags& flags, double reference_rate) {
  if (flags.is_paper()) {
    return "paper " + FormatNumber(flags.exponent.value_or(1.95), 6) + " " +
           FormatNumber(reference_rate, 6);
  }
  const BaqOptions options = BaqOptionsOf(flags);
  if (!options.by_sensitivity) return "alike";
  return "exact " + std::to_string(options.passes);
}

Expected<void> ReportOnBaq(const BaqFlags& flags,
                           const std::vector<BaqOutcome>& outcomes,
                           std::int64_t num_matrices) {
  std::cout << BaqSummary(outcomes, num_matrices);
  if (flags.report) {
    const auto written = WriteBaqReport(*flags.report, outcomes);
    if (!written) return written;
  }
  if (!flags.plot) return {};
  const auto note = WriteBaqPlots(*flags.plot, outcomes, flags.plot_tensors);
  if (!note) return tl::unexpected(note.error());
  if (!note->empty()) std::cerr << "bitpact: note: " << *note << '\n';
  return {};
}

}  // namespace bitpact
