// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BEST_KNOWN_H_
#define BITPACT_SOLVERS_BEST_KNOWN_H_

// Best known values of published instances, from the index beside them.

#include <filesystem>
#include <optional>

namespace bitpact {

// The best known value of the file, as the published one states it: from
// index.csv in the file's folder, or, for sets in subfolders, in the folder
// above. Columns: "file" (the name), optionally "set" (the subfolder), and the
// first that exists of "opb_objective(min)" and "best_known". No quoting.
// Nothing when there is no index, no such row or no number in it. O(index).
[[nodiscard]] std::optional<double> FindBestKnown(
    const std::filesystem::path& file);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BEST_KNOWN_H_
