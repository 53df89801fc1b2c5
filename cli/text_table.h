// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_TEXT_TABLE_H_
#define BITPACT_CLI_TEXT_TABLE_H_

// Columns of text for terminals, and the number formats that all reports share.

#include <string>
#include <vector>

#include "models/perplexity.h"

namespace bitpact {

// Rows of cells, the first one the heading with a rule below it. The first
// column is aligned left, the others right.
std::string RenderTable(const std::vector<std::vector<std::string>>& rows);

// `digits` behind the point; large numbers lose digits, not columns ("4601").
std::string FormatNumber(double value, int digits);
// "3.506 +- 0.031".
std::string FormatEstimate(const RatioEstimate& estimate, int digits);
// "1.2e-07", "0" for 0, "none" for infinity.
std::string FormatSmall(double value);

}  // namespace bitpact

#endif  // BITPACT_CLI_TEXT_TABLE_H_
