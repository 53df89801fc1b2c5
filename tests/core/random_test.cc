// SPDX-License-Identifier: Apache-2.0
#include "core/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

using testing::ElementsAre;

// These numbers are fixed for ever: a seed in a stored file must mean the same
// plan tomorrow.
TEST(RandomStream, GivesTheNumbersOfItsSeedNameAndIndex) {
  RandomStream raw(7, "test/golden", 3);
  EXPECT_EQ(raw.engine()(), 2247097078673272524U);
  EXPECT_EQ(raw.engine()(), 17027432327509547505U);

  RandomStream integers(7, "test/golden", 3);
  std::array<std::int64_t, 6> drawn{};
  for (auto& value : drawn) value = integers.UniformInt(1000);
  EXPECT_THAT(drawn, ElementsAre(121, 923, 913, 444, 298, 360));

  RandomStream reals(7, "test/golden", 3);
  EXPECT_DOUBLE_EQ(reals.Uniform(), 0.12181537672416963);
  EXPECT_DOUBLE_EQ(reals.Uniform(), 0.92305895606678801);

  RandomStream normals(7, "test/golden", 3);
  EXPECT_DOUBLE_EQ(normals.Normal(), -0.12167702289774339);
  EXPECT_DOUBLE_EQ(normals.Normal(), 0.57631979504345099);

  RandomStream orders(7, "test/golden", 3);
  EXPECT_THAT(orders.Permutation(8), ElementsAre(7, 4, 3, 1, 2, 5, 6, 0));
}

TEST(RandomStream, DiffersBySeedNameAndIndex) {
  std::set<std::uint64_t> firsts;
  for (const std::uint64_t seed : {0ULL, 1ULL, 1ULL << 32U}) {
    for (const char* name : {"", "a", "b", "ab"}) {
      for (const std::uint64_t index : {0ULL, 1ULL, 1ULL << 40U}) {
        firsts.insert(RandomStream(seed, name, index).engine()());
      }
    }
  }
  EXPECT_EQ(firsts.size(), 3U * 4U * 3U);
}

// Correlation of two independent samples of n normals has deviation 1/sqrt(n);
// five of them are the limit.
TEST(RandomStream, HasNeighboursThatDoNotCorrelate) {
  constexpr int kCount = 20'000;
  RandomStream first(1, "test", 0);
  RandomStream second(1, "test", 1);
  double sum = 0.0;
  for (int i = 0; i < kCount; ++i) sum += first.Normal() * second.Normal();
  EXPECT_LT(std::abs(sum / kCount), 5.0 / std::sqrt(kCount));
}

TEST(RandomStream, DrawsEveryIntegerBelowTheBound) {
  RandomStream stream(1, "test");
  std::array<int, 7> counts{};
  for (int i = 0; i < 7000; ++i) {
    const std::int64_t value = stream.UniformInt(7);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 7);
    ++counts[static_cast<std::size_t>(value)];
  }
  // Deviation of a count is 29.3; five of them.
  for (const int count : counts) EXPECT_NEAR(count, 1000, 147);
  EXPECT_EQ(stream.UniformInt(1), 0);
}

TEST(RandomStream, ShufflesWithoutLoss) {
  RandomStream stream(1, "test");
  std::vector<int> values = {3, 1, 4, 1, 5, 9, 2, 6};
  std::vector<int> sorted = values;
  std::ranges::sort(sorted);
  stream.Shuffle(values);
  std::ranges::sort(values);
  EXPECT_EQ(values, sorted);
  stream.Shuffle({});
  EXPECT_TRUE(stream.Permutation(0).empty());
}

TEST(RandomStream, ReachesEveryOrderOfThree) {
  RandomStream stream(1, "test");
  std::set<std::vector<int>> orders;
  for (int i = 0; i < 200; ++i) orders.insert(stream.Permutation(3));
  EXPECT_EQ(orders.size(), 6U);
}

}  // namespace
}  // namespace bitpact
