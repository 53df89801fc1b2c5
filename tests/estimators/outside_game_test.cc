// SPDX-License-Identifier: Apache-2.0
#include "estimators/outside_game.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "estimators/memoised_game.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Assignments = std::vector<FormatAssignment>;

constexpr const char* kGreeting =
    R"(echo '{"protocol":"bitpact.value_function","version":1,"name":"t"}')";

class OutsideGameTest : public testing::Test {
 protected:
  // A shell script that greets, then does `body` for every question, whose
  // number is $id.
  std::string Script(const std::string& body,
                     const std::string& greeting = kGreeting) {
    const auto file = folder_.File("script.sh");
    std::ofstream(file) << "read -r hello\n"
                        << greeting << "\n"
                        << "while read -r question; do\n"
                        << "id=${question#*:}; id=${id%%,*}\n"
                        << body << "\ndone\n";
    return "sh '" + file.string() + "'";
  }
  Expected<std::unique_ptr<OutsideGame>> Play(const std::string& command,
                                              int workers = 1,
                                              double patience = 20.0) {
    return OutsideGame::Create(
        units_, {"4 bit", "2 bit"}, {command, workers, patience});
  }
  static std::string Message(const Expected<std::vector<Evaluation>>& values) {
    return values ? std::string("no error") : values.error().message;
  }

  const std::string answer_ = R"(echo "{\"id\":$id,\"loss\":1.5}")";
  std::vector<Unit> units_ = {{"one", {{"one.weight", 8, 8}}},
                              {"two", {{"two.weight", 8, 8}}}};
  test::TemporaryFolder folder_;
};

TEST_F(OutsideGameTest, TheExampleOfTheDocumentationAnswers) {
  if (std::system("python3 -c 'import json' 2>/dev/null") != 0) {
    GTEST_SKIP() << "python3 is not installed";
  }
  const std::string command =
      "python3 '" BITPACT_SOURCE_DIR "/docs/examples/value_function.py'";
  const auto game = Play(command, 3);
  ASSERT_TRUE(game) << game.error().message;
  EXPECT_EQ((*game)->program_name(), "toy 1");
  Assignments asked;
  for (int i = 0; i < 40; ++i) asked.push_back({i % 2, i / 2 % 2});
  const auto values = (*game)->Evaluate(asked);
  ASSERT_TRUE(values) << values.error().message;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const double a = asked[i][0] == 0 ? 1.0 / 16 : 1.0 / 4;
    const double b = asked[i][1] == 0 ? 1.0 / 16 : 1.0 / 4;
    EXPECT_DOUBLE_EQ((*values)[i].loss, 2.0 + (a + 2 * b + a * b) / 2);
  }
}

TEST_F(OutsideGameTest, WindowsAndLossesThatAreNotFiniteArePassedOn) {
  const auto game =
      Play(Script(R"(echo "{\"id\":$id,\"window_loss\":[1.5,NaN]}")",
                  R"(echo '{"protocol":"bitpact.value_function","version":1,)"
                  R"("window_tokens":[10,30]}')"));
  ASSERT_TRUE(game) << game.error().message;
  EXPECT_THAT((*game)->window_tokens(), testing::ElementsAre(10.0, 30.0));
  const auto values = (*game)->Evaluate(Assignments{{0, 1}});
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ((*values)[0].window_loss[0], 1.5);
  EXPECT_TRUE(std::isnan((*values)[0].window_loss[1]));
}

TEST_F(OutsideGameTest, ADeadWorkerIsStartedAgainForTheSameQuestion) {
  const std::string marker = folder_.File("died").string();
  const auto game =
      Play(Script("if [ $id = 1 ] && [ ! -e '" + marker + "' ]; then : > '" +
                  marker + "'; exit 3; fi\n" + answer_));
  ASSERT_TRUE(game) << game.error().message;
  const auto values = (*game)->Evaluate(Assignments{{0, 0}, {0, 1}, {1, 1}});
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ((*values)[1].loss, 1.5);
  EXPECT_TRUE(std::filesystem::exists(marker));
}

TEST_F(OutsideGameTest, AWorkerThatAlwaysDiesEndsTheRunAndKeepsTheRest) {
  const auto game = Play(Script("[ $id = 1 ] && exit 3\n" + answer_));
  ASSERT_TRUE(game) << game.error().message;
  MemoisedGame memo(**game);
  const auto values = memo.Evaluate(Assignments{{0, 0}, {0, 1}, {1, 1}});
  EXPECT_THAT(Message(values),
              AllOf(HasSubstr("exit status 3"),
                    HasSubstr("3 times"),
                    HasSubstr("\"options\":[0,1]")));
  EXPECT_EQ(memo.evaluations(), 1);
}

TEST_F(OutsideGameTest, SilenceEndsTheRun) {
  const auto game = Play(Script("sleep 30"), 1, 0.3);
  ASSERT_TRUE(game) << game.error().message;
  const auto values = (*game)->Evaluate(Assignments{{0, 0}});
  EXPECT_THAT(Message(values), HasSubstr("was silent"));
}

TEST_F(OutsideGameTest, NonsenseIsShownWithTheRule) {
  for (const auto& [line, rule] :
       std::vector<std::pair<std::string, std::string>>{
           {"hello", "not a JSON object"},
           {"[1]", "not a JSON object"},
           {R"({\"id\":7,\"loss\":1})", "must be 0"},
           {R"({\"loss\":1})", "must be 0"},
           {R"({\"id\":$id})", "either"},
           {R"({\"id\":$id,\"loss\":\"low\"})", "number or null"},
           {R"({\"id\":$id,\"window_loss\":[1,2]})", "sums of 1 windows"},
           {R"({\"id\":$id,\"window_loss\":[\"x\"]})", "sums of 1 windows"},
           {R"({\"id\":$id,\"error\":\"no GPU\"})", "reports an error"}}) {
    const auto game = Play(Script("echo \"" + line + "\""));
    ASSERT_TRUE(game) << game.error().message;
    const auto values = (*game)->Evaluate(Assignments{{0, 0}});
    EXPECT_THAT(Message(values), HasSubstr(rule)) << line;
    EXPECT_THAT(Message(values), HasSubstr("answers '")) << line;
  }
}

TEST_F(OutsideGameTest, GreetingsAreChecked) {
  const auto message = [&](const std::string& command, double patience = 20.0) {
    const auto game = Play(command, 1, patience);
    return game ? std::string("no error") : game.error().message;
  };
  EXPECT_THAT(message(Script("", "echo hello")), HasSubstr("'hello'"));
  EXPECT_THAT(
      message(Script(
          "", R"(echo '{"protocol":"bitpact.value_function","version":2}')")),
      HasSubstr("version 1"));
  EXPECT_THAT(message(Script("",
                             R"(echo '{"protocol":"bitpact.value_function",)"
                             R"("version":1,"window_tokens":[0]}')")),
              HasSubstr("window_tokens"));
  EXPECT_THAT(message(Script("", "exit 4")), HasSubstr("exit status 4"));
  EXPECT_THAT(message("/no/such/program"), HasSubstr("exit status 127"));
  EXPECT_THAT(message("sleep 30", 0.2), HasSubstr("did not greet"));
}

TEST_F(OutsideGameTest, OptionsAreChecked) {
  EXPECT_TRUE(Validate(OutsideGameOptions{"true", 1, 1.0}));
  EXPECT_FALSE(Validate(OutsideGameOptions{"", 1, 1.0}));
  EXPECT_FALSE(Validate(OutsideGameOptions{"true", 0, 1.0}));
  EXPECT_FALSE(Validate(OutsideGameOptions{"true", 1, 0.0}));
  EXPECT_FALSE(Validate(OutsideGameOptions{"true", 1, std::nan("")}));
}

}  // namespace
}  // namespace bitpact
