// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CLI_HIPR_RUN_H_
#define BITPACT_CLI_HIPR_RUN_H_

// The work behind `bitpact hipr` once its flags and texts are read.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pipeline.h"
#include "core/error.h"
#include "models/block_reconstruction.h"
#include "models/model.h"
#include "models/token_set.h"

namespace bitpact {

// Every field is a flag of the command.
struct HiprFlags {
  std::filesystem::path model;
  std::string budget;
  std::optional<std::filesystem::path> text;
  std::optional<std::filesystem::path> eval;
  std::filesystem::path output = "out";
  std::int64_t eval_tokens = 20000;
  int bits = 2;
  int high_bits = 3;
  std::vector<double> ratios = {0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5};
  std::vector<double> pair_ratios;  // empty: all
  std::string pairs = "block";
  std::string allocation = "quadratic";
  std::vector<int> compare_bits = {kFloat16Bits};
  bool hybrid = false;
  ReconstructionOptions learning;
  SolveFlags solve;
  bool solver_given = false;
  MeasureOptions measure;  // group size, symmetric, quantizer, text, value
  TextFlags tokens;
  CommonFlags common;
};

// What --allocation names, for people.
const std::map<std::string, std::string>& HiprAllocations();

struct HiprTexts {
  TokenSet calibration;
  TokenSet evaluation;
  std::string evaluation_file;
};

// Measures the quadratic model, solves it, measures the plan beside others of
// the same bytes, and writes all of it. flags: valid.
Expected<Exit> RunHipr(const HiprFlags& flags,
                       const Model& model,
                       const HiprTexts& texts);

}  // namespace bitpact

#endif  // BITPACT_CLI_HIPR_RUN_H_
