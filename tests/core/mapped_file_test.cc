// SPDX-License-Identifier: Apache-2.0
#include "core/mapped_file.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "temporary_folder.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

TEST(MappedFile, ShowsTheBytes) {
  const TemporaryFolder folder;
  const auto file = MappedFile::Open(folder.Write("file", "bytes"));
  ASSERT_TRUE(file) << file.error().message;
  const std::string text(reinterpret_cast<const char*>(file->bytes().data()),
                         file->bytes().size());
  EXPECT_EQ(text, "bytes");
}

TEST(MappedFile, KeepsTheBytesOfACopyAndOfAReplacedFile) {
  const TemporaryFolder folder;
  MappedFile copy;
  {
    const auto file = MappedFile::Open(folder.Write("file", "bytes"));
    copy = *file;
  }
  std::filesystem::remove(folder.path() / "file");
  EXPECT_EQ(copy.bytes()[0], std::byte{'b'});
}

TEST(MappedFile, IsEmptyForAnEmptyFile) {
  const TemporaryFolder folder;
  const auto file = MappedFile::Open(folder.Write("file", ""));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->bytes().empty());
}

TEST(MappedFile, NamesAMissingFile) {
  const TemporaryFolder folder;
  const auto file = MappedFile::Open(folder.path() / "none");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(file.error().message, HasSubstr("none: no such file"));
}

TEST(MappedFile, NamesAPathBelowAFile) {
  const TemporaryFolder folder;
  const auto file = MappedFile::Open(folder.Write("file", "") / "below");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
}

TEST(MappedFile, RefusesAFolder) {
  const TemporaryFolder folder;
  const auto file = MappedFile::Open(folder.path());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(file.error().message, HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace bitpact
