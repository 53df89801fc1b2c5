// SPDX-License-Identifier: Apache-2.0
#include "estimators/memoised_game.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/estimators/toy_games.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class MemoisedGameTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(testing::TempDir()) /
        ("memoised_" +
         std::string(
             testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    file_ = folder_ / "evaluations.jsonl";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string Read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  void Write(const std::string& text) const {
    std::ofstream(file_, std::ios::binary) << text;
  }
  // Fills the file with three evaluations.
  void Fill() {
    MemoisedGame memo(game_);
    ASSERT_TRUE(memo.AttachFile(file_, key_));
    const std::vector<FormatAssignment> asked = {
        {0, 0, 0}, {1, 0, 1}, {1, 1, 1}};
    ASSERT_TRUE(memo.Evaluate(asked));
  }

  FunctionGame game_{3,
                     2,
                     [](const FormatAssignment& q) {
                       return 1.0 / 3.0 + q[0] + 2 * q[1] + 4 * q[2];
                     },
                     {5.0, 7.0}};
  std::map<std::string, std::string> key_ = {{"model", "m1"}, {"text", "t1"}};
  fs::path folder_;
  fs::path file_;
};

TEST_F(MemoisedGameTest, EvaluatesEachAssignmentOnce) {
  MemoisedGame memo(game_);
  const std::vector<FormatAssignment> asked = {
      {1, 0, 0}, {0, 0, 0}, {1, 0, 0}, {1, 1, 1}};
  const auto first = memo.Evaluate(asked);
  const auto second = memo.Evaluate(asked);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(game_.evaluations, 3);
  EXPECT_EQ(memo.evaluations(), 3);
  EXPECT_EQ((*first)[0].window_loss, (*second)[2].window_loss);
  EXPECT_NEAR((*first)[3].loss, 1.0 / 3.0 + 7.0, 1e-12);
}

TEST_F(MemoisedGameTest, ALaterRunContinuesFromTheFile) {
  Fill();
  const int before = game_.evaluations;
  MemoisedGame memo(game_);
  ASSERT_TRUE(memo.AttachFile(file_, key_));
  EXPECT_EQ(memo.recalled(), 3);
  const std::vector<FormatAssignment> asked = {{1, 0, 1}, {0, 1, 0}};
  const auto values = memo.Evaluate(asked);
  ASSERT_TRUE(values);
  EXPECT_EQ(game_.evaluations, before + 1);
  // The same bits, not a rounded copy.
  EXPECT_EQ((*values)[0].window_loss[0], (1.0 / 3.0 + 5.0) * 5.0);
}

TEST_F(MemoisedGameTest, AsksEachWindowOnceAndKeepsItInTheFile) {
  Fill();
  const std::vector<WindowQuestion> asked = {
      {1, {0, 1, 0}}, {0, {1, 0, 1}}, {1, {0, 1, 0}}, {0, {0, 1, 1}}};
  std::vector<double> first;
  {
    MemoisedGame memo(game_);
    ASSERT_TRUE(memo.AttachFile(file_, key_));
    const int before = game_.evaluations;
    const auto sums = memo.EvaluateWindows(asked);
    ASSERT_TRUE(sums);
    first = *sums;
    // {1, 0, 1} is in the file as a whole; the toy game runs whole assignments.
    EXPECT_EQ(game_.evaluations, before + 2);
    EXPECT_EQ(memo.token_evaluations(), 7.0 + 5.0);
    EXPECT_EQ(first[0], (1.0 / 3.0 + 2.0) * 7.0);
    EXPECT_EQ(first[1], (1.0 / 3.0 + 5.0) * 5.0);
    EXPECT_EQ(first[2], first[0]);
  }
  MemoisedGame later(game_);
  ASSERT_TRUE(later.AttachFile(file_, key_));
  EXPECT_EQ(later.recalled(), 3);
  EXPECT_EQ(*later.EvaluateWindows(asked), first);
  EXPECT_EQ(later.token_evaluations(), 0.0);
}

TEST_F(MemoisedGameTest, ALineCutShortByACrashIsDropped) {
  Fill();
  const std::string whole = Read(file_);
  Write(whole.substr(0, whole.size() - 9));
  const int before = game_.evaluations;
  {
    MemoisedGame memo(game_);
    ASSERT_TRUE(memo.AttachFile(file_, key_));
    EXPECT_EQ(memo.recalled(), 2);
    ASSERT_TRUE(memo.Evaluate(std::vector<FormatAssignment>{{1, 1, 1}}));
    EXPECT_EQ(game_.evaluations, before + 1);
  }
  EXPECT_EQ(Read(file_), whole);
}

TEST_F(MemoisedGameTest, AnotherKeyIsRefusedNamingTheField) {
  Fill();
  MemoisedGame memo(game_);
  const auto attached =
      memo.AttachFile(file_, {{"model", "m2"}, {"text", "t1"}});
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(attached.error().message, HasSubstr("key.model"));
  // A field that only the file has is another game as well.
  MemoisedGame plain(game_);
  EXPECT_THAT(plain.AttachFile(file_, {{"text", "t1"}}).error().message,
              HasSubstr("key.model"));
  EXPECT_THAT(attached.error().message, HasSubstr("m1"));
  EXPECT_THAT(attached.error().message, HasSubstr("m2"));
}

TEST_F(MemoisedGameTest, DamageInTheMiddleIsDataLossWithTheLine) {
  Fill();
  const std::string whole = Read(file_);
  for (const std::string& broken :
       {std::string("{\"options\":\"1x1\",\"loss\":[1,2]}\n"),
        std::string("{\"options\":\"101\",\"loss\":[1]}\n"),
        std::string("{\"options\":\"1011\",\"loss\":[1,2]}\n"),
        std::string("{\"options\":\"101\",\"loss\":[1,\"2\"]}\n"),
        std::string("{\"options\":\"101\",\"window\":2,\"loss\":[1]}\n"),
        std::string("{\"options\":\"101\",\"window\":0,\"loss\":[1,2]}\n"),
        std::string("[]\n"),
        std::string("rubbish\n")}) {
    Write(whole + broken);
    MemoisedGame memo(game_);
    const auto attached = memo.AttachFile(file_, key_);
    ASSERT_FALSE(attached) << broken;
    EXPECT_EQ(attached.error().code, ErrorCode::kDataLoss) << broken;
    EXPECT_THAT(attached.error().message, HasSubstr("line 5")) << broken;
  }
}

TEST_F(MemoisedGameTest, AnotherFileOfJsonIsNotTakenForALog) {
  Write("{\"format\":\"bitpact.plan\"}\n");
  MemoisedGame memo(game_);
  const auto attached = memo.AttachFile(file_, key_);
  ASSERT_FALSE(attached);
  EXPECT_THAT(attached.error().message, HasSubstr("bitpact.evaluations"));
  EXPECT_EQ(Read(file_), "{\"format\":\"bitpact.plan\"}\n");
}

TEST_F(MemoisedGameTest, ALossThatIsNotFiniteStopsAndNamesTheAssignment) {
  for (const double broken : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    FunctionGame game{
        3,
        2,
        [&](const FormatAssignment& q) { return q[1] == 1 ? broken : 2.0; },
        {5.0, 7.0}};
    MemoisedGame memo(game,
                      {NonFiniteLoss::kStop, {"first", "second", "third"}});
    fs::remove(file_);
    ASSERT_TRUE(memo.AttachFile(file_, key_));
    const auto values =
        memo.Evaluate(std::vector<FormatAssignment>{{1, 0, 0}, {0, 1, 1}});
    ASSERT_FALSE(values);
    EXPECT_THAT(values.error().message, HasSubstr("assignment 011 is"));
    EXPECT_THAT(values.error().message, HasSubstr("second, third"));
    EXPECT_THAT(values.error().message, HasSubstr("window 0"));
    // Nothing that was evaluated is lost.
    EXPECT_TRUE(memo.Evaluate(std::vector<FormatAssignment>{{1, 0, 0}}));
    EXPECT_EQ(game.evaluations, 2);
    EXPECT_THAT(Read(file_), HasSubstr("\"100\""));
  }
}

TEST_F(MemoisedGameTest, ALossThatIsNotFiniteCanCountAsInfinitelyBad) {
  FunctionGame game{
      3,
      2,
      [&](const FormatAssignment& q) { return q[1] == 1 ? HUGE_VAL : 2.0; },
      {5.0, 7.0}};
  const std::vector<FormatAssignment> asked = {{1, 0, 0}, {0, 1, 1}};
  for (int run = 0; run < 2; ++run) {
    MemoisedGame memo(game, {NonFiniteLoss::kInfinite, {}});
    ASSERT_TRUE(memo.AttachFile(file_, key_));
    EXPECT_EQ(memo.recalled(), run == 0 ? 0 : 2);
    const auto values = memo.Evaluate(asked);
    ASSERT_TRUE(values);
    EXPECT_EQ((*values)[0].loss, 2.0);
    EXPECT_DOUBLE_EQ((*values)[1].loss, kStandInLoss);
    EXPECT_EQ(memo.non_finite(), 1);
  }
  EXPECT_EQ(game.evaluations, 2);
  // A run that stops at such losses does not take the stored one for a
  // number.
  MemoisedGame strict(game);
  ASSERT_TRUE(strict.AttachFile(file_, key_));
  EXPECT_EQ(strict.recalled(), 1);
  EXPECT_FALSE(strict.Evaluate(asked));
}

TEST_F(MemoisedGameTest, AnotherVersionOfTheFileIsRefused) {
  Fill();
  std::string text = Read(file_);
  const std::string field = "\"version\":2";
  text.replace(text.find(field), field.size(), "\"version\":1");
  Write(text);
  MemoisedGame memo(game_);
  const auto attached = memo.AttachFile(file_, key_);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(attached.error().message, HasSubstr("'version' = 1"));
  EXPECT_EQ(Read(file_), text);
}

TEST_F(MemoisedGameTest, StandardErrorsAreThoseOfTheRatioOverWindows) {
  FunctionGame game{
      1, 2, [](const FormatAssignment& q) { return q[0] + 1.0; }, {5.0, 7.0}};
  MemoisedGame memo(game);
  const auto values = memo.Evaluate(std::vector<FormatAssignment>{{1}});
  ASSERT_TRUE(values);
  EXPECT_NEAR((*values)[0].standard_error, 0.0, 1e-15);
  const std::vector<double> tokens = {1.0, 1.0};
  // Means 1 and 3, mean 2: sqrt(2 / 1 * (1 + 1)) / 2 = 1.
  EXPECT_DOUBLE_EQ(MakeEvaluation({1.0, 3.0}, tokens).standard_error, 1.0);
}

TEST_F(MemoisedGameTest, TwoRunsCannotAppendToOneFile) {
  MemoisedGame first(game_);
  ASSERT_TRUE(first.AttachFile(file_, key_));
  MemoisedGame second(game_);
  const auto attached = second.AttachFile(file_, key_);
  ASSERT_FALSE(attached);
  EXPECT_EQ(attached.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(attached.error().message, HasSubstr("another run"));
}

}  // namespace
}  // namespace bitpact
