// SPDX-License-Identifier: Apache-2.0
#include "models/safetensors.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/models/tiny_model.h"

namespace bitpact {
namespace {

using testing::HasSubstr;
using testing::Not;

// A file with this header and `data_bytes` zero bytes behind it.
std::string FileBytes(const std::string& header, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + std::string(data_bytes, '\0');
}

class SafetensorsTest : public testing::Test {
 protected:
  Expected<SafetensorsFile> OpenBytes(const std::string& bytes) {
    test::WriteWhole(folder_.File("x.safetensors"), bytes);
    return SafetensorsFile::Open(folder_.File("x.safetensors"));
  }

  // One line: the file, the words, and nothing behind a line break.
  void ExpectError(const Expected<SafetensorsFile>& file,
                   ErrorCode code,
                   const std::vector<std::string>& words) {
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, code) << file.error().message;
    EXPECT_THAT(file.error().message, HasSubstr("x.safetensors"));
    EXPECT_THAT(file.error().message, Not(HasSubstr("\n")));
    for (const std::string& word : words) {
      EXPECT_THAT(file.error().message, HasSubstr(word));
    }
  }

  // The error of a file with the one tensor "t" described so.
  void ExpectTensorError(const std::string& entry,
                         const std::vector<std::string>& words) {
    SCOPED_TRACE(entry);
    ExpectError(OpenBytes(FileBytes("{\"t\":" + entry + "}", 16)),
                ErrorCode::kDataLoss,
                words);
  }

  test::TemporaryFolder folder_;
};

TEST_F(SafetensorsTest, WritesAndReadsBack) {
  const std::vector<float> wide = {1.0F, -2.0F, 0.5F, 3.0F, 4.0F, 5.0F};
  const auto f32 = test::Narrow(TensorType::kF32, wide);
  const auto f16 = test::Narrow(TensorType::kF16, wide);
  const std::vector<std::byte> codes(3, std::byte{7});
  const auto path = folder_.File("x.safetensors");
  const std::vector<StoredTensor> tensors = {
      {"codes", TensorType::kU8, {3, 1}, codes},
      {"half", TensorType::kF16, {6}, f16},
      {"float", TensorType::kF32, {2, 3}, f32},
      {"none", TensorType::kF32, {0, 5}, {}}};
  ASSERT_TRUE(WriteSafetensors(path, tensors, {{"key", "value"}}));
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->metadata().at("key"), "value");
  ASSERT_EQ(file->tensors().size(), 4U);
  std::vector<float> read(6);
  for (const StoredTensor& tensor : file->tensors()) {
    const auto offset = tensor.bytes.data() - file->bytes().data();
    EXPECT_EQ(offset % TensorTypeBytes(tensor.type), 0) << tensor.name;
    if (tensor.name == "codes") {
      EXPECT_THAT(tensor.bytes, testing::ElementsAreArray(codes));
    } else if (tensor.name == "none") {
      EXPECT_TRUE(tensor.bytes.empty());
    } else {
      ASSERT_TRUE(WidenToFloat(tensor, "file", read));
      EXPECT_EQ(read, wide) << tensor.name;
    }
  }
}

TEST_F(SafetensorsTest, WidensEveryFloat16) {
  std::vector<std::byte> bytes;
  std::vector<double> expected;
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const int exponent = static_cast<int>((bits >> 10U) & 31U);
    if (exponent == 31) continue;
    const double fraction = static_cast<double>(bits & 1023U) / 1024.0;
    const double value = exponent == 0
                             ? std::ldexp(fraction, -14)
                             : std::ldexp(1.0 + fraction, exponent - 15);
    expected.push_back((bits & 0x8000U) != 0 ? -value : value);
    bytes.push_back(static_cast<std::byte>(bits & 255U));
    bytes.push_back(static_cast<std::byte>(bits >> 8U));
  }
  std::vector<float> values(expected.size());
  ASSERT_TRUE(WidenToFloat({"t", TensorType::kF16, {}, bytes}, "f", values));
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(static_cast<double>(values[i]), expected[i]) << i;
  }
}

TEST_F(SafetensorsTest, RefusesNanAndInfinity) {
  for (const TensorType type :
       {TensorType::kF32, TensorType::kF16, TensorType::kBF16}) {
    auto bytes = test::Narrow(type, {1.0F, 2.0F, 3.0F});
    // The highest 16 bits of the last value: exponent all ones.
    const std::size_t end = bytes.size();
    for (const auto& [high, word] :
         {std::pair(0x7f, "NaN"), std::pair(0xff, "NaN")}) {
      bytes[end - 1] = static_cast<std::byte>(high);
      bytes[end - 2] = std::byte{0xff};
      std::vector<float> out(3);
      const auto done = WidenToFloat({"w", type, {3}, bytes}, "file", out);
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, ErrorCode::kDataLoss);
      EXPECT_THAT(done.error().message, HasSubstr("file: tensor \"w\""));
      EXPECT_THAT(done.error().message, HasSubstr("value 2"));
      EXPECT_THAT(done.error().message, HasSubstr(word));
    }
  }
  const auto infinite = test::Narrow(
      TensorType::kF32, {0.0F, -std::numeric_limits<float>::infinity()});
  std::vector<float> out(2);
  const auto done =
      WidenToFloat({"w", TensorType::kF32, {2}, infinite}, "file", out);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("value 1 is infinite"));
}

TEST_F(SafetensorsTest, RefusesAnIntegerAsAWeight) {
  const std::vector<std::byte> bytes(2);
  std::vector<float> out(2);
  const auto done =
      WidenToFloat({"w", TensorType::kI8, {2}, bytes}, "file", out);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(done.error().message, HasSubstr("I8"));
}

TEST_F(SafetensorsTest, MissingFileIsNotFound) {
  ExpectError(SafetensorsFile::Open(folder_.File("x.safetensors")),
              ErrorCode::kNotFound,
              {});
}

TEST_F(SafetensorsTest, EveryTruncationIsDataLoss) {
  const std::string whole =
      FileBytes(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})",
                11);
  ASSERT_TRUE(OpenBytes(whole));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    SCOPED_TRACE(length);
    ExpectError(OpenBytes(whole.substr(0, length)), ErrorCode::kDataLoss, {});
  }
}

TEST_F(SafetensorsTest, BytesBehindTheLastTensorAreDataLoss) {
  ExpectError(
      OpenBytes(FileBytes(
          R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 3)),
      ErrorCode::kDataLoss,
      {"take 2 bytes", "3 data bytes"});
}

TEST_F(SafetensorsTest, LyingHeaderLengths) {
  for (const std::uint64_t length : {std::uint64_t{60},
                                     std::uint64_t{1} << 31U,
                                     std::uint64_t{1} << 63U,
                                     ~std::uint64_t{0},
                                     ~std::uint64_t{7}}) {
    std::string bytes = FileBytes("{}", 0);
    std::memcpy(bytes.data(), &length, sizeof(length));
    SCOPED_TRACE(length);
    ExpectError(OpenBytes(bytes),
                ErrorCode::kDataLoss,
                {"header length = " + std::to_string(length)});
  }
}

TEST_F(SafetensorsTest, HeadersThatAreNoObjectOfObjects) {
  for (const char* header : {"",
                             "[]",
                             "7",
                             "{",
                             "{]",
                             "null",
                             "\"x\"",
                             "{\"t\":1}",
                             "{\"t\":[]}",
                             "\xff\xfe",
                             "{\"t\":null}",
                             "{\"__metadata__\":7}",
                             "{\"__metadata__\":{\"a\":7}}"}) {
    SCOPED_TRACE(header);
    ExpectError(OpenBytes(FileBytes(header, 0)), ErrorCode::kDataLoss, {});
  }
}

TEST_F(SafetensorsTest, DeepNestingIsDataLoss) {
  for (const std::string open : {"[", "{\"a\":"}) {
    std::string header;
    for (int i = 0; i < 200000; ++i) header += open;
    ExpectError(OpenBytes(FileBytes(header, 0)), ErrorCode::kDataLoss, {});
    ExpectError(
        OpenBytes(FileBytes("{\"t\":" + header, 0)), ErrorCode::kDataLoss, {});
  }
  ExpectError(OpenBytes(FileBytes(R"({"t":{"shape":[[1]]}})", 0)),
              ErrorCode::kDataLoss,
              {"deeper"});
}

TEST_F(SafetensorsTest, DuplicateNamesAreDataLoss) {
  const std::string entry =
      R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  ExpectError(
      OpenBytes(FileBytes(R"({"t":)" + entry + R"(,"t":)" + entry + "}", 2)),
      ErrorCode::kDataLoss,
      {"\"t\"", "twice"});
  ExpectTensorError(R"({"dtype":"U8","dtype":"F32"})", {"dtype", "twice"});
}

TEST_F(SafetensorsTest, TypesItDoesNotRead) {
  for (const char* type : {"F64", "BOOL", "f32", "", "F8_E4M3"}) {
    ExpectError(
        OpenBytes(FileBytes(std::string(R"({"t":{"dtype":")") + type +
                                R"(","shape":[2],"data_offsets":[0,2]}})",
                            2)),
        ErrorCode::kUnsupported,
        {"tensor \"t\"", "dtype", std::string("\"") + type + "\""});
  }
  ExpectError(OpenBytes(FileBytes(R"({"t":{"dtype":5}})", 2)),
              ErrorCode::kUnsupported,
              {"'dtype' = 5"});
}

TEST_F(SafetensorsTest, Shapes) {
  const std::string dtype = R"({"dtype":"F32","data_offsets":[0,16],"shape":)";
  ExpectTensorError(dtype + "[-4]}", {"\"t\"", "'shape' = [-4]"});
  ExpectTensorError(dtype + "[4.0]}", {"'shape' = [4.0]"});
  ExpectTensorError(dtype + "4}", {"'shape' = 4"});
  ExpectTensorError(dtype + "[\"4\"]}", {"'shape'"});
  ExpectTensorError(dtype + "[99999999999999999999]}", {"'shape'"});
  ExpectTensorError(dtype + "[9223372036854775808]}", {"'shape'"});
  ExpectTensorError(dtype + "[9223372036854775807]}", {"'shape'", "2^63"});
  ExpectTensorError(dtype + "[4294967296,4294967296]}", {"'shape'", "2^63"});
  // 2^31 * 2^31 * 4 is 2^64, which 64 bits would take for 0.
  ExpectTensorError(dtype + "[2147483648,2147483648]}", {"'shape'"});
  ExpectTensorError(dtype + "[5]}", {"takes 20 bytes"});
  ExpectTensorError(R"({"dtype":"F32","data_offsets":[0,16]})",
                    {"'shape' is missing"});
}

TEST_F(SafetensorsTest, Offsets) {
  const std::string dtype = R"({"dtype":"U8","shape":[16],"data_offsets":)";
  ExpectTensorError(dtype + "[0]}", {"'data_offsets' = [0]"});
  ExpectTensorError(dtype + "[0,8,16]}", {"'data_offsets' = [0, 8, 16]"});
  ExpectTensorError(dtype + "[16,0]}", {"begin <= end"});
  ExpectTensorError(dtype + "[-1,15]}", {"'data_offsets' = [-1,15]"});
  ExpectTensorError(dtype + "[1,17]}", {"16 data bytes"});
  ExpectTensorError(dtype + "[0,18446744073709551615]}", {"'data_offsets'"});
  ExpectTensorError(dtype + "[9223372036854775807,9223372036854775807]}",
                    {"16 data bytes"});
  ExpectTensorError(dtype + "[0,15]}", {"takes 16 bytes"});
  ExpectTensorError(dtype + "null}", {"'data_offsets' = null"});
  ExpectTensorError(R"({"dtype":"U8","shape":[16]})",
                    {"'data_offsets' is missing"});
}

TEST_F(SafetensorsTest, OverlapsAndHoles) {
  const auto two = [](const char* a, const char* b) {
    return FileBytes(std::string(R"({"a":{"dtype":"U8","shape":[4],)") +
                         R"("data_offsets":)" + a +
                         R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" +
                         b + "}}",
                     10);
  };
  ExpectError(OpenBytes(two("[0,4]", "[3,7]")),
              ErrorCode::kDataLoss,
              {"tensor \"b\"", "byte 3", "inside tensor \"a\""});
  ExpectError(OpenBytes(two("[0,4]", "[0,4]")), ErrorCode::kDataLoss, {});
  ExpectError(OpenBytes(two("[0,4]", "[6,10]")),
              ErrorCode::kDataLoss,
              {"tensor \"b\"", "belong to no tensor"});
  ExpectError(OpenBytes(two("[2,6]", "[6,10]")),
              ErrorCode::kDataLoss,
              {"tensor \"a\"", "belong to no tensor"});
}

TEST_F(SafetensorsTest, NamesAreShownOnOneLine) {
  ExpectError(OpenBytes(FileBytes(R"({"a\nb\u0007":{"dtype":"U8"}})", 0)),
              ErrorCode::kDataLoss,
              {R"("a\nb\u0007")"});
  ExpectError(OpenBytes(FileBytes("{\"" + std::string(5000, 'x') + "\":7}", 0)),
              ErrorCode::kDataLoss,
              {"xxx..."});
}

// Bytes changed at random places give an error or a file, and no crash.
TEST_F(SafetensorsTest, FlippedBytesNeverCrash) {
  const std::string whole =
      FileBytes(R"({"__metadata__":{"format":"pt"},)"
                R"("a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
                R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})",
                11);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'9', '"', '\xff'}) {
      std::string spoilt = whole;
      spoilt[at] = value;
      const auto file = OpenBytes(spoilt);
      if (!file) {
        EXPECT_THAT(file.error().message, Not(HasSubstr("\n"))) << at;
      }
    }
  }
}

}  // namespace
}  // namespace bitpact
