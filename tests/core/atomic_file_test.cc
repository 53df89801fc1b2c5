// SPDX-License-Identifier: Apache-2.0
#include "core/atomic_file.h"

#include <sys/stat.h>

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "temporary_folder.h"

namespace bitpact {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(WriteFileAtomically, PublishesWhatWasAppended) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "out";
  const auto done = WriteFileAtomically(file, [](const ByteSink& sink) {
    if (auto first = sink(Bytes("one ")); !first) return first;
    return sink(Bytes("two"));
  });
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(ReadText(file), "one two");
  EXPECT_THAT(folder.Names(), ElementsAre("out"));
}

TEST(WriteFileAtomically, ReplacesAnOlderFile) {
  const TemporaryFolder folder;
  const auto file = folder.Write("out", "an older and longer text");
  ASSERT_TRUE(WriteFileAtomically(file, "new"));
  EXPECT_EQ(ReadText(file), "new");
}

TEST(WriteFileAtomically, LeavesNothingWhenProducingFails) {
  const TemporaryFolder folder;
  const auto done =
      WriteFileAtomically(folder.path() / "out", [](const ByteSink& sink) {
        if (auto half = sink(Bytes("half")); !half) return half;
        return Expected<void>(InvalidArgument("no more"));
      });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "no more");
  EXPECT_THAT(folder.Names(), IsEmpty());
}

TEST(WriteFileAtomically, KeepsTheOlderFileWhenProducingFails) {
  const TemporaryFolder folder;
  const auto file = folder.Write("out", "old");
  EXPECT_FALSE(WriteFileAtomically(file, [](const ByteSink& sink) {
    if (auto half = sink(Bytes("half")); !half) return half;
    return Expected<void>(InvalidArgument("no more"));
  }));
  EXPECT_EQ(ReadText(file), "old");
  EXPECT_THAT(folder.Names(), ElementsAre("out"));
}

// A path below a regular file cannot be made by anybody, root included.
TEST(WriteFileAtomically, NamesThePlaceItCannotWrite) {
  const TemporaryFolder folder;
  const auto file = folder.Write("file", "") / "below";
  const auto done = WriteFileAtomically(file, "text");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(done.error().message, HasSubstr(file.string()));
  EXPECT_THAT(done.error().message, HasSubstr("Not a directory"));
}

TEST(WriteFileAtomically, RefusesToReplaceAFolder) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "out");
  const auto done = WriteFileAtomically(folder.path() / "out", "text");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(folder.Names(), ElementsAre("out"));
}

TEST(WriteFileAtomically, ObeysTheUmaskAlsoFromManyThreads) {
  const TemporaryFolder folder;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  std::vector<std::jthread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&folder, i] {
      for (int repeat = 0; repeat < 10; ++repeat) {
        EXPECT_TRUE(
            WriteFileAtomically(folder.path() / std::to_string(i), "text"));
      }
    });
  }
  writers.clear();
  const mode_t after = ::umask(mask);
  EXPECT_EQ(after, mask);
  struct stat status {};
  ASSERT_EQ(::stat((folder.path() / "0").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0666U & ~mask);
}

TEST(MakeWritableFolder, MakesParentsAndLeavesNoProbe) {
  const TemporaryFolder folder;
  const auto inner = folder.path() / "a" / "b";
  ASSERT_TRUE(MakeWritableFolder(inner));
  EXPECT_TRUE(std::filesystem::is_empty(inner));
  EXPECT_TRUE(MakeWritableFolder(inner));
}

TEST(MakeWritableFolder, NamesThePlaceItCannotMake) {
  const TemporaryFolder folder;
  const auto inner = folder.Write("file", "") / "below";
  const auto made = MakeWritableFolder(inner);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(made.error().message, HasSubstr(inner.string()));
}

TEST(MakeWritableFolder, RefusesARegularFile) {
  const TemporaryFolder folder;
  const auto made = MakeWritableFolder(folder.Write("file", ""));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace bitpact
