// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_HTML_REPORT_H_
#define BITPACT_CLI_HTML_REPORT_H_

// The report as one HTML file without scripts or outside references: the table,
// a chart of perplexities, and two maps of the model, where the bits went and
// what few bits cost there.

#include <string>

#include "cli/report.h"

namespace bitpact {

std::string RenderHtml(const Report& report);

// "<", ">", "&" and quotes as entities: names in checkpoints are foreign text.
std::string EscapeHtml(const std::string& text);

}  // namespace bitpact

#endif  // BITPACT_CLI_HTML_REPORT_H_
