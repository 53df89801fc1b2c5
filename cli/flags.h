// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_FLAGS_H_
#define BITPACT_CLI_FLAGS_H_

// Groups of flags that several subcommands share, so that a flag means the same
// everywhere.

#include <filesystem>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "cli/pipeline.h"

namespace bitpact {

// --seed --threads --quiet
struct CommonFlags {
  std::uint64_t seed = 1;
  int threads = 0;
  bool quiet = false;
};
void AddCommonFlags(CLI::App& app, CommonFlags& flags);
// Sets threads and progress for the process.
Expected<void> ApplyCommonFlags(const CommonFlags& flags);

// --damping --act-order
void AddQuantizerFlags(CLI::App& app, QuantizerOptions& options);

// --bits --group-size --symmetric --granularity --quantizer --estimator
// --permutations --orders --stop-error --stop-plan --exact-players --coalitions
// --pairs-in-block --sign-as-printed --alpha --calibration-tokens --value
// --value-function --workers --answer-timeout --on-nan --game-memory
// --products --held-out
void AddMeasureFlags(CLI::App& app, MeasureOptions& options);

// --solver --time-limit --gap
void AddSolveFlags(CLI::App& app, SolveFlags& flags);

// --window --stride --min-tokens --text-mode
struct TextFlags {
  TokenSetOptions options;
  std::string mode = "auto";
};
void AddTextFlags(CLI::App& app, TextFlags& flags);
Expected<TokenSetOptions> ResolveTextFlags(const TextFlags& flags);

}  // namespace bitpact

#endif  // BITPACT_CLI_FLAGS_H_
