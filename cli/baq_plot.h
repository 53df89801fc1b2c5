// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_BAQ_PLOT_H_
#define BITPACT_CLI_BAQ_PLOT_H_

// Pictures of what BAQ did: how many levels columns have, and what that gained.

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "quant/baq_quantizer.h"

namespace bitpact {

// Into a folder, made if need be:
//   baq-levels.dat, .gp   bits (log2 of levels) of every column of the matrices
//                         in `tensors`, at most 8, and the theory's real rate
//   baq-gains.dat, .gp    predicted and measured gain of every matrix; only
//                         when outcomes were measured (compare_uniform)
// and, where gnuplot is installed, .svg and .png of each. tensors: names, or
// none for three: those of the least, the middle and the greatest predicted
// gain. Returns a note for people when there are no pictures, otherwise an
// empty string. kNotFound: no outcome has that tensor; says which there are.
Expected<std::string> WriteBaqPlots(const std::filesystem::path& folder,
                                    std::vector<BaqOutcome> outcomes,
                                    const std::vector<std::string>& tensors);

}  // namespace bitpact

#endif  // BITPACT_CLI_BAQ_PLOT_H_
