// SPDX-License-Identifier: Apache-2.0
#include "cli/learned_flags.h"

#include <string>

namespace bitpact {

void AddLearnedFlags(CLI::App& app, ReconstructionOptions& options) {
  app.add_option("--iterations",
                 options.iterations,
                 "hybrid: steps of Adam a block (the paper's number)")
      ->capture_default_str();
  app.add_option("--batch", options.batch, "hybrid: windows a step")
      ->capture_default_str();
  app.add_option("--rounding-rate",
                 options.learning.rounding.learning_rate,
                 "hybrid: learning rate of rounding, in the wide rows")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--learned-rounding",
         [&options](const std::string& rows) {
           options.learning.rounded =
               rows == "all" ? RoundedRows::kAll : RoundedRows::kHigh;
         },
         "hybrid: rows whose rounding is learned: wide (the paper's) or "
         "all; the others' ranges are learned first")
      ->check(CLI::IsMember({"wide", "all"}))
      ->default_str("wide");
  app.add_option("--clipping-share",
                 options.learning.clipping_share,
                 "hybrid, rounding of all rows learned: share of the steps "
                 "that learn ranges, before")
      ->capture_default_str();
  app.add_option("--clipping-rate",
                 options.learning.clipping.learning_rate,
                 "hybrid: learning rate of the ranges, in the other rows")
      ->capture_default_str();
  app.add_option("--rounding-penalty",
                 options.learning.rounding.penalty,
                 "hybrid: weight of the term that drives rounding to 0 or 1")
      ->capture_default_str();
  app.add_option("--warm-up",
                 options.learning.rounding.warm_up,
                 "hybrid: share of the steps before that term counts")
      ->capture_default_str();
  app.add_option("--judge-share",
                 options.held_out,
                 "hybrid: share of the calibration windows that judge what is "
                 "learned from the others")
      ->capture_default_str();
}

}  // namespace bitpact
