// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SENSITIVITY_CSV_H_
#define BITPACT_ESTIMATORS_SENSITIVITY_CSV_H_

// Sensitivities from anywhere: numbers that another tool measured, as a table
// with a header line, comma separated. Lines that are empty or start with # are
// passed over; values may stand in double quotes.
//
//   unit,option,cost[,standard_error]
//   layers.0.mlp.up_proj,2,0.031,0.004
//
// option: the width in bits, "2" or "2 bit". cost: loss increase over all units
// at their most precise option, nats per token (any unit does where only the
// ranking matters). The most precise option may be left out: 0. Every other
// option of every unit stands once. Pair terms stand in a table of their own:
//
//   unit_a,option_a,unit_b,option_b,cost

#include <filesystem>
#include <optional>
#include <vector>

#include "core/error.h"
#include "core/unit.h"
#include "estimators/surrogate.h"

namespace bitpact {

// formats: the options, most precise first, of distinct widths. kNotFound: no
// such file; kInvalidArgument: file, line and value are named (an unknown unit
// or option, a number that is none, a repeated or missing entry, a pair of a
// unit with itself).
Expected<Surrogate> ReadSensitivityCsv(
    const std::filesystem::path& file,
    const std::optional<std::filesystem::path>& pairs_file,
    const std::vector<Unit>& units,
    const std::vector<FormatRule>& formats);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SENSITIVITY_CSV_H_
