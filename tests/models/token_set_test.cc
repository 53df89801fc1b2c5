// SPDX-License-Identifier: Apache-2.0
#include "models/token_set.h"

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

std::filesystem::path TokenizerFile() {
  return std::filesystem::path(BITPACT_SOURCE_DIR) /
         "datasets/tinyworld/tokenizer.model";
}

class TokenSetTest : public testing::Test {
 protected:
  TokenSetTest() {
    std::filesystem::copy_file(TokenizerFile(),
                               folder_.File("tokenizer.model"));
    Expected<Tokenizer> loaded = Tokenizer::Load(folder_.path());
    EXPECT_TRUE(loaded) << loaded.error().message;
    tokenizer_ = std::move(*loaded);
  }

  // The ids of a text with BOS in front.
  std::vector<int> WithBos(const std::string& text) {
    std::vector<int> ids = tokenizer_.Encode(text);
    ids.insert(ids.begin(), tokenizer_.bos_id());
    return ids;
  }

  TokenSet Make(const std::string& text, const TokenSetOptions& options) {
    Expected<TokenSet> set =
        MakeTokenSet(text, "text", tokenizer_, 256, options);
    EXPECT_TRUE(set) << set.error().message;
    return std::move(*set);
  }

  void ExpectInvalid(const std::string& text,
                     const TokenSetOptions& options,
                     const std::string& word) {
    const auto set = MakeTokenSet(text, "text", tokenizer_, 256, options);
    ASSERT_FALSE(set) << word;
    EXPECT_EQ(set.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(set.error().message, HasSubstr(word));
  }

  const std::string one_ = "Anna has three apples and gives one to Ben.";
  const std::string two_ = "The red box is in the kitchen near the door.";
  test::TemporaryFolder folder_;
  Tokenizer tokenizer_;
};

TEST_F(TokenSetTest, EncodesAndDecodes) {
  const std::vector<int> ids = tokenizer_.Encode(one_);
  EXPECT_GT(ids.size(), 5U);
  EXPECT_EQ(tokenizer_.Decode(ids), one_);
  EXPECT_GT(tokenizer_.vocab_size(), 256);
  for (const int id : ids) EXPECT_LT(id, tokenizer_.vocab_size());
  EXPECT_GE(tokenizer_.bos_id(), 0);
}

TEST_F(TokenSetTest, DocumentsAreStrippedAndStartWithBos) {
  const TokenSet set =
      Make(one_ + "\n<|endoftext|>\n\n " + two_ + " \n", {.min_tokens = 2});
  ASSERT_EQ(set.windows.size(), 2U);
  EXPECT_EQ(set.windows[0].tokens, WithBos(one_));
  EXPECT_EQ(set.windows[1].tokens, WithBos(two_));
  EXPECT_EQ(set.windows[0].first_predicted, 1);
  EXPECT_EQ(set.predicted,
            std::ssize(WithBos(one_)) + std::ssize(WithBos(two_)) - 2);
}

TEST_F(TokenSetTest, SeparatorNeedsNoLineOfItsOwn) {
  const TokenSet set =
      Make(one_ + "<|endoftext|>" + two_ + "<|endoftext|><|endoftext|>",
           {.min_tokens = 2});
  ASSERT_EQ(set.windows.size(), 2U);
  EXPECT_EQ(set.windows[1].tokens, WithBos(two_));
}

TEST_F(TokenSetTest, LongDocumentsAreCutAtTheWindowsPredictions) {
  const TokenSet set =
      Make(one_ + "<|endoftext|>" + two_, {.window = 6, .min_tokens = 2});
  for (const TokenWindow& window : set.windows) {
    EXPECT_EQ(window.tokens.size(), 7U);
    EXPECT_EQ(window.predicted(), 6);
  }
}

TEST_F(TokenSetTest, ShortDocumentsAreSkipped) {
  const auto length = static_cast<int>(WithBos(two_).size());
  const std::string text = "Yes.<|endoftext|>" + two_;
  EXPECT_EQ(Make(text, {.min_tokens = length}).windows.size(), 1U);
  ExpectInvalid(text, {.min_tokens = length + 1}, "min_tokens");
}

TEST_F(TokenSetTest, SkipsDocumentsInFront) {
  const std::string text = one_ + "<|endoftext|>" + two_;
  const TokenSet set = Make(text, {.min_tokens = 2, .skip_documents = 1});
  ASSERT_EQ(set.windows.size(), 1U);
  EXPECT_EQ(set.windows[0].tokens, WithBos(two_));
  ExpectInvalid(text, {.skip_documents = 2}, "first 2");
}

TEST_F(TokenSetTest, EndsWithTheDocumentThatReachesTheLimit) {
  std::string text = one_;
  for (int i = 0; i < 9; ++i) text += "<|endoftext|>" + one_;
  const std::int64_t each = std::ssize(WithBos(one_)) - 1;
  EXPECT_EQ(Make(text, {.min_tokens = 2, .max_predicted = 3 * each}).predicted,
            3 * each);
  EXPECT_EQ(
      Make(text, {.min_tokens = 2, .max_predicted = 3 * each + 1}).predicted,
      4 * each);
  EXPECT_EQ(Make(text, {.min_tokens = 2}).predicted, 10 * each);
}

TEST_F(TokenSetTest, WindowsPredictEveryTokenOnce) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += one_ + "\n" + two_ + "\n";
  const std::vector<int> stream = tokenizer_.Encode(text);
  for (const int stride : {1, 3, 15, 16}) {
    SCOPED_TRACE(stride);
    const TokenSet set = Make(text, {.window = 16, .stride = stride});
    std::vector<int> predicted;
    for (std::size_t w = 0; w < set.windows.size(); ++w) {
      const TokenWindow& window = set.windows[w];
      EXPECT_EQ(window.tokens[0], tokenizer_.bos_id());
      EXPECT_LE(window.tokens.size(), 17U);
      const std::size_t begin = w * static_cast<std::size_t>(stride);
      for (std::size_t i = 1; i < window.tokens.size(); ++i) {
        ASSERT_EQ(window.tokens[i], stream[begin + i - 1]);
      }
      predicted.insert(predicted.end(),
                       window.tokens.begin() + window.first_predicted,
                       window.tokens.end());
    }
    EXPECT_EQ(predicted, stream);
    EXPECT_EQ(set.predicted, std::ssize(stream));
  }
}

TEST_F(TokenSetTest, ModeCanBeForced) {
  const std::string text = one_ + "<|endoftext|>" + two_;
  const TokenSet windows =
      Make(text, {.mode = TextMode::kWindows, .window = 10});
  EXPECT_EQ(windows.predicted, std::ssize(tokenizer_.Encode(text)));
  const TokenSet documents =
      Make(one_, {.mode = TextMode::kDocuments, .min_tokens = 2});
  EXPECT_EQ(documents.windows.size(), 1U);
}

TEST_F(TokenSetTest, FingerprintFollowsTokensAndBorders) {
  const std::string text = one_ + "<|endoftext|>" + two_;
  const TokenSetOptions options{.min_tokens = 2};
  const std::string first = Make(text, options).fingerprint;
  EXPECT_EQ(Make(text, options).fingerprint, first);
  EXPECT_NE(Make(two_ + "<|endoftext|>" + one_, options).fingerprint, first);
  EXPECT_NE(Make(text, {.window = 8, .min_tokens = 2}).fingerprint, first);
}

TEST_F(TokenSetTest, SomeWindowsAreASetOfTheirOwn) {
  const TokenSet all =
      Make(one_ + "<|endoftext|>" + two_ + "<|endoftext|>" + one_ + two_, {});
  ASSERT_EQ(all.windows.size(), 3U);
  const std::vector<int> places = {2, 0};
  const TokenSet some = TakeWindows(all, places);
  ASSERT_EQ(some.windows.size(), 2U);
  EXPECT_EQ(some.windows[0].tokens, all.windows[2].tokens);
  EXPECT_EQ(some.windows[1].tokens, all.windows[0].tokens);
  EXPECT_EQ(some.predicted, all.predicted - all.windows[1].predicted());
  EXPECT_EQ(some.document_hashes, all.document_hashes);
  EXPECT_NE(some.fingerprint, all.fingerprint);
  const std::vector<int> everything = {0, 1, 2};
  EXPECT_EQ(TakeWindows(all, everything).fingerprint, all.fingerprint);
}

TEST_F(TokenSetTest, EmptyAndShortTexts) {
  for (const char* text :
       {"", " \n\t", "<|endoftext|>", "\n<|endoftext|> \n"}) {
    ExpectInvalid(text, {.mode = TextMode::kDocuments}, "text: ");
  }
  ExpectInvalid("", {}, "empty");
  ExpectInvalid("Too short.", {}, "one window predicts 256");
}

TEST_F(TokenSetTest, OptionsOutOfRange) {
  ExpectInvalid(one_, {.window = 257}, "window = 257");
  ExpectInvalid(one_, {.window = -1}, "window = -1");
  ExpectInvalid(one_, {.window = 8, .stride = 9}, "stride = 9");
  ExpectInvalid(one_, {.stride = -1}, "stride = -1");
  ExpectInvalid(one_, {.min_tokens = 1}, "min_tokens = 1");
  ExpectInvalid(one_, {.max_predicted = -1}, "max_predicted = -1");
  ExpectInvalid(one_, {.skip_documents = -1}, "skip_documents = -1");
}

TEST_F(TokenSetTest, MissingFileIsNotFound) {
  const auto set = ReadTokenSet(folder_.File("none.txt"), tokenizer_, 256, {});
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::kNotFound);
}

TEST(Tokenizer, FolderWithoutOne) {
  const test::TemporaryFolder folder;
  const auto missing = Tokenizer::Load(folder.path());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("tokenizer.model"));
  test::WriteWhole(folder.File("tokenizer.json"), "{}");
  const auto other = Tokenizer::Load(folder.path());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(other.error().message, HasSubstr("tokenizer.json"));
}

TEST(Tokenizer, BrokenFilesAreDataLoss) {
  const test::TemporaryFolder folder;
  const std::string whole = test::ReadWhole(TokenizerFile());
  for (const std::string& bytes : {std::string(),
                                   std::string("hello"),
                                   std::string(1000, '\xff'),
                                   whole.substr(0, whole.size() / 2),
                                   whole.substr(0, 100)}) {
    test::WriteWhole(folder.File("tokenizer.model"), bytes);
    const auto tokenizer = Tokenizer::Load(folder.path());
    ASSERT_FALSE(tokenizer) << bytes.size();
    EXPECT_EQ(tokenizer.error().code, ErrorCode::kDataLoss);
    EXPECT_THAT(tokenizer.error().message, HasSubstr("tokenizer.model"));
  }
}

TEST(Tokenizer, MorePiecesThanTheModelHasRows) {
  const test::TinyModel folder({});
  std::filesystem::copy_file(TokenizerFile(),
                             folder.folder() / "tokenizer.model");
  const auto tokenizer = Tokenizer::Load(folder.folder());
  ASSERT_FALSE(tokenizer);
  EXPECT_EQ(tokenizer.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(tokenizer.error().message, HasSubstr("vocab_size = 37"));
}

TEST_F(TokenSetTest, ADocumentThatIsCutElsewhereIsStillTheSame) {
  const std::string between = "<|endoftext|>";
  const TokenSet a = Make(one_ + between + two_, {.min_tokens = 2});
  // Another window cuts the document, so no window is the same.
  const TokenSet b = Make(two_ + "!" + between + "\n" + two_ + between,
                          {.window = 3, .min_tokens = 2});
  const auto shared = SharedDocument(a, b);
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->first, 1U);
  EXPECT_EQ(shared->second, 1U);
  EXPECT_FALSE(SharedDocument(Make(one_ + between, {.min_tokens = 2}), b));
}

TEST_F(TokenSetTest, LongLinesOfRunningTextAreCompared) {
  std::string line;
  while (line.size() < kPassageBytes) line += one_ + " ";
  std::string other;
  while (other.size() < kPassageBytes) other += two_ + " ";
  const TokenSetOptions running{.mode = TextMode::kWindows, .window = 8};
  const TokenSet a = Make(other + "\n" + line, running);
  const TokenSet moved = Make(one_ + "\n" + line + "\n", running);
  const auto shared = SharedDocument(a, moved);
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->first, 1U);
  EXPECT_EQ(shared->second, 0U);
  // Short lines stand in many texts.
  EXPECT_FALSE(SharedDocument(Make(one_ + "\n" + one_, running), moved));
  // Lines behind the set's end are free.
  const TokenSet front =
      Make(other + "\n" + line,
           {.mode = TextMode::kWindows, .window = 8, .max_predicted = 8});
  EXPECT_FALSE(SharedDocument(front, moved));
}

}  // namespace
}  // namespace bitpact
