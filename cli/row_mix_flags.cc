// SPDX-License-Identifier: Apache-2.0
#include "cli/row_mix_flags.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "cli/text_table.h"

namespace bitpact {

void AddRowRankingFlag(CLI::App& app, QuantizerOptions& options) {
  std::map<std::string, RowRanking> known;
  for (const std::string& name : RowRankingNames()) {
    known[name] = *ParseRowRanking(name);
  }
  app.add_option_function<std::string>(
         "--row-ranking",
         [&options, known](const std::string& name) {
           options.row_ranking = known.at(name);
         },
         "Which rows get the wider codes where a format has two: those whose "
         "rounding moves the output most (error), whose weights move the loss "
         "most (fisher), or both (gradient-error)")
      ->check(CLI::IsMember(RowRankingNames()))
      ->default_str(RowRankingName(options.row_ranking));
}

void AddRowMixFlags(CLI::App& app, RowMixFlags& flags) {
  app.add_option("--high-bits",
                 flags.bits,
                 "With --bits and --high-rows: width of the rows that matter "
                 "most; 16: float16");
  app.add_option("--high-rows",
                 flags.rows,
                 "With --high-bits: their share of every matrix's rows, 0 to "
                 "1");
}

Expected<BitFormat> WithHighRows(const BitFormat& plain,
                                 const RowMixFlags& flags) {
  if (!flags.given()) return plain;
  if (!flags.bits || !flags.rows) {
    return InvalidArgument("--high-bits and --high-rows go together");
  }
  const double share = *flags.rows;
  const double units = std::round(share * kRatioUnits);
  if (!(share >= 0.0 && share <= 1.0) ||
      std::abs(units - share * kRatioUnits) > 1e-6) {
    return InvalidArgument("--high-rows = " + FormatNumber(share, 6) +
                           " violates 0 <= share <= 1 in steps of 0.0001");
  }
  BitFormat format = plain;
  format.high_bits = *flags.bits;
  format.high_rows_e4 = kRatioUnits;
  // A share of 0 has a width too.
  if (const auto valid = Validate(format); !valid) {
    return InvalidArgument("--high-bits: " + valid.error().message);
  }
  return RowMix(plain, *flags.bits, static_cast<int>(units));
}

bool HasRowMix(const AllocationPlan& plan) {
  return std::ranges::any_of(plan.units, [](const PlannedUnit& planned) {
    return planned.format.base.row_mix();
  });
}

}  // namespace bitpact
