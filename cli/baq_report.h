// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_BAQ_REPORT_H_
#define BITPACT_CLI_BAQ_REPORT_H_

// What `bitpact quantize --quantizer baq` says about its matrices.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "quant/baq_quantizer.h"

namespace bitpact {

// Text: the reported rate beside the stored one, and a histogram of the
// predicted gains and, when all were measured, of those. num_matrices: of the
// model; outcomes may be fewer where an interrupted run went on. Empty without
// outcomes.
std::string BaqSummary(const std::vector<BaqOutcome>& outcomes,
                       std::int64_t num_matrices);

// By tensor name: rates, gains (BaqOutcome), and what there is of each column
// in original order. Measured gains, and how they correlate by rank with each
// of the predictions, are there when they were asked for.
Expected<void> WriteBaqReport(const std::filesystem::path& file,
                              std::vector<BaqOutcome> outcomes);

// Spearman's, ties by mean rank; 0 when one side is constant or has fewer than
// two values. Sizes equal (CHECK).
double RankCorrelation(const std::vector<double>& a,
                       const std::vector<double>& b);

}  // namespace bitpact

#endif  // BITPACT_CLI_BAQ_REPORT_H_
