// SPDX-License-Identifier: Apache-2.0
#include "solvers/allocation_problem.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two units of two options, one pair between the low options.
AllocationProblem SmallProblem() {
  AllocationProblem problem;
  problem.constant = 0.5;
  problem.resources = {{"bytes", 100}};
  problem.units = {{"first", {{"low", 2.0, {10}}, {"high", 0.0, {40}}}},
                   {"second", {{"low", 3.0, {20}}, {"high", 0.0, {80}}}}};
  problem.pairs.Add(0, 2, 0.25);
  return problem;
}

// The message of the one broken rule.
std::string Broken(const AllocationProblem& problem) {
  const Expected<void> valid = Validate(problem);
  EXPECT_FALSE(valid.has_value());
  if (valid) return {};
  EXPECT_EQ(valid.error().code, ErrorCode::kInvalidArgument);
  return valid.error().message;
}

TEST(AllocationProblem, CountsEachUnorderedPairOnce) {
  EXPECT_EQ(Objective(SmallProblem(), {0, 0}), 0.5 + 2.0 + 3.0 + 0.25);
  EXPECT_EQ(Objective(SmallProblem(), {0, 1}), 0.5 + 2.0);
}

TEST(AllocationProblem, BlocksCountLikeSingleTerms) {
  AllocationProblem blocks = SmallProblem();
  blocks.pairs = PairTerms();
  blocks.pairs.AddBlock({{0, 2}, {0.25}});
  for (const Assignment& plan : {Assignment{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
    EXPECT_EQ(Objective(blocks, plan), Objective(SmallProblem(), plan));
  }
}

TEST(AllocationProblem, PairBlockIndexWalksTheUpperTriangle) {
  std::size_t expected = 0;
  for (std::size_t r = 0; r < 5; ++r) {
    for (std::size_t c = r + 1; c < 5; ++c) {
      EXPECT_EQ(PairBlockIndex(5, r, c), expected++);
    }
  }
}

TEST(AllocationProblem, NumbersVariablesUnitByUnit) {
  AllocationProblem problem = SmallProblem();
  problem.units[0].options.push_back({"mid", 1.0, {20}});
  EXPECT_EQ(problem.FirstVariable(1), 3);
  EXPECT_THAT(problem.FirstVariables(), ElementsAre(0, 3, 5));
}

TEST(AllocationProblem, BudgetsAreInclusive) {
  AllocationProblem problem = SmallProblem();
  problem.resources[0].limit = 60;
  EXPECT_TRUE(IsFeasible(problem, {1, 0}));
  problem.resources[0].limit = 59;
  EXPECT_FALSE(IsFeasible(problem, {1, 0}));
}

TEST(AllocationProblem, FeasibleMeansPinsAndTiesToo) {
  AllocationProblem problem = SmallProblem();
  problem.pins = {{0, 0}};
  EXPECT_FALSE(IsFeasible(problem, {1, 0}));
  problem.ties = {{0, 1}};
  EXPECT_FALSE(IsFeasible(problem, {0, 1}));
  EXPECT_TRUE(IsFeasible(problem, {0, 0}));
  EXPECT_FALSE(IsFeasible(problem, {0}));
  EXPECT_FALSE(IsFeasible(problem, {0, 2}));
}

TEST(AllocationProblem, SizeRangeHonoursPinsAndTies) {
  AllocationProblem problem = SmallProblem();
  EXPECT_EQ(ComputeSizeRange(problem, 0).least, 30);
  EXPECT_EQ(ComputeSizeRange(problem, 0).greatest, 120);
  problem.pins = {{1, 1}};
  EXPECT_EQ(ComputeSizeRange(problem, 0).least, 90);
  problem.ties = {{0, 1}};
  const SizeRange range = ComputeSizeRange(problem, 0);
  EXPECT_EQ(range.least, 120);
  EXPECT_THAT(range.least_by_unit, ElementsAre(40, 80));
}

TEST(AllocationProblem, ExplainsWhichUnitsForceTheLeastSize) {
  AllocationProblem problem = SmallProblem();
  problem.resources[0].limit = 80;
  EXPECT_EQ(ExplainInfeasibility(problem), "");
  problem.pins = {{1, 1}};
  EXPECT_THAT(ExplainInfeasibility(problem),
              HasSubstr("bytes: the limit 80 is below the least possible 90 "
                        "(greatest 120); second needs 80 (pinned), first 10"));
}

TEST(ValidateProblem, AcceptsAnUnreachableBudget) {
  AllocationProblem problem = SmallProblem();
  problem.resources[0].limit = -5;
  EXPECT_TRUE(Validate(problem).has_value());
}

TEST(ValidateProblem, RefusesNoUnitsAndNoOptions) {
  EXPECT_THAT(Broken({}), HasSubstr("no units"));
  AllocationProblem problem = SmallProblem();
  problem.units[1].options.clear();
  EXPECT_THAT(Broken(problem), HasSubstr("unit 1 'second' has no options"));
}

TEST(ValidateProblem, NamesUnitAndOptionOfANumberThatIsNotFinite) {
  AllocationProblem problem = SmallProblem();
  problem.units[1].options[0].cost = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(Broken(problem),
              HasSubstr("unit 1 'second' option 0 'low': cost = nan"));
  problem = SmallProblem();
  problem.constant = std::numeric_limits<double>::infinity();
  EXPECT_THAT(Broken(problem), HasSubstr("constant = inf"));
}

TEST(ValidateProblem, RefusesCostsWhoseSumOverflows) {
  AllocationProblem problem = SmallProblem();
  problem.units[0].options[0].cost = 1e308;
  problem.units[1].options[0].cost = 1e308;
  EXPECT_THAT(Broken(problem), HasSubstr("infinity"));
}

TEST(ValidateProblem, RefusesWrongSizes) {
  AllocationProblem problem = SmallProblem();
  problem.units[0].options[1].sizes = {-1};
  EXPECT_THAT(Broken(problem), HasSubstr("size of 'bytes' = -1"));
  problem.units[0].options[1].sizes = {1, 2};
  EXPECT_THAT(Broken(problem), HasSubstr("2 sizes for 1 resources"));
}

TEST(ValidateProblem, RefusesSizesWhoseSumOverflows) {
  AllocationProblem problem = SmallProblem();
  problem.units[0].options[0].sizes = {std::int64_t{1} << 61U};
  problem.units[1].options[0].sizes = {std::int64_t{1} << 62U};
  EXPECT_THAT(Broken(problem),
              HasSubstr("unit 1 'second': the sum of 'bytes'"));
}

TEST(ValidateProblem, RefusesPairsThatDoNotExist) {
  AllocationProblem problem = SmallProblem();
  problem.pairs.Add(2, 3, 1.0);
  EXPECT_THAT(Broken(problem), HasSubstr("belong to one unit"));
  problem = SmallProblem();
  problem.pairs.Add(0, 4, 1.0);
  EXPECT_THAT(Broken(problem), HasSubstr("pair (0, 4)"));
  problem = SmallProblem();
  problem.pairs.Add(0, 3, std::numeric_limits<double>::infinity());
  EXPECT_THAT(Broken(problem), HasSubstr("not finite"));
}

TEST(ValidateProblem, RefusesMalformedBlocks) {
  const auto with = [](PairBlock block) {
    AllocationProblem problem = SmallProblem();
    problem.pairs.AddBlock(std::move(block));
    return problem;
  };
  EXPECT_THAT(Broken(with({{0, 2}, {1.0, 2.0}})), HasSubstr("2 values"));
  EXPECT_THAT(Broken(with({{2, 0}, {1.0}})), HasSubstr("ascend"));
  EXPECT_THAT(Broken(with({{2, 9}, {0.0}})), HasSubstr("variable 9"));
  EXPECT_THAT(Broken(with({{0, 1}, {1.0}})), HasSubstr("one unit"));
  EXPECT_TRUE(Validate(with({{0, 1, 2}, {0.0, 1.0, 1.0}})).has_value());
}

TEST(ValidateProblem, RefusesContradictoryPinsAndUnequalTies) {
  AllocationProblem problem = SmallProblem();
  problem.pins = {{0, 0}, {0, 1}};
  EXPECT_THAT(Broken(problem), HasSubstr("pinned to option 1"));
  problem.pins = {{0, 0}, {1, 1}};
  problem.ties = {{0, 1}};
  EXPECT_THAT(Broken(problem), HasSubstr("tied unit"));
  problem = SmallProblem();
  problem.units[1].options.push_back({"mid", 0.0, {5}});
  problem.ties = {{0, 1}};
  EXPECT_THAT(Broken(problem), HasSubstr("equally many"));
  problem = SmallProblem();
  problem.pins = {{2, 0}};
  EXPECT_THAT(Broken(problem), HasSubstr("a pin names unit 2"));
  problem.pins = {{1, 2}};
  EXPECT_THAT(Broken(problem), HasSubstr("option 2 of 2"));
  problem.pins = {};
  problem.ties = {{0, -1}};
  EXPECT_THAT(Broken(problem), HasSubstr("a tie names unit -1"));
}

}  // namespace
}  // namespace bitpact
