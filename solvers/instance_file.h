// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_INSTANCE_FILE_H_
#define BITPACT_SOLVERS_INSTANCE_FILE_H_

// A problem from any file that bitpact reads: its own problem.json, or one of
// the published formats.

#include <filesystem>
#include <string>

#include "core/error.h"
#include "solvers/allocation_problem.h"

namespace bitpact {

enum class InstanceFormat {
  kProblem,  // solvers/problem_file.h
  kQkp,      // solvers/qkp_reader.h
  kBqp,      // solvers/bqp_reader.h
  kOpb,      // solvers/opb_reader.h
};

// "problem", "qkp", "bqp", "opb".
const char* InstanceFormatName(InstanceFormat format);
// kInvalidArgument lists the names.
Expected<InstanceFormat> ParseInstanceFormat(const std::string& name);

// By content: '{' opens problem.json; '*' or "min:" an OPB file; a first line
// of two whole numbers a BQP; a first line of one word followed by a line of
// one number a QKP. Else by the extensions .json, .opb, .sparse, .txt (QKP).
// kNotFound; kInvalidArgument when neither helps.
Expected<InstanceFormat> DetectInstanceFormat(
    const std::filesystem::path& file);

struct Instance {
  AllocationProblem problem;
  InstanceFormat format = InstanceFormat::kProblem;
  // The file states a maximum (QKP): its values are the negatives of the
  // problem's.
  [[nodiscard]] bool maximises() const {
    return format == InstanceFormat::kQkp;
  }
};

// Whatever the format's reader says; the problem has passed Validate.
Expected<Instance> ReadInstance(const std::filesystem::path& file,
                                InstanceFormat format);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_INSTANCE_FILE_H_
