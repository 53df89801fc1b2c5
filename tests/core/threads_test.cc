// SPDX-License-Identifier: Apache-2.0
#include "core/threads.h"

#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace bitpact {
namespace {

class Threads : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { SetThreadCount(GetParam()); }
  void TearDown() override { SetThreadCount(0); }
};

TEST_P(Threads, VisitEachIndexOnce) {
  for (const std::int64_t count : {0, 1, 2, 3, 7, 100}) {
    std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
    ParallelFor(count, [&](std::int64_t index, int) {
      ++visits[static_cast<std::size_t>(index)];
    });
    for (const auto& visit : visits) ASSERT_EQ(visit, 1);
  }
}

TEST_P(Threads, NameLanesBelowTheCount) {
  std::atomic<bool> within = true;
  ParallelFor(50, [&](std::int64_t, int worker) {
    if (worker < 0 || worker >= ThreadCount()) within = false;
  });
  EXPECT_TRUE(within);
}

TEST_P(Threads, RunALaneOnOneThread) {
  std::mutex mutex;
  std::vector<std::set<std::thread::id>> ids(
      static_cast<std::size_t>(ThreadCount()));
  ParallelFor(200, [&](std::int64_t, int worker) {
    const std::lock_guard lock(mutex);
    ids[static_cast<std::size_t>(worker)].insert(std::this_thread::get_id());
  });
  for (const auto& lane : ids) EXPECT_LE(lane.size(), 1U);
}

TEST_P(Threads, RunNestedLoopsWhole) {
  std::atomic<int> visits = 0;
  ParallelFor(5, [&](std::int64_t, int) {
    ParallelFor(6, [&](std::int64_t, int) { ++visits; });
  });
  EXPECT_EQ(visits, 30);
}

TEST_P(Threads, RunTwoLoopsAtOnce) {
  std::atomic<int> visits = 0;
  {
    const std::jthread other(
        [&] { ParallelFor(40, [&](std::int64_t, int) { ++visits; }); });
    ParallelFor(40, [&](std::int64_t, int) { ++visits; });
  }
  EXPECT_EQ(visits, 80);
}

INSTANTIATE_TEST_SUITE_P(Counts, Threads, testing::Values(1, 2, 3, 8));

TEST(ThreadCount, IsAtLeastOneAndFollowsTheSetting) {
  SetThreadCount(5);
  EXPECT_EQ(ThreadCount(), 5);
  SetThreadCount(0);
  EXPECT_GE(ThreadCount(), 1);
  SetThreadCount(-4);
  EXPECT_GE(ThreadCount(), 1);
  SetThreadCount(0);
}

TEST(ParallelFor, RunsNestedLoopsOnTheirCallersThread) {
  SetThreadCount(3);
  std::atomic<bool> same = true;
  ParallelFor(3, [&](std::int64_t, int) {
    const auto outer = std::this_thread::get_id();
    ParallelFor(4, [&](std::int64_t, int worker) {
      if (worker != 0 || std::this_thread::get_id() != outer) same = false;
    });
  });
  SetThreadCount(0);
  EXPECT_TRUE(same);
}

}  // namespace
}  // namespace bitpact
