// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_SENSITIVITY_TABLE_H_
#define BITPACT_ESTIMATORS_SENSITIVITY_TABLE_H_

// sensitivities.json: what was measured, on what, and how well it predicts. One
// table serves any budget and any solver; one that was fitted for a budget says
// which. Version 2 adds the fit at that budget, bias and cost; files of version
// 1 are read, these left empty.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/budget.h"
#include "core/error.h"
#include "core/unit.h"
#include "estimators/sensitivity_estimator.h"
#include "estimators/surrogate.h"

namespace bitpact {

struct SensitivityTable {
  std::string estimator;  // its name
  std::string quantizer;  // its name
  std::vector<Unit> units;
  std::vector<FormatRule> formats;  // options, most precise first
  Estimate estimate;
  // Over all assignments, and over those that fill the target budget (not
  // measured without one). Where the estimator only ranks (predicts_loss of
  // sensitivity_estimator.h is false) rank_correlation alone means something.
  FitQuality fit;
  FitQuality fit_at_budget;
  bool predicts_loss = true;
  std::int64_t target_byte_limit = 0;  // 0: fitted for no budget
  // permutations, alpha and seed are in the file.
  EstimateOptions options;
  std::int64_t calibration_tokens = 0;
  // That the estimator asked for, rounded (estimate.cost has them exactly).
  std::int64_t evaluations = 0;
  ModelBytes model_bytes;  // for budgets
  // "model", "text": fingerprints (core/hash.h).
  std::map<std::string, std::string> inputs;
};

// Formats of one option for people: "4 bit".
std::string OptionName(const FormatRule& rule);

Expected<void> WriteSensitivityTable(const std::filesystem::path& file,
                                     const SensitivityTable& table);

// Every length, index and number is checked; kInvalidArgument names the field.
Expected<SensitivityTable> ReadSensitivityTable(
    const std::filesystem::path& file);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_SENSITIVITY_TABLE_H_
