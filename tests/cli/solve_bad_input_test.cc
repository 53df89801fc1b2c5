// SPDX-License-Identifier: Apache-2.0
// What `bitpact solve` says to bad problem files and flags: one line that names
// what is wrong, exit status 2.

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/problem_file.h"
#include "tests/cli/program.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SolveBadInput : public ::testing::Test {
 protected:
  [[nodiscard]] std::string File(const std::string& name) const {
    return folder_.File(name).string();
  }

  void ExpectRefusal(std::vector<std::string> arguments,
                     const ::testing::Matcher<std::string>& message) const {
    arguments.insert(arguments.begin(), "solve");
    const ProgramResult result = RunProgram(arguments);
    EXPECT_EQ(result.status, 2) << result.errors;
    EXPECT_THAT(result.errors, message);
    EXPECT_THAT(result.errors, ::testing::StartsWith("bitpact: "));
    EXPECT_EQ(std::count(result.errors.begin(), result.errors.end(), '\n'), 1)
        << result.errors;
    EXPECT_EQ(result.output, "");
  }

  // A problem of the units "first" and "second" with the options "low" and
  // "high", in which `from` is replaced by `to`.
  void ExpectRefusal(const std::string& from,
                     const std::string& to,
                     const ::testing::Matcher<std::string>& message) const {
    std::string text = R"({"format": "bitpact.problem", "version": 1,
"tool_version": "x", "constant": 0, "resources": [{"name": "bytes", "limit": 9}],
"units": [{"name": "first", "options": [{"name": "low", "cost": 1.5, "sizes": [2]},
                                        {"name": "high", "cost": 0, "sizes": [4]}]},
          {"name": "second", "options": [{"name": "low", "cost": 2.5, "sizes": [3]},
                                         {"name": "high", "cost": 0, "sizes": [6]}]}],
"pins": [], "ties": [], "pair_terms": [[0, 2, 0.25]], "pair_blocks": []})";
    const std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    WriteWhole(File("problem.json"), text.replace(at, from.size(), to));
    ExpectRefusal({File("problem.json")}, message);
  }

  TemporaryFolder folder_;
};

TEST_F(SolveBadInput, CoefficientsThatAreNoNumbersNameUnitAndOption) {
  for (const std::string bad :
       {"NaN", "nan", "Infinity", "-Infinity", "1e999", "-1e999", "null"}) {
    ExpectRefusal("2.5",
                  bad,
                  AllOf(HasSubstr("units[1].options[0].cost"),
                        HasSubstr("unit 'second', option 'low'"),
                        HasSubstr(bad)));
  }
  ExpectRefusal(
      "0.25", "NaN", AllOf(HasSubstr("pair_terms[0]"), HasSubstr("array")));
  ExpectRefusal("\"constant\": 0", "\"constant\": NaN", HasSubstr("constant"));
}

TEST_F(SolveBadInput, Sizes) {
  ExpectRefusal("\"sizes\": [3]",
                "\"sizes\": [-3]",
                AllOf(HasSubstr("unit 1 'second' option 0 'low'"),
                      HasSubstr("-3"),
                      HasSubstr(">= 0")));
  ExpectRefusal(
      "\"sizes\": [3]",
      "\"sizes\": [9223372036854775808]",
      AllOf(HasSubstr("unit 'second', option 'low'"), HasSubstr("2^63")));
  ExpectRefusal("\"sizes\": [6]",
                "\"sizes\": [4611686018427387904]",
                AllOf(HasSubstr("second"), HasSubstr("2^62")));
  ExpectRefusal("\"sizes\": [3]",
                "\"sizes\": [3.5]",
                HasSubstr("unit 'second', option 'low'"));
  ExpectRefusal("\"sizes\": [3]",
                "\"sizes\": [3, 1]",
                AllOf(HasSubstr("second"), HasSubstr("2 sizes for 1")));
}

TEST_F(SolveBadInput, EmptyUnits) {
  ExpectRefusal(R"([{"name": "low", "cost": 2.5, "sizes": [3]},
                                         {"name": "high", "cost": 0, "sizes": [6]}])",
                "[]",
                HasSubstr("unit 1 'second' has no options"));
}

TEST_F(SolveBadInput, ContradictoryPinsAndTies) {
  ExpectRefusal(
      "\"pins\": []",
      R"("pins": [{"unit": 0, "option": 0}, {"unit": 0, "option": 1}])",
      AllOf(HasSubstr("first"), HasSubstr("pin")));
  ExpectRefusal("\"pins\": [], \"ties\": []",
                R"("pins": [{"unit": 0, "option": 0}, {"unit": 1, "option": 1}],
                "ties": [[0, 1]])",
                HasSubstr("pin"));
}

TEST_F(SolveBadInput, NewerVersionAndForeignFormat) {
  ExpectRefusal("\"version\": 1",
                "\"version\": 99",
                AllOf(HasSubstr("version"), HasSubstr("99")));
  ExpectRefusal("bitpact.problem", "bitpact.plan", HasSubstr("format"));
  ExpectRefusal("\"units\"", "{", HasSubstr("not valid JSON"));
}

TEST_F(SolveBadInput, FilesThatAreNoProblem) {
  ExpectRefusal({File("absent.json")}, HasSubstr("absent.json"));
  ExpectRefusal({folder_.path().string()}, HasSubstr("cannot be read"));
  WriteWhole(File("poem"), "so much depends\nupon\n");
  ExpectRefusal({File("poem")}, HasSubstr("name it: problem, qkp, bqp or opb"));
  ExpectRefusal({File("poem"), "--format", "novel"},
                HasSubstr("problem, qkp, bqp, opb"));
  WriteWhole(File("cut.txt"), "tiny\n3\n5 4 3\n1 2\n");
  ExpectRefusal({File("cut.txt")}, HasSubstr("cut.txt"));
}

TEST_F(SolveBadInput, SolversThatAreNotThereOrCannot) {
  const AllocationProblem problem = bitpact::testing::RandomProblem(
      {.units = 30, .options = 3, .resources = 2}, 1);
  ASSERT_TRUE(WriteProblem(File("problem.json"), problem, {}));
  const std::string file = File("problem.json");
  ExpectRefusal({file, "--solver", "gurobi"},
                AllOf(HasSubstr("unknown solver 'gurobi'"),
                      HasSubstr("built in: auto, anneal"),
                      HasSubstr("enumerate")));
  ExpectRefusal({file, "--solver", "enumerate"}, HasSubstr("enumerate"));
  ExpectRefusal({file, "--solver", "greedy", "--pool", "0"},
                HasSubstr("pool_size = 0"));
  ExpectRefusal({file, "--time-limit", "-1"}, HasSubstr("time_limit_s = -1"));
  ExpectRefusal({file, "--gap", "nan"}, HasSubstr("relative_gap"));
  ExpectRefusal({file, "--threads", "-2"}, HasSubstr("threads = -2"));
  ExpectRefusal({file, "--node-limit", "-5"}, HasSubstr("node_limit = -5"));
  ExpectRefusal({file, "--linearization", "glover"}, HasSubstr("--write-lp"));
  ExpectRefusal({file, "--write-lp", "/no/such/folder/m.lp", "--write-only"},
                HasSubstr("/no/such/folder"));
}

TEST_F(SolveBadInput, WarmStartsThatDoNotFit) {
  const AllocationProblem problem =
      bitpact::testing::RandomProblem({.units = 6}, 1);
  ASSERT_TRUE(WriteProblem(File("problem.json"), problem, {}));
  const std::string file = File("problem.json");
  ASSERT_EQ(RunProgram({"solve", file, "-o", File("r.json")}).status, 0);
  const std::string good = ReadWhole(File("r.json"));
  const auto spoilt = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    WriteWhole(File("bad.json"), text);
    return std::vector<std::string>{file, "--warm-start", File("bad.json")};
  };
  ExpectRefusal(spoilt("\"unit\": \"unit3\"", "\"unit\": \"other\""),
                HasSubstr("'unit3'"));
  ExpectRefusal(spoilt("\"name\": \"option", "\"name\": \"choice"),
                AllOf(HasSubstr("'unit0'"), HasSubstr("choice")));
  ExpectRefusal(spoilt("bitpact.result", "bitpact.report"),
                HasSubstr("bitpact.result"));
  ExpectRefusal({file, "--warm-start", File("absent.json")},
                HasSubstr("absent.json"));
  // Feasible for another budget only.
  AllocationProblem tighter = problem;
  tighter.resources[0].limit = ComputeSizeRange(problem, 0).least;
  ASSERT_TRUE(WriteProblem(File("tight.json"), tighter, {}));
  ExpectRefusal({File("tight.json"), "--warm-start", File("r.json")},
                HasSubstr("warm start uses"));
}

}  // namespace
}  // namespace bitpact::test
