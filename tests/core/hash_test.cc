// SPDX-License-Identifier: Apache-2.0
#include "core/hash.h"

#include "gtest/gtest.h"
#include "temporary_folder.h"

namespace bitpact {
namespace {

// XXH3's published value for no bytes.
TEST(HashText, IsXxh3) {
  EXPECT_EQ(HashText(""), "xxh3:99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(HashText("bitpact"), "xxh3:023d32a638fc5ff76ef72f8223ba3c44");
}

TEST(HashFile, EqualsTheHashOfItsBytes) {
  const TemporaryFolder folder;
  const std::string text("a\0b", 3);
  const auto hash = HashFile(folder.Write("file", text));
  ASSERT_TRUE(hash);
  EXPECT_EQ(*hash, HashText(text));
  EXPECT_NE(*hash, HashText("a"));
}

TEST(HashFile, TakesAnEmptyFile) {
  const TemporaryFolder folder;
  const auto hash = HashFile(folder.Write("file", ""));
  ASSERT_TRUE(hash);
  EXPECT_EQ(*hash, HashText(""));
}

TEST(HashFile, NamesAMissingFile) {
  const TemporaryFolder folder;
  const auto hash = HashFile(folder.path() / "none");
  ASSERT_FALSE(hash);
  EXPECT_EQ(hash.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace bitpact
