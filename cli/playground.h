// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_PLAYGROUND_H_
#define BITPACT_CLI_PLAYGROUND_H_

// What the flags of a measurement make: the game, over the model or an outside
// program, with its memory and, under mpirun, spread over ranks.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/unit.h"
#include "estimators/memoised_game.h"
#include "estimators/mpi_ranks.h"
#include "estimators/outside_game.h"
#include "estimators/sensitivity_estimator.h"
#include "estimators/window_subset_game.h"
#include "models/model.h"
#include "models/token_set.h"
#include "quant/product_precision.h"
#include "quant/quantizer.h"

namespace bitpact {

// What is measured and how. Every field is a flag (cli/flags.h).
struct MeasureOptions {
  std::string granularity = "matrix";  // block, fused, matrix
  // Distinct, any order: whole, 2..8; of "baq" stored rates, 1..8.
  std::vector<double> bits = {2, 4};
  // Weights that share a scale; unset: Quanto's rule from 128 downwards.
  std::optional<int> group_size;
  bool symmetric = false;
  std::string quantizer = "quanto";
  QuantizerOptions quantizer_options;
  std::string estimator = "quadratic";
  EstimateOptions estimate;
  // Predicted tokens, at least. Unset: kCalibrationTokens, or the whole text
  // where it has fewer.
  std::optional<std::int64_t> calibration_tokens;
  // float32, bfloat16 (quant/product_precision.h): what the model's game
  // multiplies; float32 is used where the processor has no bfloat16.
  std::string products = "float32";
  std::string value = "nll";  // nll, kl: the loss that the game plays
  // Not empty: an outside program answers instead of the model
  // (estimators/outside_game.h); `value` is then without effect.
  OutsideGameOptions outside;
  std::string on_nan = "stop";       // stop, inf: losses that are not finite
  std::string game_memory = "2GiB";  // bound on what the game keeps
  int held_out = 16;                 // assignments to judge the fit by
  // Evaluations of an earlier run are used where there are any; with this they
  // have to be there.
  bool resume = false;
};
// The part of Validate (cli/pipeline.h) that is about the game.
Expected<void> ValidateGame(const MeasureOptions& options);

// A game with its memory, ready for estimators. References stay where they are
// when the object moves.
struct Playground {
  std::vector<Unit> units;
  std::vector<FormatRule> formats;
  std::unique_ptr<Quantizer> quantizer;
  std::unique_ptr<ValueFunction> game;
  std::unique_ptr<ValueFunction> spread;  // over ranks; null in one process
  std::unique_ptr<MemoisedGame> memo;
  // Set by SplitPlayground: two thirds of the windows to estimate on and the
  // rest to judge plans by.
  std::unique_ptr<WindowSubsetGame> fit;
  std::unique_ptr<WindowSubsetGame> judge;
  TokenSet fit_tokens;  // the windows of `fit`, for metrics that need tokens
  // Whether `game` is an outside program, which metrics cannot look into.
  bool outside = false;
  // What the game's values depend on, field -> fingerprint.
  std::map<std::string, std::string> key;
};
// What is used when options ask for something.
Expected<ProductPrecision> UsedProducts(const MeasureOptions& options);
// The same in words, with what was asked where it differs; options are valid.
std::string ProductsText(const MeasureOptions& options);
// What the game's values depend on, as text for its key.
std::string UnitsFingerprint(const std::vector<Unit>& units);
std::string FormatsText(const std::vector<FormatRule>& formats);

// The game without its memory. calibration: not looked at by outside games.
Expected<Playground> MakeGame(const Model& model,
                              const TokenSet& calibration,
                              const MeasureOptions& options);
// Adds the memory and, on rank 0 of several, spreads the game over the others.
// ranks may be null. kInvalidArgument: there is no log_file, and the options
// say --resume.
Expected<void> RememberGame(Playground& playground,
                            const MeasureOptions& options,
                            const std::filesystem::path& log_file,
                            MpiRanks* ranks);
// Both in one process.
// log_file: where evaluations are kept (estimators/memoised_game.h).
Expected<Playground> MakePlayground(const Model& model,
                                    const TokenSet& calibration,
                                    const MeasureOptions& options,
                                    const std::filesystem::path& log_file);

}  // namespace bitpact

#endif  // BITPACT_CLI_PLAYGROUND_H_
