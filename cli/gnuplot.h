// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_GNUPLOT_H_
#define BITPACT_CLI_GNUPLOT_H_

// Pictures are drawn by gnuplot when it is installed; its scripts stay beside
// the data, so that pictures can be drawn later or otherwise.

#include <filesystem>
#include <string>

namespace bitpact {

// Whether gnuplot ran `script`, a file in the folder, to its end inside the
// folder; its complaints are kept from the terminal.
bool RunGnuplot(const std::filesystem::path& folder, const std::string& script);

// What to say when it did not.
std::string NoPicturesNote(const std::filesystem::path& folder,
                           const std::string& script);

}  // namespace bitpact

#endif  // BITPACT_CLI_GNUPLOT_H_
