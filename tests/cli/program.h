// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_CLI_PROGRAM_H_
#define BITPACT_TESTS_CLI_PROGRAM_H_

// Runs the program as a user would.

#include <filesystem>
#include <string>
#include <vector>

#include "tests/models/tiny_model.h"

namespace bitpact::test {

struct ProgramResult {
  int status = -1;
  std::string output;  // standard output
  std::string errors;  // standard error
};

ProgramResult RunProgram(const std::vector<std::string>& arguments);
// The same behind other words, e.g. {"mpirun", "-n", "3"}.
ProgramResult RunProgramBehind(const std::vector<std::string>& before,
                               const std::vector<std::string>& arguments);

// The folder of the model that the project ships.
std::filesystem::path ShippedModel();

// A random model with the shipped tokenizer, and two texts that do not overlap:
// everything that a run needs, small enough for the sanitizers.
class ProgramFixture {
 public:
  ProgramFixture();
  // Spoil the model through this and call its Write.
  TinyModel model;
  [[nodiscard]] std::filesystem::path text() const {
    return folder_.File("text.txt");
  }
  [[nodiscard]] std::filesystem::path eval() const {
    return folder_.File("eval.txt");
  }
  [[nodiscard]] std::filesystem::path output() const {
    return folder_.File("out");
  }
  // `run` with few samples on this model and these texts, then `more`.
  [[nodiscard]] ProgramResult Run(const std::vector<std::string>& more) const;

 private:
  TemporaryFolder folder_;
};

// Names of all files below a folder, sorted; empty when it does not exist.
std::vector<std::string> FilesBelow(const std::filesystem::path& folder);

}  // namespace bitpact::test

#endif  // BITPACT_TESTS_CLI_PROGRAM_H_
