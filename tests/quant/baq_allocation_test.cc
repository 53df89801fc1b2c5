// SPDX-License-Identifier: Apache-2.0
#include "quant/baq_allocation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

constexpr std::size_t kChoices = kLevelCounts.size();

std::vector<LevelCosts> Costs(std::int64_t cols,
                              double spread,
                              const std::string& name) {
  std::vector<LevelCosts> costs;
  for (const float normal : NormalFloats(cols, name)) {
    LevelCosts column{};
    for (std::size_t i = 0; i < kChoices; ++i) {
      column[i] = std::exp2(spread * double{normal}) *
                  NominalDistortion(static_cast<int>(i));
    }
    costs.push_back(column);
  }
  return costs;
}

std::int64_t BytesOf(const std::vector<std::uint8_t>& indices,
                     std::int64_t rows) {
  std::array<std::int64_t, kChoices> counts{};
  for (const std::uint8_t index : indices) ++counts[index];
  return CodeBytes(counts, rows);
}

// Tries everything.
double LeastCost(const std::vector<LevelCosts>& costs,
                 std::int64_t rows,
                 std::int64_t budget) {
  double least = std::numeric_limits<double>::infinity();
  std::vector<std::uint8_t> indices(costs.size());
  while (true) {
    if (BytesOf(indices, rows) <= budget) {
      double cost = 0.0;
      for (std::size_t j = 0; j < costs.size(); ++j) {
        cost += costs[j][indices[j]];
      }
      least = std::min(least, cost);
    }
    std::size_t at = 0;
    while (at < indices.size() && ++indices[at] == kChoices) indices[at++] = 0;
    if (at == indices.size()) return least;
  }
}

TEST(AllocateLevels, BoundsTheOptimumOfAllChoices) {
  constexpr std::int64_t kRows = 64;
  for (const std::string name : {"a", "b", "c"}) {
    const auto costs = Costs(4, 2.0, name);
    for (const std::int64_t budget : {0, 24, 64, 72, 100, 256}) {
      const LevelAllocation found = AllocateLevels(costs, kRows, budget);
      const double least = LeastCost(costs, kRows, budget);
      EXPECT_LE(found.code_bytes, budget);
      EXPECT_LE(found.lower_bound, least * (1.0 + 1e-12));
      EXPECT_GE(found.cost, least * (1.0 - 1e-12));
      // Greedy on the hull; measured on these instances.
      EXPECT_LE(found.cost, 1.5 * least + 1e-12) << name << ' ' << budget;
    }
  }
}

TEST(AllocateLevels, IsWithinAPerMilleOfTheBoundOnWideMatrices) {
  const auto costs = Costs(512, 1.5, "wide");
  const std::int64_t budget = 512 * 256 * 2 / 8;
  const LevelAllocation found = AllocateLevels(costs, 256, budget);
  EXPECT_LE(found.cost, 1.001 * found.lower_bound);
  EXPECT_LE(found.code_bytes, budget);
  EXPECT_GE(found.code_bytes, budget - 256);
  EXPECT_EQ(found.code_bytes, BytesOf(found.indices, 256));
}

TEST(AllocateLevels, GivesMoreLevelsToDearerColumns) {
  const auto costs = Costs(100, 2.0, "order");
  const LevelAllocation found = AllocateLevels(costs, 128, 100 * 128 / 4);
  int inversions = 0;
  for (std::size_t a = 0; a < costs.size(); ++a) {
    for (std::size_t b = 0; b < costs.size(); ++b) {
      // One step apart happens where the last bytes are filled.
      inversions +=
          costs[a][0] > costs[b][0] && found.indices[a] + 1 < found.indices[b]
              ? 1
              : 0;
    }
  }
  EXPECT_EQ(inversions, 0);
}

TEST(AllocateLevels, GivesNothingWithoutBytes) {
  const LevelAllocation found = AllocateLevels(Costs(5, 1.0, "none"), 8, 0);
  EXPECT_EQ(found.code_bytes, 0);
  for (const std::uint8_t index : found.indices) EXPECT_EQ(index, 0);
}

TEST(AllocateLevels, LeavesColumnsThatCostNothing) {
  auto costs = Costs(6, 1.0, "dead");
  costs[2] = {};
  const LevelAllocation found = AllocateLevels(costs, 64, 64 * 6);
  EXPECT_EQ(found.indices[2], 0);
}

}  // namespace
}  // namespace bitpact
