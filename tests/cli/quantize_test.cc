// SPDX-License-Identifier: Apache-2.0
// `bitpact quantize` and `eval` of what it writes, through the program.

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <limits>
#include <string>
#include <thread>

#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/safetensors.h"
#include "tests/cli/program.h"

namespace bitpact::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class QuantizeCommand : public testing::Test {
 protected:
  ProgramResult Quantize(std::vector<std::string> flags) const {
    std::vector<std::string> all = {
        "quantize", fixture_.model.folder().string(), "-o", out().string()};
    all.insert(all.end(), flags.begin(), flags.end());
    return RunProgram(all);
  }
  ProgramResult Gptq(std::vector<std::string> flags) const {
    flags.insert(flags.end(),
                 {"--quantizer",
                  "gptq",
                  "--text",
                  fixture_.text().string(),
                  "--calibration-tokens",
                  "150"});
    return Quantize(flags);
  }
  double Perplexity(const std::filesystem::path& folder) const {
    const auto json = fixture_.output().parent_path() / "eval.json";
    const ProgramResult result = RunProgram({"eval",
                                             folder.string(),
                                             "--eval",
                                             fixture_.eval().string(),
                                             "--eval-tokens",
                                             "150",
                                             "--json",
                                             json.string()});
    EXPECT_EQ(result.status, 0) << result.errors;
    return (*ParseJsonFile(json))["perplexity"].get<double>();
  }
  void ExpectRefusal(const ProgramResult& result,
                     const testing::Matcher<std::string>& message) const {
    EXPECT_EQ(result.status, 2);
    EXPECT_THAT(result.errors, message);
    EXPECT_THAT(FilesBelow(out()), testing::IsEmpty());
  }
  std::filesystem::path out() const { return fixture_.output(); }

  ProgramFixture fixture_;
};

TEST_F(QuantizeCommand, TakesEveryQuantizer) {
  for (const std::string name : {"quanto", "hqq"}) {
    const ProgramResult result =
        Quantize({"--bits", "3", "--quantizer", name, "--group-size", "16"});
    EXPECT_EQ(result.status, 0) << result.errors;
    EXPECT_GT(Perplexity(out()), 1.0);
  }
  const ProgramResult result = Gptq({"--bits", "3", "--group-size", "16"});
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_GT(Perplexity(out()), 1.0);
  EXPECT_EQ((*ParseJsonFile(out() / "plan.json"))["quantizer"], "gptq");
}

TEST_F(QuantizeCommand, RunTakesGptqToo) {
  const ProgramResult run =
      fixture_.Run({"--budget", "4.0bpw", "--quantizer", "gptq"});
  ASSERT_EQ(run.status, 0) << run.errors;
  const Json report = *ParseJsonFile(out() / "report.json");
  EXPECT_NEAR(Perplexity(out() / "quantized"),
              report["rows"].back()["perplexity"].get<double>(),
              1e-4);
}

TEST_F(QuantizeCommand, RefusesContradictions) {
  ExpectRefusal(Quantize({}), HasSubstr("--bits"));
  ExpectRefusal(Quantize({"--bits", "9"}), HasSubstr("--bits = 9"));
  ExpectRefusal(Quantize({"--bits", "4", "--damping", "0.1"}),
                AllOf(HasSubstr("--damping"), HasSubstr("quanto")));
  ExpectRefusal(Quantize({"--bits", "4", "--format", "gguf"}),
                HasSubstr("gguf"));
  ExpectRefusal(Quantize({"--bits", "4", "--quantizer", "gptq"}),
                HasSubstr("--text"));
  ExpectRefusal(Gptq({"--bits", "4", "--damping", "0"}),
                HasSubstr("damping = 0"));
  ExpectRefusal(Quantize({"--bits", "4", "--format", "gptq"}),
                HasSubstr("multiples of 32"));
}

TEST_F(QuantizeCommand, SaysWhichGroupSizesDivide) {
  ExpectRefusal(
      Quantize({"--bits", "4", "--group-size", "32"}),
      AllOf(HasSubstr("--group-size = 32 does not divide the 48 columns"),
            HasSubstr("down_proj"),
            HasSubstr("8, 16, 0")));
}

TEST_F(QuantizeCommand, NamesTheWeightThatIsNotFinite) {
  TinyTensor& tensor =
      fixture_.model.tensors.at("model.layers.1.mlp.up_proj.weight");
  const float bad = std::numeric_limits<float>::infinity();
  std::memcpy(tensor.bytes.data() + 7 * sizeof(float), &bad, sizeof(bad));
  fixture_.model.Write();
  for (const auto& result :
       {Quantize({"--bits", "4"}), Gptq({"--bits", "4"})}) {
    ExpectRefusal(result,
                  AllOf(HasSubstr("model.layers.1.mlp.up_proj.weight"),
                        HasSubstr("value 7 is infinite")));
  }
}

TEST_F(QuantizeCommand, NamesTheActivationThatIsNotFinite) {
  TinyTensor& tensor =
      fixture_.model.tensors.at("model.layers.0.self_attn.v_proj.weight");
  const float huge = 3e38F;
  for (std::size_t at = 0; at < tensor.bytes.size(); at += sizeof(huge)) {
    std::memcpy(tensor.bytes.data() + at, &huge, sizeof(huge));
  }
  fixture_.model.Write();
  ExpectRefusal(Gptq({"--bits", "4", "--quiet"}),
                HasSubstr("model.layers.0.self_attn."));
}

TEST_F(QuantizeCommand, RefusesAPlanThatDoesNotFitTheModel) {
  ASSERT_EQ(fixture_.Run({"--budget", "4.0bpw"}).status, 0);
  const auto plan = fixture_.text().parent_path() / "plan.json";
  Json json = *ParseJsonFile(out() / "plan.json");
  std::filesystem::remove_all(out());
  const auto refused = [&](const Json& changed, const std::string& word) {
    WriteWhole(plan, changed.dump());
    ExpectRefusal(Quantize({"--plan", plan.string()}), HasSubstr(word));
  };
  Json other = json;
  other["units"][0]["matrices"][0]["tensor"] = "model.layers.9.mlp.x.weight";
  refused(other, "model.layers.9.mlp.x.weight");
  other = json;
  const std::int64_t size = other["units"][2]["size_bytes"];
  other["units"].erase(2);
  other["size_bytes"] = other["size_bytes"].get<std::int64_t>() - size;
  refused(other, "leaves out 1 of the model's 14 linear matrices");
}

TEST_F(QuantizeCommand, RefusesUnfinishedWorkOfAnotherRun) {
  std::filesystem::create_directories(out() / "unfinished");
  const std::string key =
      R"({"format": "bitpact.parts", "version": 1, "tool_version": "0",)"
      R"( "inputs": {"model": "xxh3:0"}})";
  WriteWhole(out() / "unfinished/key.json", key);
  const ProgramResult result = Quantize({"--bits", "4"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.errors, HasSubstr("inputs.model = "));
  EXPECT_THAT(FilesBelow(out()), testing::ElementsAre("unfinished/key.json"));
}

TEST_F(QuantizeCommand, TruncatedResultsAreRefused) {
  ASSERT_EQ(Quantize({"--bits", "4"}).status, 0);
  const std::string whole = ReadWhole(out() / "model.safetensors");
  WriteWhole(out() / "model.safetensors", whole.substr(0, whole.size() - 1));
  const ProgramResult result =
      RunProgram({"eval", out().string(), "--eval", fixture_.eval().string()});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.errors, HasSubstr("model.safetensors"));
}

TEST_F(QuantizeCommand, TakesColumnsThatNeverHadAnInput) {
  TinyTensor& norm =
      fixture_.model.tensors.at("model.layers.0.input_layernorm.weight");
  std::memset(norm.bytes.data() + 3 * sizeof(float), 0, sizeof(float));
  fixture_.model.Write();
  const ProgramResult result = Gptq({"--bits", "4", "--group-size", "16"});
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_NEAR(std::log(Perplexity(out())),
              std::log(Perplexity(fixture_.model.folder())),
              0.5);
}

// Fewer tokens than columns: the Hessian's rank is too small.
TEST_F(QuantizeCommand, SaysWhichHessianNeededMoreDamping) {
  const ProgramResult result = Quantize({"--bits",
                                         "4",
                                         "--group-size",
                                         "16",
                                         "--quantizer",
                                         "gptq",
                                         "--text",
                                         fixture_.text().string(),
                                         "--calibration-tokens",
                                         "4",
                                         "--window",
                                         "16",
                                         "--damping",
                                         "1e-12"});
  EXPECT_EQ(result.status, 0) << result.errors;
  EXPECT_THAT(result.errors,
              AllOf(HasSubstr("tensor \"model.layers.0.mlp.down_proj.weight\""),
                    HasSubstr("not positive definite with damping 1e-12; "),
                    HasSubstr("was used")));
}

// Overwrites bytes of a stored tensor.
void Patch(const std::filesystem::path& file,
           const std::string& tensor,
           const std::string& bytes) {
  std::string whole = ReadWhole(file);
  {
    const auto opened = SafetensorsFile::Open(file);
    ASSERT_TRUE(opened) << opened.error().message;
    for (const StoredTensor& stored : opened->tensors()) {
      if (stored.name != tensor) continue;
      const auto at = stored.bytes.data() - opened->bytes().data();
      whole.replace(static_cast<std::size_t>(at), bytes.size(), bytes);
    }
  }
  WriteWhole(file, whole);
}

TEST_F(QuantizeCommand, EvalRefusesNumbersOutOfRange) {
  const auto refused = [&](const std::string& tensor,
                           const std::string& bytes,
                           const std::string& message) {
    ASSERT_EQ(
        Quantize({"--bits", "3", "--group-size", "16", "--integer-zero-points"})
            .status,
        0);
    Patch(out() / "model.safetensors", tensor, bytes);
    const ProgramResult result = RunProgram(
        {"eval", out().string(), "--eval", fixture_.eval().string()});
    EXPECT_EQ(result.status, 2);
    EXPECT_THAT(
        result.errors,
        AllOf(HasSubstr("model.layers.1.mlp.up_proj"), HasSubstr(message)));
  };
  const std::string name = "model.layers.1.mlp.up_proj.weight.";
  refused(name + "zero_points", "\x08", "row 0, group 0 = 8");
  refused(name + "scales", std::string("\x00\x7c", 2), "not finite");
}

// The shipped model has shapes that GPTQ checkpoints can hold.
TEST(QuantizeShippedModel, EvalRefusesAGroupOutOfRange) {
  const TemporaryFolder folder;
  const std::string out = folder.File("gptq").string();
  const ProgramResult made = RunProgram({"quantize",
                                         ShippedModel().string(),
                                         "--bits",
                                         "4",
                                         "--group-size",
                                         "32",
                                         "--format",
                                         "gptq",
                                         "-o",
                                         out});
  ASSERT_EQ(made.status, 0) << made.errors;
  const std::string module = "model.layers.0.mlp.down_proj";
  Patch(folder.File("gptq") / "model.safetensors",
        module + ".g_idx",
        std::string("\x00\x01\x00\x00", 4));
  const ProgramResult result = RunProgram(
      {"eval", out, "--eval", (ShippedModel() / "evaluation.txt").string()});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(
      result.errors,
      AllOf(HasSubstr(module), HasSubstr("g_idx of input 0 = 256 violates")));
}

// Starts the program and kills it once `file` is there; false if it ended
// before.
bool KillWhenThereIs(const std::filesystem::path& file,
                     std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), BITPACT_PROGRAM);
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    execv(BITPACT_PROGRAM, words.data());
    _exit(127);
  }
  int status = 0;
  while (!std::filesystem::exists(file)) {
    if (waitpid(child, &status, WNOHANG) == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST(QuantizeShippedModel, GoesOnAfterItWasKilled) {
  const TemporaryFolder folder;
  const auto arguments = [&](const std::string& out) {
    return std::vector<std::string>{"quantize",
                                    ShippedModel().string(),
                                    "--bits",
                                    "3",
                                    "--group-size",
                                    "32",
                                    "--quantizer",
                                    "gptq",
                                    "--calibration-tokens",
                                    "3000",
                                    "--quiet",
                                    "-o",
                                    folder.File(out).string()};
  };
  const auto part =
      folder.File("killed") /
      "unfinished/model.layers.0.self_attn.o_proj.weight.safetensors";
  if (!KillWhenThereIs(part, arguments("killed"))) {
    GTEST_SKIP() << "it was done before it could be killed";
  }
  EXPECT_FALSE(std::filesystem::exists(folder.File("killed/config.json")));
  const ProgramResult rest = RunProgram(arguments("killed"));
  ASSERT_EQ(rest.status, 0) << rest.errors;
  ASSERT_EQ(RunProgram(arguments("whole")).status, 0);
  for (const std::string& file : FilesBelow(folder.File("whole"))) {
    EXPECT_EQ(ReadWhole(folder.File("killed") / file),
              ReadWhole(folder.File("whole") / file))
        << file;
  }
  EXPECT_EQ(FilesBelow(folder.File("killed")),
            FilesBelow(folder.File("whole")));
}

// The shipped model has shapes that GPTQ checkpoints can hold.
TEST(QuantizeShippedModel, GptqFolderHasThePerplexityOfOurs) {
  const TemporaryFolder folder;
  double perplexity[2] = {};
  for (const int form : {0, 1}) {
    const std::string out = folder.File(form == 0 ? "own" : "gptq").string();
    const ProgramResult made = RunProgram({"quantize",
                                           ShippedModel().string(),
                                           "--bits",
                                           "3",
                                           "--group-size",
                                           "32",
                                           "--integer-zero-points",
                                           "--format",
                                           form == 0 ? "bitpact" : "gptq",
                                           "-o",
                                           out});
    ASSERT_EQ(made.status, 0) << made.errors;
    const std::string json = folder.File("eval.json").string();
    const ProgramResult eval =
        RunProgram({"eval",
                    out,
                    "--eval",
                    (ShippedModel() / "evaluation.txt").string(),
                    "--eval-tokens",
                    "500",
                    "--json",
                    json});
    ASSERT_EQ(eval.status, 0) << eval.errors;
    perplexity[form] = (*ParseJsonFile(json))["perplexity"].get<double>();
  }
  EXPECT_NEAR(perplexity[0], perplexity[1], 1e-4);
}

}  // namespace
}  // namespace bitpact::test
