// SPDX-License-Identifier: Apache-2.0
// `bitpact solve` as a user runs it.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/problem_file.h"
#include "tests/cli/program.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact::test {
namespace {

using bitpact::testing::RandomProblem;
using bitpact::testing::SolveByBruteForce;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Three items, capacity 4; the best are items 0 and 2: 5 + 3 + 2 = 10.
constexpr const char* kQkp = "tiny\n3\n5 4 3\n1 2\n0\n0\n4\n2 3 2\n";

class Solve : public ::testing::Test {
 protected:
  [[nodiscard]] std::string File(const std::string& name) const {
    return folder_.File(name).string();
  }
  // A problem file of random numbers.
  [[nodiscard]] std::string Problem(
      const bitpact::testing::RandomProblemSpec& spec,
      std::uint64_t seed) const {
    const std::string file = File("problem.json");
    EXPECT_TRUE(WriteProblem(file, RandomProblem(spec, seed), {}));
    return file;
  }
  static ProgramResult Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "solve");
    return RunProgram(arguments);
  }

  TemporaryFolder folder_;
};

TEST_F(Solve, PrintsASummaryOfAProblemFile) {
  const std::string file = Problem({.units = 8, .options = 3}, 3);
  const double optimum =
      SolveByBruteForce(RandomProblem({.units = 8, .options = 3}, 3)).objective;
  const ProgramResult result = Run({file, "--seed", "5"});
  EXPECT_EQ(result.status, 0) << result.errors;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", optimum);
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("status      optimal, no limit reached"),
                    HasSubstr("objective   " + std::string(text.data())),
                    HasSubstr("absolute = objective - bound"),
                    HasSubstr("max(1e-9, |objective|)"),
                    HasSubstr("solver      auto: enumerate, since"),
                    HasSubstr("seed 5"),
                    HasSubstr("resource0: "),
                    HasSubstr("option1 (")));
}

TEST_F(Solve, NegatesWhatAKnapsackFileMaximises) {
  WriteWhole(File("tiny.txt"), kQkp);
  const ProgramResult text = Run({File("tiny.txt")});
  EXPECT_EQ(text.status, 0) << text.errors;
  EXPECT_THAT(text.output,
              AllOf(HasSubstr("objective   -10 "),
                    HasSubstr("maximised: 10)"),
                    HasSubstr("item0, item2")));
  const ProgramResult json = Run({File("tiny.txt"), "--json"});
  const Json body = Json::parse(json.output);
  EXPECT_EQ(body["objective"], -10.0);
  EXPECT_EQ(body["published"]["objective"], 10.0);
  EXPECT_EQ(body["published"]["sense"], "maximise");
}

TEST_F(Solve, TellsFormatsByContent) {
  WriteWhole(File("a"), kQkp);
  WriteWhole(File("b"), "2 2\n1 1 -3\n1 2 5\n");
  WriteWhole(File("c"), "* #variable= 2 #constraint= 0\nmin: -4 x1 +9 x1 x2 ;");
  EXPECT_THAT(Run({File("a")}).output, HasSubstr("qkp file"));
  EXPECT_THAT(Run({File("b")}).output,
              AllOf(HasSubstr("bqp file"), HasSubstr("objective   -3\n")));
  EXPECT_THAT(Run({File("c")}).output,
              AllOf(HasSubstr("opb file"), HasSubstr("objective   -4\n")));
  EXPECT_EQ(Run({File("b"), "--format", "qkp"}).status, 2);
}

TEST_F(Solve, JsonHasAllOfTheResult) {
  const std::string file = Problem({.units = 9}, 4);
  const ProgramResult result = Run({file,
                                    "--solver",
                                    "enumerate",
                                    "--json",
                                    "--pool",
                                    "4",
                                    "--seed",
                                    "7",
                                    "--threads",
                                    "1",
                                    "--gap",
                                    "1e-6",
                                    "-o",
                                    File("result.json")});
  ASSERT_EQ(result.status, 0) << result.errors;
  EXPECT_EQ(result.output, ReadWhole(File("result.json")));
  const Json body = Json::parse(result.output);
  EXPECT_EQ(body["format"], "bitpact.result");
  EXPECT_EQ(body["seed"], 7);
  EXPECT_EQ(body["threads"], 1);
  EXPECT_EQ(body["solver"], "enumerate");
  EXPECT_EQ(body["termination"], "optimal");
  EXPECT_EQ(body["limit"], "none");
  EXPECT_EQ(body["plan"].size(), 9U);
  EXPECT_EQ(body["pool"].size(), 4U);
  EXPECT_EQ(body["options"]["relative_gap"]["asked"], "1e-06");
  EXPECT_LE(body["relative_gap"].get<double>(), 1e-6);
  EXPECT_FALSE(body["trace"].empty());
  EXPECT_EQ(body["trace"].back()["objective"], body["objective"]);
  EXPECT_TRUE(body["nodes"].is_number());
}

TEST_F(Solve, StartsFromAnEarlierResult) {
  const std::string file = Problem({.units = 12}, 6);
  ASSERT_EQ(Run({file, "-o", File("r.json")}).status, 0);
  // No search at all: what comes out is what went in.
  const ProgramResult again = Run({file,
                                   "--solver",
                                   "anneal",
                                   "--node-limit",
                                   "0",
                                   "--warm-start",
                                   File("r.json"),
                                   "--json"});
  ASSERT_EQ(again.status, 0) << again.errors;
  const Json before = Json::parse(ReadWhole(File("r.json")));
  const Json after = Json::parse(again.output);
  EXPECT_EQ(after["objective"], before["objective"]);
  EXPECT_EQ(after["plan"], before["plan"]);
  EXPECT_EQ(after["options"]["warm_start"]["used"], "given");
}

TEST_F(Solve, WritesModelsForOutsideSolvers) {
  const std::string file = Problem({.units = 5}, 2);
  ASSERT_EQ(Run({file,
                 "--write-only",
                 "--write-lp",
                 File("m.lp"),
                 "--write-mps",
                 File("m.mps")})
                .status,
            0);
  EXPECT_THAT(ReadWhole(File("m.lp")), HasSubstr("] / 2"));
  EXPECT_THAT(ReadWhole(File("m.mps")), HasSubstr("QUADOBJ"));
  ASSERT_EQ(Run({file,
                 "--write-only",
                 "--linearization",
                 "glover",
                 "--write-lp",
                 File("g.lp")})
                .status,
            0);
  EXPECT_THAT(ReadWhole(File("g.lp")), Not(HasSubstr("] / 2")));
}

TEST_F(Solve, SaysWhyNoPlanExists) {
  AllocationProblem problem = RandomProblem({.units = 4}, 1);
  problem.resources[0].limit = ComputeSizeRange(problem, 0).least - 1;
  ASSERT_TRUE(WriteProblem(File("problem.json"), problem, {}));
  const ProgramResult result = Run({File("problem.json")});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.errors,
              AllOf(HasSubstr("resource0"), HasSubstr("least possible")));
  EXPECT_THAT(result.output, HasSubstr("status      infeasible"));
}

// Runs `solve` on a problem no solver here finishes, sends `signals` SIGINTs,
// 0.2 s apart, and returns the wait status and the standard output.
std::pair<int, std::string> Interrupted(const std::vector<std::string>& words,
                                        const std::string& output,
                                        int signals) {
  std::vector<std::string> all = {BITPACT_PROGRAM, "solve"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& word : all) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions,
                                   STDOUT_FILENO,
                                   output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC,
                                   0600);
  pid_t child = 0;
  EXPECT_EQ(
      posix_spawn(
          &child, BITPACT_PROGRAM, &actions, nullptr, argv.data(), environ),
      0);
  posix_spawn_file_actions_destroy(&actions);
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  for (int i = 0; i < signals; ++i) {
    kill(child, SIGINT);
    if (i + 1 < signals) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {status, ReadWhole(output)};
}

TEST_F(Solve, CtrlCReturnsTheBestSoFar) {
  const std::string file = Problem({.units = 200, .pair_scale = 0.5}, 12);
  for (const std::string solver :
       {"auto", "branch-and-bound", "anneal", "tabu"}) {
    const auto [status, output] = Interrupted(
        {file, "--solver", solver, "--json", "--quiet"}, File("out"), 1);
    ASSERT_TRUE(WIFEXITED(status)) << solver << ": signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << solver;
    const Json body = Json::parse(output, nullptr, false);
    ASSERT_FALSE(body.is_discarded()) << solver << ": " << output;
    EXPECT_EQ(body["plan"].size(), 200U) << solver;
    if (solver == "auto" || solver == "branch-and-bound") {
      EXPECT_EQ(body["limit"], "stopped") << solver;
    }
  }
}

TEST_F(Solve, CtrlCTwiceEndsTheProgram) {
  const std::string file = Problem({.units = 200, .pair_scale = 0.5}, 12);
  // On a busy machine the two signals may become one, or the first may end it.
  constexpr int kAttempts = 5;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto [status, output] =
        Interrupted({file, "--solver", "branch-and-bound"}, File("out"), 2);
    if (!WIFSIGNALED(status)) continue;
    EXPECT_EQ(WTERMSIG(status), SIGINT) << output;
    return;
  }
  FAIL() << "every attempt ended by itself";
}

}  // namespace
}  // namespace bitpact::test
