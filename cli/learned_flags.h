// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_LEARNED_FLAGS_H_
#define BITPACT_CLI_LEARNED_FLAGS_H_

// Flags of the hybrid quantizer (models/learned_quantizer.h).

#include "CLI/CLI.hpp"
#include "models/block_reconstruction.h"

namespace bitpact {

// --iterations --batch --rounding-rate --clipping-rate --rounding-penalty
// --warm-up --learned-rounding --clipping-share --judge-share. Values are
// checked by Validate of the options.
void AddLearnedFlags(CLI::App& app, ReconstructionOptions& options);

}  // namespace bitpact

#endif  // BITPACT_CLI_LEARNED_FLAGS_H_
