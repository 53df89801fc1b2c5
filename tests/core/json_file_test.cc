// SPDX-License-Identifier: Apache-2.0
#include "core/json_file.h"

#include <cmath>
#include <limits>

#include "core/version.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "temporary_folder.h"

namespace bitpact {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

FileHeader TestHeader() {
  FileHeader header;
  header.format = "bitpact.test";
  return header;
}

class JsonFiles : public testing::Test {
 protected:
  // A file with a good header and `members` behind it.
  [[nodiscard]] std::filesystem::path WithBody(
      const std::string& members) const {
    return folder_.Write(
        "t.json",
        R"({"format": "bitpact.test", "version": 1, "tool_version": "0.0.1")" +
            (members.empty() ? "" : ", " + members) + "}");
  }
  [[nodiscard]] JsonFile Read(const std::string& members) const {
    auto file = JsonFile::Read(WithBody(members), "bitpact.test", 1);
    EXPECT_TRUE(file) << file.error().message;
    return std::move(*file);
  }
  [[nodiscard]] Error ReadError(const std::string& text,
                                int newest_version = 1) const {
    const auto file = JsonFile::Read(
        folder_.Write("t.json", text), "bitpact.test", newest_version);
    return file ? Error{ErrorCode::kInternal, "no error"} : file.error();
  }
  // "file: " in front of every message.
  [[nodiscard]] std::string Named(const std::string& rest) const {
    return (folder_.path() / "t.json").string() + ": " + rest;
  }

  TemporaryFolder folder_;
};

TEST_F(JsonFiles, RoundTripHeaderAndBody) {
  const auto path = folder_.path() / "t.json";
  const Json body = {{"number", 0.1}, {"list", {1, 2}}, {"nothing", nullptr}};
  ASSERT_TRUE(WriteJsonFile(path,
                            {.format = "bitpact.test",
                             .version = 2,
                             .tool_version = "ignored",
                             .seed = std::numeric_limits<std::uint64_t>::max(),
                             .inputs = {{"model", "xxh3:00"}}},
                            body));
  const auto file = JsonFile::Read(path, "bitpact.test", 3);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->header().format, "bitpact.test");
  EXPECT_EQ(file->header().version, 2);
  EXPECT_EQ(file->header().tool_version, kToolVersion);
  EXPECT_EQ(file->header().seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(file->header().inputs.at("model"), "xxh3:00");
  EXPECT_EQ(*file->root().Number("number"), 0.1);
  EXPECT_EQ(*file->root().Numbers("list"), (std::vector<double>{1.0, 2.0}));
  EXPECT_FALSE(file->root().Has("nothing"));
}

TEST_F(JsonFiles, KeepTheBitsOfDoubles) {
  const auto path = folder_.path() / "t.json";
  const std::vector<double> values = {1.0 / 3.0,
                                      -0.0,
                                      std::numeric_limits<double>::denorm_min(),
                                      std::numeric_limits<double>::max()};
  ASSERT_TRUE(WriteJsonFile(path, TestHeader(), {{"values", values}}));
  const auto file = JsonFile::Read(path, "bitpact.test", 1);
  ASSERT_TRUE(file);
  const auto read = file->root().Numbers("values");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, values);
  EXPECT_TRUE(std::signbit((*read)[1]));
}

TEST_F(JsonFiles, DoNotHoldNanOrInfinity) {
  const auto path = folder_.path() / "t.json";
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto done =
      WriteJsonFile(path, TestHeader(), {{"a", {{"b", {1.0, nan}}}}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kInternal);
  EXPECT_THAT(done.error().message, HasSubstr("field 'a.b[1]' is not finite"));
  EXPECT_THAT(folder_.Names(), IsEmpty());
}

TEST_F(JsonFiles, RefuseAMissingFile) {
  const auto file =
      JsonFile::Read(folder_.path() / "none.json", "bitpact.test", 1);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(file.error().message, HasSubstr("none.json: no such file"));
}

TEST_F(JsonFiles, RefuseATruncatedFileAndNameThePlace) {
  const Error error = ReadError("{\"format\": \"bitpact.test\",\n \"version\"");
  EXPECT_EQ(error.code, ErrorCode::kDataLoss);
  EXPECT_THAT(error.message, HasSubstr(Named("not valid JSON")));
  EXPECT_THAT(error.message, HasSubstr("line 2"));
}

TEST_F(JsonFiles, RefuseAnEmptyFile) {
  EXPECT_EQ(ReadError("").code, ErrorCode::kDataLoss);
}

TEST_F(JsonFiles, RefuseANumberNoDoubleHolds) {
  const Error error = ReadError(
      R"({"format": "bitpact.test", "version": 1e999, "tool_version": ""})");
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(error.message, testing::HasSubstr("field 'version'"));
}

TEST_F(JsonFiles, RefuseAnotherFormat) {
  const Error error = ReadError(
      R"({"format": "bitpact.plan", "version": 1, "tool_version": ""})");
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message,
            Named("field 'format' = \"bitpact.plan\": must be "
                  "\"bitpact.test\""));
}

TEST_F(JsonFiles, RefuseANewerVersion) {
  const Error error = ReadError(
      R"({"format": "bitpact.test", "version": 3, "tool_version": ""})", 2);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_EQ(error.message,
            Named("field 'version' = 3: this bitpact reads up to 2"));
}

TEST_F(JsonFiles, RefuseABrokenHeader) {
  EXPECT_EQ(ReadError("[1]").message,
            Named("field '' = array of 1: must be an object"));
  EXPECT_EQ(ReadError("{}").message, Named("field 'format' is missing"));
  EXPECT_EQ(ReadError(R"({"format": 4})").message,
            Named("field 'format' = 4: must be a string"));
  EXPECT_EQ(ReadError(R"({"format": "f", "version": 0})").message,
            Named("field 'version' = 0: must be within 1 and 1000000"));
  EXPECT_EQ(ReadError(R"({"format": "f", "version": 1})").message,
            Named("field 'tool_version' is missing"));
  EXPECT_EQ(
      ReadError(R"({"format":"f","version":1,"tool_version":"","seed":-1})")
          .message,
      Named("field 'seed' = -1: must be an unsigned integer"));
  EXPECT_EQ(
      ReadError(R"({"format":"f","version":1,"tool_version":"","inputs":[]})")
          .message,
      Named("field 'inputs' = array of 0: must be an object"));
  EXPECT_EQ(ReadError(R"({"format":"f","version":1,"tool_version":"",)"
                      R"("inputs":{"model":1}})")
                .message,
            Named("field 'inputs.model' = 1: must be a string"));
}

TEST_F(JsonFiles, SurviveEndlessNesting) {
  constexpr std::size_t kDepth = 300'000;
  const Error error = ReadError("{\"format\": " + std::string(kDepth, '[') +
                                std::string(kDepth, ']') + "}");
  EXPECT_EQ(error.message,
            Named("field 'format' = array of 1: must be a string"));
}

TEST_F(JsonFiles, NameTheFieldOfAWrongKind) {
  const JsonFile file = Read(R"("a": {"b": [1, "two", 2.5, true]})");
  const auto a = file.root().Member("a");
  ASSERT_TRUE(a);
  const auto items = a->Array("b");
  ASSERT_TRUE(items);
  EXPECT_EQ((*items)[1].AsNumber().error().message,
            Named("field 'a.b[1]' = \"two\": must be a number"));
  EXPECT_EQ((*items)[2].AsInteger().error().message,
            Named("field 'a.b[2]' = 2.5: must be an integer below 2^63"));
  EXPECT_EQ((*items)[0].AsString().error().message,
            Named("field 'a.b[0]' = 1: must be a string"));
  EXPECT_EQ((*items)[0].Member("x").error().message,
            Named("field 'a.b[0]' = 1: must be an object"));
  EXPECT_EQ(a->Numbers("b").error().message,
            Named("field 'a.b[1]' = \"two\": must be a number"));
  EXPECT_EQ(a->Bool("b").error().message,
            Named("field 'a.b' = array of 4: must be true or false"));
  EXPECT_EQ(file.root().Array("a").error().message,
            Named("field 'a' = object of 1: must be an array"));
  EXPECT_EQ(a->String("c").error().message, Named("field 'a.c' is missing"));
  EXPECT_EQ(a->Number("b").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(JsonFiles, KeepIntegersWithinTheirRange) {
  const JsonFile file = Read(
      R"("small": -3, "large": 9223372036854775807, "over": 9223372036854775808)");
  EXPECT_EQ(*file.root().Integer("small", -3, -3), -3);
  EXPECT_EQ(file.root().Integer("small", 0, 8).error().message,
            Named("field 'small' = -3: must be within 0 and 8"));
  EXPECT_EQ(*file.root().Integer("large"),
            std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(
      file.root().Integer("over").error().message,
      Named(
          "field 'over' = 9223372036854775808: must be an integer below 2^63"));
}

TEST_F(JsonFiles, CutALongValueInAMessage) {
  const JsonFile file = Read("\"text\": \"" + std::string(500, 'x') + "\"");
  const std::string message = file.root().Number("text").error().message;
  EXPECT_THAT(message, HasSubstr("xxx...: must be a number"));
  EXPECT_LT(message.size(), folder_.path().string().size() + 150);
}

TEST_F(JsonFiles, ReadBooleansAndStrings) {
  const JsonFile file = Read(R"("yes": true, "text": "größe")");
  EXPECT_TRUE(*file.root().Bool("yes"));
  EXPECT_EQ(*file.root().String("text"), "größe");
  EXPECT_TRUE(file.root().Has("yes"));
  EXPECT_FALSE(file.root().Has("no"));
}

TEST_F(JsonFiles, ParseForeignJsonWithTheSameErrors) {
  const auto json = ParseJsonFile(folder_.Write("config.json", "{\"a\": 1}"));
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["a"], 1);
  const auto broken = ParseJsonFile(folder_.Write("config.json", "{\"a\": "));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(broken.error().message, HasSubstr("config.json: not valid JSON"));
}

}  // namespace
}  // namespace bitpact
