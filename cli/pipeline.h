// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_PIPELINE_H_
#define BITPACT_CLI_PIPELINE_H_

// The steps behind the subcommands, in the order of the data flow. `run` calls
// them one after the other; each subcommand calls its own.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/playground.h"
#include "core/allocation_plan.h"
#include "core/budget.h"
#include "core/error.h"
#include "core/unit.h"
#include "estimators/sensitivity_table.h"
#include "estimators/window_subset_game.h"
#include "models/model.h"
#include "models/token_set.h"
#include "models/tokenizer.h"
#include "quant/quantizer.h"
#include "solvers/solve_result.h"

namespace bitpact {

inline constexpr std::int64_t kCalibrationTokens = 8192;
// kInvalidArgument names the flag.
Expected<void> Validate(const MeasureOptions& options);

// Candidate formats, most precise first.
std::vector<FormatRule> CandidateFormats(const MeasureOptions& options);

// kInvalidArgument: a group size that does not divide the rows of a matrix; the
// message names the matrix and the sizes from 8 on that would do for all.
Expected<void> CheckGroupSize(const std::vector<Unit>& units,
                              const FormatRule& format);

Expected<Granularity> ParseGranularity(const std::string& name);

struct LoadedModel {
  Model model;
  Tokenizer tokenizer;
};
Expected<LoadedModel> LoadFolder(const std::filesystem::path& folder);

// The text file of a role: the flag's value, or `default_name` in the model's
// folder. kInvalidArgument names the flag when neither exists.
Expected<std::filesystem::path> FindText(
    const std::optional<std::filesystem::path>& flag,
    const std::string& flag_name,
    const std::filesystem::path& model_folder,
    const std::string& default_name);

// The calibration text as the options ask for it. kInvalidArgument when
// --calibration-tokens asks for more than it has.
Expected<TokenSet> ReadCalibration(const std::filesystem::path& file,
                                   const LoadedModel& loaded,
                                   TokenSetOptions text,
                                   const MeasureOptions& options);

// What follows the calibration text in its file, about `tokens` predicted
// tokens of it; unset: kFinalsShare times as many as the calibration has. Null
// where fewer follow than the calibration has: they would tell less than it.
inline constexpr std::int64_t kFinalsShare = 32;
Expected<std::optional<TokenSet>> ReadFurther(
    const std::filesystem::path& file,
    const LoadedModel& loaded,
    TokenSetOptions text,
    const TokenSet& calibration,
    std::optional<std::int64_t> tokens);

// Refuses an evaluation on calibration text: documents (or long lines of
// running text) are compared by hash and windows by their tokens; the first
// that stands in both sets is named.
Expected<void> CheckDisjoint(const TokenSet& calibration,
                             const std::string& calibration_name,
                             const TokenSet& evaluation,
                             const std::string& evaluation_name);

// A budget in bytes for the units, and whether it can be met.
struct ByteLimit {
  std::int64_t limit = 0;
  std::int64_t least = 0;     // all units at their smallest format
  std::int64_t greatest = 0;  // all units at their largest format
  ModelBytes model;
  // Empty when the budget can be met, otherwise a sentence with sizes and the
  // units that take most of the least size.
  std::string infeasible;
};
ByteLimit ResolveBudget(const Budget& budget,
                        const ModelBytes& model,
                        const std::vector<Unit>& units,
                        const std::vector<FormatRule>& formats);

ModelBytes MeasureBytes(const Model& model, const std::vector<Unit>& units);

// False, and nothing changed, with fewer than three calibration windows.
bool SplitPlayground(const TokenSet& calibration, Playground& playground);

// Runs one estimator, on the fitting windows where they are split off (kAll: on
// all of them), and judges it on held-out assignments.
enum class MeasuredWindows : std::uint8_t { kFitting, kAll };
Expected<SensitivityTable> Measure(
    const Model& model,
    const TokenSet& calibration,
    const MeasureOptions& options,
    const std::string& estimator,
    Playground& playground,
    MeasuredWindows windows = MeasuredWindows::kFitting);

struct SolveFlags {
  std::string solver = "auto";
  SolveOptions options;
};
// kInvalidArgument or kUnavailable; called before any long work.
Expected<void> Validate(const SolveFlags& flags);

struct Allocation {
  AllocationProblem problem;
  SolveResult result;
  // Empty when there is no feasible plan.
  std::optional<AllocationPlan> plan;
};
Expected<Allocation> Allocate(const SensitivityTable& table,
                              std::int64_t byte_limit,
                              const SolveFlags& flags);

// problem.json, result.json and, when there is one, plan.json.
Expected<void> WriteAllocation(const std::filesystem::path& folder,
                               const SensitivityTable& table,
                               const Allocation& allocation);

}  // namespace bitpact

#endif  // BITPACT_CLI_PIPELINE_H_
