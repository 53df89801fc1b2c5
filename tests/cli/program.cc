// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/program.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace bitpact::test {
namespace {

namespace fs = std::filesystem;

std::string Quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) {
    text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return text + "'";
}

TinyModelShape ProgramShape() {
  TinyModelShape shape;
  shape.hidden = 32;
  shape.intermediate = 48;
  shape.head_dim = 8;
  shape.vocab = 512;  // the shipped tokenizer's
  shape.tied = true;
  return shape;
}

// Documents of the shipped text, from `skip` on.
std::string Documents(const std::string& text, int skip, int count) {
  const std::string separator = "<|endoftext|>";
  std::string part;
  std::size_t at = 0;
  for (int i = 0; i < skip + count; ++i) {
    const std::size_t end = text.find(separator, at);
    if (end == std::string::npos) break;
    if (i >= skip) part += text.substr(at, end + separator.size() - at) + "\n";
    at = end + separator.size();
  }
  return part;
}

}  // namespace

fs::path ShippedModel() {
  return fs::path(BITPACT_SOURCE_DIR) / "datasets" / "tinyworld";
}

ProgramResult RunProgram(const std::vector<std::string>& arguments) {
  return RunProgramBehind({}, arguments);
}

ProgramResult RunProgramBehind(const std::vector<std::string>& before,
                               const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  std::string command;
  for (const std::string& word : before) command += Quoted(word) + " ";
  command += Quoted(BITPACT_PROGRAM);
  for (const std::string& argument : arguments) {
    command += " " + Quoted(argument);
  }
  command += " >" + Quoted(folder.File("output").string()) + " 2>" +
             Quoted(folder.File("errors").string());
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          ReadWhole(folder.File("output")),
          ReadWhole(folder.File("errors"))};
}

ProgramFixture::ProgramFixture() : model(ProgramShape()) {
  fs::copy_file(ShippedModel() / "tokenizer.model",
                model.folder() / "tokenizer.model");
  const std::string whole = ReadWhole(ShippedModel() / "calibration.txt");
  WriteWhole(text(), Documents(whole, 0, 6));
  WriteWhole(eval(), Documents(whole, 6, 6));
}

ProgramResult ProgramFixture::Run(const std::vector<std::string>& more) const {
  std::vector<std::string> arguments = {"run", model.folder().string()};
  const std::vector<std::pair<std::string, std::string>> defaults = {
      {"--text", text().string()},
      {"--eval", eval().string()},
      {"--permutations", "4"},
      {"--held-out", "3"},
      {"--random-plans", "1"},
      {"--calibration-tokens", "150"},
      {"--eval-tokens", "150"},
      {"-o", output().string()}};
  for (const auto& [flag, value] : defaults) {
    if (std::find(more.begin(), more.end(), flag) != more.end()) continue;
    arguments.push_back(flag);
    arguments.push_back(value);
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunProgram(arguments);
}

std::vector<std::string> FilesBelow(const fs::path& folder) {
  std::vector<std::string> names;
  if (!fs::exists(folder)) return names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      names.push_back(fs::relative(entry.path(), folder).string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace bitpact::test
