// SPDX-License-Identifier: Apache-2.0
// What the program says to bad input: one line that names file, field and
// value, exit status 2 (1 for a budget that cannot be met), and no half-written
// file.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/program.h"

namespace bitpact::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class BadInput : public testing::Test {
 protected:
  // Runs and checks what every refusal has in common.
  void ExpectRefusal(const std::vector<std::string>& flags,
                     int status,
                     const testing::Matcher<std::string>& message) {
    const ProgramResult result = fixture_.Run(flags);
    EXPECT_EQ(result.status, status) << result.errors;
    EXPECT_THAT(result.errors, message);
    EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1)
        << result.errors;
    EXPECT_THAT(result.errors, testing::StartsWith("bitpact: "));
    EXPECT_THAT(FilesBelow(fixture_.output()), testing::IsEmpty());
  }
  void ExpectRefusal(const testing::Matcher<std::string>& message) {
    ExpectRefusal({"--budget", "4.0bpw"}, 2, message);
  }
  std::filesystem::path ModelFile(const std::string& name) const {
    return fixture_.model.folder() / name;
  }

  ProgramFixture fixture_;
};

TEST_F(BadInput, TruncatedWeights) {
  const std::string whole = ReadWhole(ModelFile("model.safetensors"));
  for (const std::size_t size : {std::size_t{0},
                                 std::size_t{7},
                                 std::size_t{100},
                                 whole.size() / 2,
                                 whole.size() - 1}) {
    WriteWhole(ModelFile("model.safetensors"), whole.substr(0, size));
    ExpectRefusal(HasSubstr("model.safetensors"));
  }
}

TEST_F(BadInput, LyingHeaderLength) {
  std::string whole = ReadWhole(ModelFile("model.safetensors"));
  const std::uint64_t lie = std::numeric_limits<std::uint64_t>::max() - 3;
  std::memcpy(whole.data(), &lie, sizeof(lie));
  WriteWhole(ModelFile("model.safetensors"), whole);
  ExpectRefusal(
      AllOf(HasSubstr("model.safetensors"), HasSubstr(std::to_string(lie))));
}

TEST_F(BadInput, MissingTensor) {
  fixture_.model.tensors.erase("model.layers.1.mlp.up_proj.weight");
  fixture_.model.Write();
  ExpectRefusal(HasSubstr("model.layers.1.mlp.up_proj.weight"));
}

TEST_F(BadInput, NaNWeight) {
  TinyTensor& tensor =
      fixture_.model.tensors.at("model.layers.0.mlp.down_proj.weight");
  const float bad = std::nanf("");
  std::memcpy(tensor.bytes.data() + 5 * sizeof(float), &bad, sizeof(bad));
  fixture_.model.Write();
  ExpectRefusal(AllOf(HasSubstr("model.layers.0.mlp.down_proj.weight"),
                      HasSubstr("value 5 is NaN")));
}

TEST_F(BadInput, UnknownArchitecture) {
  fixture_.model.config["architectures"] = {"MambaForCausalLM"};
  fixture_.model.config["model_type"] = "mamba";
  fixture_.model.Write();
  ExpectRefusal(AllOf(HasSubstr("config.json"), HasSubstr("amba")));
}

TEST_F(BadInput, NoModelFolder) {
  const ProgramResult result =
      RunProgram({"run", "/no/such/folder", "--budget", "3.0bpw"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.errors, HasSubstr("/no/such/folder"));
}

TEST_F(BadInput, EmptyText) {
  WriteWhole(fixture_.text(), "");
  ExpectRefusal(HasSubstr("text.txt"));
}

TEST_F(BadInput, TextShorterThanAWindow) {
  WriteWhole(fixture_.eval(), "only a few words");
  ExpectRefusal(HasSubstr("eval.txt"));
}

TEST_F(BadInput, EvaluationOnCalibrationText) {
  WriteWhole(fixture_.eval(), ReadWhole(fixture_.text()));
  ExpectRefusal(AllOf(HasSubstr("eval.txt"), HasSubstr("text.txt")));
}

TEST_F(BadInput, BudgetBelowTheLeastSizeSaysWhichUnitsForceIt) {
  ExpectRefusal(
      {"--budget", "1.0bpw"},
      1,
      AllOf(HasSubstr("least"), HasSubstr("greatest"), HasSubstr("mlp.")));
  ExpectRefusal({"--budget", "100B"}, 1, HasSubstr("kept"));
}

TEST_F(BadInput, BudgetThatIsNoSize) {
  for (const std::string budget : {"3",
                                   "bpw",
                                   "-3bpw",
                                   "0bpw",
                                   "nanbpw",
                                   "3.0 bpw",
                                   "1e400B",
                                   "3.0bpw!"}) {
    ExpectRefusal(
        {"--budget=" + budget}, 2, HasSubstr("budget '" + budget + "'"));
  }
}

TEST_F(BadInput, FlagsOutOfRange) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--bits", "1,4"}, "--bits"},
      {{"--bits", "4"}, "--bits"},
      {{"--bits", "4,4"}, "--bits"},
      {{"--group-size", "-8"}, "--group-size"},
      {{"--granularity", "atom"}, "atom"},
      {{"--permutations", "3"}, "permutations"},
      {{"--alpha", "1.5"}, "alpha"},
      {{"--alpha", "nan"}, "alpha"},
      {{"--solver", "oracle"}, "oracle"},
      {{"--estimator", "oracle"}, "oracle"},
      {{"--quantizer", "oracle"}, "oracle"},
      {{"--threads", "-1"}, "threads = -1"},
      {{"--gap", "-1"}, "gap"},
      {{"--calibration-tokens", "0"}, "--calibration-tokens"},
      {{"--window", "-1"}, "window = -1"},
      {{"--window", "1000000"}, "window = 1000000"},
      {{"--text-mode", "poem"}, "poem"},
  };
  for (const auto& [flags, word] : cases) {
    std::vector<std::string> all = {"--budget", "4.0bpw"};
    all.insert(all.end(), flags.begin(), flags.end());
    ExpectRefusal(all, 2, HasSubstr(word));
  }
}

TEST_F(BadInput, UnknownFlagsEndWithStatusTwo) {
  EXPECT_EQ(fixture_.Run({"--budget", "4.0bpw", "--frobnicate"}).status, 2);
  EXPECT_EQ(RunProgram({}).status, 2);
  EXPECT_EQ(RunProgram({"dance"}).status, 2);
}

TEST_F(BadInput, FolderThatCannotBeWritten) {
  // A path below a regular file cannot be made, not even by root.
  const ProgramResult result = RunProgram({"run",
                                           fixture_.model.folder().string(),
                                           "--text",
                                           fixture_.text().string(),
                                           "--eval",
                                           fixture_.eval().string(),
                                           "--budget",
                                           "4.0bpw",
                                           "-o",
                                           (fixture_.text() / "out").string()});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.errors, HasSubstr("text.txt/out"));
}

TEST_F(BadInput, EvaluationsOfAnotherGameAreRefused) {
  ASSERT_EQ(fixture_.Run({"--budget", "4.0bpw"}).status, 0);
  const std::string plan = ReadWhole(fixture_.output() / "plan.json");
  const ProgramResult result =
      fixture_.Run({"--budget", "4.0bpw", "--bits", "2,8"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.errors, HasSubstr("key.formats"));
  EXPECT_EQ(ReadWhole(fixture_.output() / "plan.json"), plan);
}

TEST_F(BadInput, FilesBetweenStepsAreChecked) {
  ASSERT_EQ(fixture_.Run({"--budget", "4.0bpw"}).status, 0);
  const auto out = fixture_.output();
  const auto refused = [](const std::vector<std::string>& arguments,
                          const std::string& word) {
    const ProgramResult result = RunProgram(arguments);
    EXPECT_EQ(result.status, 2) << word;
    EXPECT_THAT(result.errors, HasSubstr(word));
  };
  const std::string plan = (out / "plan.json").string();
  const std::string other = (out / "other").string();
  refused({"allocate", plan, "--budget", "3bpw", "-o", other}, "format");
  refused({"quantize",
           fixture_.model.folder().string(),
           (out / "result.json").string(),
           "-o",
           other},
          "format");
  WriteWhole(out / "cut.json", ReadWhole(plan).substr(0, 200));
  refused({"quantize",
           fixture_.model.folder().string(),
           (out / "cut.json").string(),
           "-o",
           other},
          "cut.json");
  std::string weights = ReadWhole(out / "quantized/model.safetensors");
  WriteWhole(out / "quantized/model.safetensors",
             weights.substr(0, weights.size() - 8));
  refused({"eval",
           (out / "quantized").string(),
           "--eval",
           fixture_.eval().string()},
          "model.safetensors");
  EXPECT_THAT(FilesBelow(other), testing::IsEmpty());
}

TEST_F(BadInput, FlagsOfTheGameThatMakeNoSense) {
  for (const auto& [flag, value] :
       std::vector<std::pair<std::string, std::string>>{
           {"--value", "accuracy"},
           {"--on-nan", "ignore"},
           {"--game-memory", "3bpw"},
           {"--game-memory", "plenty"},
           {"--game-memory", "1KiB"},
           {"--held-out", "-1"}}) {
    ExpectRefusal({"--budget", "4.0bpw", flag, value}, 2, HasSubstr(flag));
  }
}

TEST_F(BadInput, CalibrationTextShorterThanAsked) {
  ExpectRefusal({"--budget", "4.0bpw", "--calibration-tokens", "1000000"},
                2,
                AllOf(HasSubstr("--calibration-tokens = 1,000,000"),
                      HasSubstr("text.txt has only")));
}

TEST_F(BadInput, EvaluationOnADocumentOfTheCalibrationText) {
  // The document stands elsewhere and behind more white space.
  const std::string text = ReadWhole(fixture_.text());
  const std::string separator = "<|endoftext|>";
  const std::string first = text.substr(0, text.find(separator));
  WriteWhole(fixture_.eval(),
             ReadWhole(fixture_.eval()) + "\n  " + first + "\n" + separator);
  ExpectRefusal({"--budget", "4.0bpw", "--eval-tokens", "0"},
                2,
                AllOf(HasSubstr("eval.txt: document"),
                      HasSubstr("document 0 of the calibration text")));
}

}  // namespace
}  // namespace bitpact::test
