// SPDX-License-Identifier: Apache-2.0

// The readers of published formats: small files of every kind of trouble, and
// every stored solution of the data folder against its listed objective.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/bqp_reader.h"
#include "solvers/opb_reader.h"
#include "solvers/qkp_reader.h"

namespace bitpact {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

template <typename Read>
auto ReadText(Read read, const std::string& text) {
  const fs::path file =
      fs::temp_directory_path() /
      ("bitpact_published_" + std::to_string(getpid()) + ".txt");
  std::ofstream(file) << text;
  auto result = read(file);
  fs::remove(file);
  return result;
}

Expected<AllocationProblem> Bqp(const std::string& text) {
  return ReadText(ReadBqp, text);
}
Expected<OpbProblem> Opb(const std::string& text) {
  return ReadText(ReadOpb, text);
}

TEST(BqpReader, CountsOffDiagonalEntriesTwice) {
  const auto problem = Bqp("3 4\n1 1 5\n1 3 -4\n2 3 1\n3 3 2\n");
  ASSERT_TRUE(problem.has_value()) << problem.error().message;
  EXPECT_EQ(Objective(*problem, {1, 0, 0}), 5.0);
  EXPECT_EQ(Objective(*problem, {1, 0, 1}), 5.0 + 2.0 - 8.0);
  EXPECT_EQ(Objective(*problem, {0, 1, 1}), 2.0 + 2.0);
}

TEST(BqpReader, NamesFileLineValueAndRule) {
  EXPECT_THAT(Bqp("3 1\n1 x 5\n").error().message, HasSubstr(":2: column"));
  EXPECT_THAT(Bqp("3 1\n2 1 5\n").error().message, HasSubstr("within 2 and 3"));
  EXPECT_THAT(Bqp("3 1\n1 4 5\n").error().message, HasSubstr("'4'"));
  EXPECT_THAT(Bqp("0 0\n").error().message, HasSubstr("number of variables"));
  EXPECT_THAT(Bqp("99999 0\n").error().message, HasSubstr("20000"));
  EXPECT_THAT(Bqp("2 9\n").error().message, HasSubstr("within 0 and 3"));
  EXPECT_THAT(Bqp("2 1\n1 1 99999999999999999999\n").error().message,
              HasSubstr("99999999999999999999"));
  EXPECT_THAT(Bqp("2 1\n1 1 5\n1 2 3\n").error().message,
              HasSubstr("more than the 1 entries"));
}

TEST(BqpReader, RefusesAFileThatEndsEarly) {
  EXPECT_EQ(Bqp("3 2\n1 1 5\n2").error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(Bqp("").error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(ReadBqp("/nonexistent/file").error().code, ErrorCode::kNotFound);
}

constexpr const char* kOpb =
    "* #variable= 5 #constraint= 3\n"
    "min: +3 x1 -2 x1 x4 +7 x1 x2 +5 x4 x4 ;\n"
    "+1 x1 +1 x2 = 1;\n"
    "* a comment\n"
    "-2 x3 +3 x4 >= -1 ;\n"
    "+1 x3 +1 x4 +1 x5 = 2 ;\n";

TEST(OpbReader, MakesGroupsAndResources) {
  const auto read = Opb(kOpb);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->problem.NumUnits(), 4);
  EXPECT_EQ(read->problem.NumResources(), 3);
  const auto plan = [&](const std::vector<bool>& values) {
    return *read->PlanOf(values);
  };
  // 3 - 2 + 5; the product inside the group is zero.
  EXPECT_EQ(Objective(read->problem, plan({true, false, false, true, true})),
            6.0);
  EXPECT_TRUE(
      IsFeasible(read->problem, plan({true, false, false, true, true})));
  // -2 + 0 < -1.
  EXPECT_FALSE(
      IsFeasible(read->problem, plan({true, false, true, false, true})));
  // Sums to 1, and to 3.
  EXPECT_FALSE(
      IsFeasible(read->problem, plan({true, false, false, true, false})));
  EXPECT_FALSE(
      IsFeasible(read->problem, plan({true, false, true, true, true})));
}

TEST(OpbReader, SaysWhichValuesAreNoPlan) {
  const auto read = Opb(kOpb);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_THAT(read->PlanOf({true}).error().message, HasSubstr("1 values"));
  EXPECT_THAT(read->PlanOf({true, true, false, false, false}).error().message,
              HasSubstr("x2 is the second 1 of group1"));
  EXPECT_THAT(read->PlanOf({false, false, false, false, false}).error().message,
              HasSubstr("group1 has no 1"));
}

TEST(OpbReader, NamesFileLineValueAndRule) {
  const std::string head = "* #variable= 2 #constraint= 1\n";
  EXPECT_THAT(Opb("min: +1 x1 ;").error().message, HasSubstr("#variable="));
  EXPECT_THAT(Opb(head + "min: +1 x3 ;").error().message,
              HasSubstr(":2: index of x = '3'"));
  EXPECT_THAT(Opb(head + "min: +1 y3 ;").error().message,
              HasSubstr("coefficient without a variable"));
  EXPECT_THAT(Opb(head + "min: 1e3 x1 ;").error().message, HasSubstr("'1e3'"));
  EXPECT_THAT(Opb(head + "min: +1 x1 ;\n+1 x1 > 2 ;").error().message,
              HasSubstr("'>'"));
  EXPECT_THAT(Opb(head + "min: +1 x1 ;\n+1 x1 >= 2 x").error().message,
              HasSubstr("';' is expected"));
  EXPECT_EQ(Opb(head + "min: +1 x1").error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(Opb(head + "min: +1 ~x1 ;").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(Opb(head + "max: +1 x1 ;").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(Opb(head + "min: +1 x1 x2 x1 ;").error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(Opb(head + "min: +1 x1 ;\n+1 x1 x2 >= 1 ;").error().code,
            ErrorCode::kUnsupported);
}

fs::path DataFolder() {
  return fs::path(BITPACT_SOURCE_DIR) / ".." / "shared" / "data" / "solvers";
}

// Calls visit(file, objective, bits) for every line of a solutions.txt and
// returns how many there were.
int ForEachSolution(
    const fs::path& folder,
    const std::function<
        void(const std::string&, double, const std::vector<bool>&)>& visit) {
  std::ifstream lines(folder / "solutions.txt");
  std::string name;
  double objective = 0.0;
  std::string bits;
  int count = 0;
  while (lines >> name >> objective >> bits) {
    std::vector<bool> values;
    for (const char bit : bits) values.push_back(bit == '1');
    visit(name, objective, values);
    ++count;
  }
  return count;
}

Assignment PlanOfBits(const std::vector<bool>& bits) {
  Assignment plan;
  for (const bool bit : bits) plan.push_back(bit ? 1 : 0);
  return plan;
}

TEST(PublishedInstances, StoredQkpSolutionsHaveTheirProfit) {
  const fs::path folder = DataFolder() / "qkp";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const int count = ForEachSolution(
      folder, [&](const auto& name, double profit, const auto& bits) {
        const auto problem = ReadQkp(folder / name);
        ASSERT_TRUE(problem.has_value()) << problem.error().message;
        EXPECT_TRUE(IsFeasible(*problem, PlanOfBits(bits))) << name;
        EXPECT_EQ(Objective(*problem, PlanOfBits(bits)), -profit) << name;
      });
  EXPECT_EQ(count, 78);
}

TEST(PublishedInstances, StoredBqpSolutionsHaveTheirObjective) {
  const fs::path folder = DataFolder() / "bqp";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  std::map<std::string, fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    files[entry.path().filename().string()] = entry.path();
  }
  const int count = ForEachSolution(
      folder, [&](const auto& name, double objective, const auto& bits) {
        const auto problem = ReadBqp(files[name]);
        ASSERT_TRUE(problem.has_value()) << name << problem.error().message;
        ASSERT_EQ(problem->units.size(), bits.size()) << name;
        EXPECT_EQ(Objective(*problem, PlanOfBits(bits)), objective) << name;
      });
  EXPECT_EQ(count, 165);
}

TEST(PublishedInstances, StoredQplibSolutionsHaveTheirObjective) {
  const fs::path folder = DataFolder() / "qplib";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const int count = ForEachSolution(
      folder, [&](const auto& name, double objective, const auto& bits) {
        const auto read = ReadOpb(folder / name);
        ASSERT_TRUE(read.has_value()) << read.error().message;
        const auto plan = read->PlanOf(bits);
        ASSERT_TRUE(plan.has_value()) << name << plan.error().message;
        EXPECT_TRUE(IsFeasible(read->problem, *plan)) << name;
        EXPECT_EQ(Objective(read->problem, *plan), objective) << name;
      });
  EXPECT_EQ(count, 15);
}

}  // namespace
}  // namespace bitpact
