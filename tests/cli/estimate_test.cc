// SPDX-License-Identifier: Apache-2.0
// `bitpact estimate` with numbers from outside and over several processes.

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "estimators/sensitivity_table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/product_precision.h"
#include "tests/cli/program.h"

namespace bitpact::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Words = std::vector<std::string>;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Everything but the wall clock.
std::vector<std::string> TableLines(const std::filesystem::path& folder) {
  std::vector<std::string> lines =
      Lines(ReadWhole(folder / "sensitivities.json"));
  std::erase_if(lines, [](const std::string& line) {
    return line.find("\"seconds\"") != std::string::npos;
  });
  return lines;
}

class Estimate : public testing::Test {
 protected:
  Words Arguments(const std::string& output, const Words& more) const {
    Words words = {"estimate",
                   fixture_.model.folder().string(),
                   "--permutations",
                   "4",
                   "--held-out",
                   "3",
                   "--granularity",
                   "fused",
                   "--quiet",
                   "-o",
                   Folder(output).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Words OnText() const {
    return {"--text", fixture_.text().string(), "--calibration-tokens", "150"};
  }
  std::filesystem::path Folder(const std::string& name) const {
    return fixture_.output() / name;
  }
  void ExpectRefusal(const Words& more,
                     const testing::Matcher<std::string>& message) {
    const ProgramResult result = RunProgram(Arguments("refused", more));
    EXPECT_EQ(result.status, 2) << result.errors;
    EXPECT_THAT(result.errors, message);
    EXPECT_THAT(result.errors, testing::StartsWith("bitpact: "));
    EXPECT_FALSE(
        std::filesystem::exists(Folder("refused") / "sensitivities.json"));
  }
  // A script that answers with a loss that falls with every option of 0, and
  // does `before` first.
  std::string Script(const std::string& before) const {
    const auto file = fixture_.model.folder() / "loss.sh";
    WriteWhole(file,
               "read -r hello\n"
               "echo '{\"protocol\":\"bitpact.value_function\","
               "\"version\":1}'\n"
               "while read -r q; do\n"
               "id=${q#*:}; id=${id%%,*}; o=${q#*[}; o=${o%%]*}\n" +
                   before +
                   "\n"
                   "sum=1; IFS=,; k=1\n"
                   "for x in $o; do sum=$((sum + x * k)); k=$((k + 1)); done\n"
                   "unset IFS\n"
                   "echo \"{\\\"id\\\":$id,\\\"loss\\\":$sum}\"\n"
                   "done\n");
    return "sh '" + file.string() + "'";
  }

  ProgramFixture fixture_;
};

TEST_F(Estimate, PlaysAnOutsideProgramAndRemembersItsAnswers) {
  const Words more = {"--value-function",
                      Script(":"),
                      "--workers",
                      "2",
                      "--estimator",
                      "shapley"};
  const ProgramResult first = RunProgram(Arguments("out", more));
  ASSERT_EQ(first.status, 0) << first.errors;
  const auto table = ReadSensitivityTable(Folder("out") / "sensitivities.json");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->estimate.base_loss, 1.0);
  for (std::size_t u = 0; u < table->units.size(); ++u) {
    EXPECT_NEAR(table->estimate.surrogate.linear[u][1],
                static_cast<double>(u) + 1.0,
                1e-9);
  }
  const ProgramResult again = RunProgram(Arguments("out", more));
  EXPECT_EQ(again.status, 0) << again.errors;
  EXPECT_THAT(again.output, HasSubstr(" 0 evaluations"));
}

TEST_F(Estimate, OutsideProgramsThatAreOfNoUseAreRefused) {
  ExpectRefusal({"--value-function", "exit 3"}, HasSubstr("exit status 3"));
  ExpectRefusal({"--value-function", "echo hello; cat"}, HasSubstr("'hello'"));
  ExpectRefusal(
      {"--value-function", Script("echo nonsense")},
      AllOf(HasSubstr("answers 'nonsense'"), HasSubstr("not a JSON object")));
  ExpectRefusal({"--value-function", "true", "--workers", "0"},
                HasSubstr("--workers"));
  ExpectRefusal({"--value-function", "true", "--answer-timeout", "-1"},
                HasSubstr("--answer-timeout"));
  ExpectRefusal(
      {"--value-function",
       Script("echo \"{\\\"id\\\":$id,\\\"loss\\\":NaN}\"; continue")},
      AllOf(HasSubstr("assignment 0"), HasSubstr("nan")));
}

constexpr const char* kCosts =
    "# measured elsewhere\n"
    "unit,option,cost,standard_error\n"
    "layers.0.qkv,2,0.25,0.5\nlayers.0.self_attn.o_proj,2,0.5,0.5\n"
    "layers.0.mlp.gate_up,2,1,0.5\nlayers.0.mlp.down_proj,2 bit,2,0.5\n"
    "\"layers.1.qkv\", 2, 4e0, 0.5\nlayers.1.self_attn.o_proj,2,8,0.5\n"
    "layers.1.mlp.gate_up,2,16,0.5\nlayers.1.mlp.down_proj,2,-32,0.5\n";
constexpr const char* kPairs =
    "unit_a,option_a,unit_b,option_b,cost\n"
    "layers.1.qkv,2,layers.0.qkv,2,0.125\n";

TEST_F(Estimate, TakesSensitivitiesFromATable) {
  const auto csv = fixture_.model.folder() / "costs.csv";
  const auto pairs = fixture_.model.folder() / "pairs.csv";
  WriteWhole(csv, kCosts);
  WriteWhole(pairs, kPairs);
  const ProgramResult result = RunProgram(Arguments("out",
                                                    {"--sensitivities",
                                                     csv.string(),
                                                     "--sensitivity-pairs",
                                                     pairs.string()}));
  ASSERT_EQ(result.status, 0) << result.errors;
  const auto file = Folder("out") / "sensitivities.json";
  const auto table = ReadSensitivityTable(file);
  ASSERT_TRUE(table) << table.error().message;
  const Surrogate& surrogate = table->estimate.surrogate;
  ASSERT_EQ(surrogate.linear.size(), 8U);
  EXPECT_EQ(surrogate.linear[4], (std::vector<double>{0.0, 4.0}));
  EXPECT_EQ(surrogate.linear[7], (std::vector<double>{0.0, -32.0}));
  EXPECT_EQ(surrogate.linear_standard_error[0][1], 0.5);
  ASSERT_EQ(surrogate.pairs.size(), 1U);
  EXPECT_EQ(surrogate.pairs[0].unit_a, 0);
  EXPECT_EQ(surrogate.pairs[0].unit_b, 4);
  EXPECT_EQ(surrogate.pairs[0].value, 0.125);
  const ProgramResult plan = RunProgram({"allocate",
                                         file.string(),
                                         "--budget",
                                         "4.0bpw",
                                         "-o",
                                         Folder("plan").string()});
  EXPECT_EQ(plan.status, 0) << plan.errors;
}

TEST_F(Estimate, TablesThatMakeNoSenseAreRefusedWithTheLine) {
  const auto csv = fixture_.model.folder() / "costs.csv";
  const std::string good = kCosts;
  const auto refused = [&](const std::string& text, const std::string& word) {
    WriteWhole(csv, text);
    ExpectRefusal({"--sensitivities", csv.string()},
                  AllOf(HasSubstr("costs.csv"), HasSubstr(word)));
  };
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  refused("", "unit,option,cost");
  refused(changed("unit,option", "name,option"), "line 2: the header");
  refused(changed("layers.0.qkv", "layers.9.qkv"), "line 3: unit");
  refused(changed("qkv,2,0.25", "qkv,3,0.25"), "line 3: option '3'");
  refused(changed("qkv,2,0.25", "qkv,2,low"), "line 3: 'low'");
  refused(changed("qkv,2,0.25", "qkv,2,nan"), "line 3: 'nan'");
  refused(changed("0.25,0.5", "0.25,-1"), "standard error");
  refused(changed("0.25,0.5", "0.25"), "line 3: 3 values");
  refused(good + "layers.0.qkv,2,1,1\n", "twice");
  refused(changed("layers.0.qkv,2,0.25,0.5\n", ""), "'2' is missing");
  WriteWhole(csv, good);
  ExpectRefusal({"--sensitivities", csv.string() + "x"}, HasSubstr(".csvx"));
  ExpectRefusal({"--sensitivity-pairs", "x.csv"},
                HasSubstr("needs --sensitivities"));
  const auto pairs = fixture_.model.folder() / "pairs.csv";
  const std::string header = "unit_a,option_a,unit_b,option_b,cost\n";
  for (const auto& [line, word] :
       std::vector<std::pair<std::string, std::string>>{
           {"layers.0.qkv,2,layers.0.qkv,4,1\n", "itself"},
           {"layers.0.qkv,2,layers.7.qkv,2,1\n", "'layers.7.qkv'"},
           {"layers.0.qkv,2,layers.1.qkv,2,x\n", "'x'"}}) {
    WriteWhole(pairs, header + line);
    ExpectRefusal({"--sensitivities",
                   csv.string(),
                   "--sensitivity-pairs",
                   pairs.string()},
                  AllOf(HasSubstr("pairs.csv: line 2"), HasSubstr(word)));
  }
}

TEST_F(Estimate, KlAndMemoryBoundsGiveTheSameNumbers) {
  Words more = OnText();
  more.insert(more.end(), {"--value", "kl", "--estimator", "isolated"});
  const ProgramResult wide = RunProgram(Arguments("wide", more));
  ASSERT_EQ(wide.status, 0) << wide.errors;
  more.insert(more.end(), {"--game-memory", "2300KiB", "--threads", "1"});
  const ProgramResult tight = RunProgram(Arguments("tight", more));
  ASSERT_EQ(tight.status, 0) << tight.errors;
  EXPECT_EQ(TableLines(Folder("wide")), TableLines(Folder("tight")));
  const auto table =
      ReadSensitivityTable(Folder("wide") / "sensitivities.json");
  ASSERT_TRUE(table);
  EXPECT_GT(table->estimate.lowest_loss, table->estimate.base_loss);
  // Another loss is another game.
  const ProgramResult other = RunProgram(Arguments("wide", OnText()));
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.errors, HasSubstr("key.value"));
}

TEST_F(Estimate, SaysWhatItMultipliedAndKeepsTheGamesApart) {
  ExpectRefusal({"--products", "float8"},
                AllOf(HasSubstr("--products 'float8'"), HasSubstr("bfloat16")));
  Words quick = OnText();
  quick.insert(quick.end(), {"--estimator", "isolated"});
  Words rounded = quick;
  rounded.insert(rounded.end(), {"--products", "bfloat16"});
  const ProgramResult ran = RunProgram(Arguments("rounded", rounded));
  ASSERT_EQ(ran.status, 0) << ran.errors;
  const auto table =
      ReadSensitivityTable(Folder("rounded") / "sensitivities.json");
  ASSERT_TRUE(table);
  const bool available = IsAvailable(ProductPrecision::kBfloat16);
  EXPECT_EQ(table->inputs.at("products"),
            available ? "bfloat16"
                      : "float32 (asked bfloat16, which this processor lacks)");
  const ProgramResult other = RunProgram(Arguments("rounded", quick));
  EXPECT_EQ(other.status, available ? 2 : 0);
  if (available) {
    EXPECT_THAT(other.errors, HasSubstr("key.products"));
  }
}

TEST_F(Estimate, ResumeInsistsOnAnEarlierRun) {
  Words again = OnText();
  again.emplace_back("--resume");
  ExpectRefusal(again,
                AllOf(HasSubstr("--resume"), HasSubstr("evaluations.jsonl")));
  ASSERT_EQ(RunProgram(Arguments("out", OnText())).status, 0);
  const ProgramResult resumed = RunProgram(Arguments("out", again));
  ASSERT_EQ(resumed.status, 0) << resumed.errors;
  EXPECT_THAT(resumed.output, HasSubstr("0 evaluations"));
}

class MpiEstimate : public Estimate {
 protected:
  void SetUp() override {
#ifndef BITPACT_HAVE_MPI
    GTEST_SKIP() << "built without MPI";
#endif
    if (std::system("mpirun --version >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "mpirun is not installed";
    }
  }
  static ProgramResult OnRanks(int count, const Words& arguments) {
    return RunProgramBehind({"mpirun",
                             "--allow-run-as-root",
                             "--oversubscribe",
                             // Open MPI keeps what it allocated at its end.
                             "-x",
                             "ASAN_OPTIONS=detect_leaks=0",
                             "-n",
                             std::to_string(count)},
                            arguments);
  }
  void ExpectSameFiles(const std::string& a, const std::string& b) const {
    EXPECT_EQ(TableLines(Folder(a)), TableLines(Folder(b)));
    // Lines come in the order in which ranks answer.
    auto first = Lines(ReadWhole(Folder(a) / "evaluations.jsonl"));
    auto second = Lines(ReadWhole(Folder(b) / "evaluations.jsonl"));
    std::ranges::sort(first);
    std::ranges::sort(second);
    EXPECT_EQ(first, second);
  }
};

TEST_F(MpiEstimate, RanksGiveTheFilesOfOneProcess) {
  const ProgramResult one = RunProgram(Arguments("one", OnText()));
  ASSERT_EQ(one.status, 0) << one.errors;
  const ProgramResult four = OnRanks(4, Arguments("four", OnText()));
  ASSERT_EQ(four.status, 0) << four.errors;
  EXPECT_EQ(std::ranges::count(four.output, '\n'),
            std::ranges::count(one.output, '\n'))
      << four.output;
  ExpectSameFiles("one", "four");
}

TEST_F(MpiEstimate, AKilledRankEndsTheRunAndTheNextGoesOn) {
  const std::string marker = (fixture_.model.folder() / "killed").string();
  // The ninetieth question of a copy, after the first write to the disk, kills
  // the rank that asks it.
  const std::string dies =
      "n=$((n + 1)); sleep 0.02\n"
      "if [ \"$n\" = 90 ] && [ ! -e '" +
      marker + "' ]; then : > '" + marker + "'; kill -9 $PPID; exit; fi";
  // So that the rank is the parent of the script.
  const Words whole = {
      "--value-function", "exec " + Script(dies), "--estimator", "coopq"};
  const ProgramResult killed = OnRanks(3, Arguments("out", whole));
  EXPECT_NE(killed.status, 0);
  ASSERT_TRUE(std::filesystem::exists(marker)) << killed.errors;
  EXPECT_FALSE(std::filesystem::exists(Folder("out") / "sensitivities.json"));
  const auto lines = Lines(ReadWhole(Folder("out") / "evaluations.jsonl"));
  EXPECT_GT(lines.size(), 4U);
  Words again = whole;
  again.emplace_back("--resume");
  const ProgramResult resumed = OnRanks(3, Arguments("out", again));
  ASSERT_EQ(resumed.status, 0) << resumed.errors;
  EXPECT_THAT(resumed.output,
              HasSubstr(std::to_string(lines.size() - 1) + " recalled"));
  const ProgramResult one = RunProgram(Arguments("one", whole));
  ASSERT_EQ(one.status, 0) << one.errors;
  ExpectSameFiles("one", "out");
}

TEST_F(MpiEstimate, BadInputIsSaidOnce) {
  Words more = OnText();
  more.insert(more.end(), {"--estimator", "guesswork"});
  const ProgramResult flag = OnRanks(3, Arguments("out", more));
  EXPECT_NE(flag.status, 0);
  const auto count = [](const std::string& text, const std::string& word) {
    int found = 0;
    for (std::size_t at = text.find(word); at != std::string::npos;
         at = text.find(word, at + 1)) {
      ++found;
    }
    return found;
  };
  EXPECT_EQ(count(flag.errors, "guesswork"), 1) << flag.errors;
  const ProgramResult text =
      OnRanks(3, Arguments("out", {"--text", "/no/such/text"}));
  EXPECT_NE(text.status, 0);
  EXPECT_EQ(count(text.errors, "/no/such/text"), 1) << text.errors;
  const ProgramResult other =
      OnRanks(2, {"info", fixture_.model.folder().string()});
  EXPECT_NE(other.status, 0);
  EXPECT_EQ(count(other.errors, "only 'estimate'"), 1) << other.errors;
}

}  // namespace
}  // namespace bitpact::test
