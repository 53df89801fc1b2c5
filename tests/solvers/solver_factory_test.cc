// SPDX-License-Identifier: Apache-2.0
#include "solvers/solver_factory.h"

#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitpact {
namespace {

TEST(SolverFactory, NamesAreUniqueAndMatchTheSolver) {
  std::set<std::string> names;
  for (const SolverInfo& info : ListSolvers()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.summary.empty()) << info.name;
    const auto solver = MakeSolver(info.name);
    EXPECT_EQ(solver.has_value(), info.available) << info.name;
    if (solver) {
      EXPECT_EQ((*solver)->name(), info.name);
    } else {
      EXPECT_EQ(solver.error().code, ErrorCode::kUnavailable);
      EXPECT_THAT(solver.error().message,
                  ::testing::HasSubstr(info.cmake_option));
    }
  }
}

TEST(SolverFactory, ListsWhatIsBuiltInForAnUnknownName) {
  const auto solver = MakeSolver("gurobi");
  ASSERT_FALSE(solver.has_value());
  EXPECT_EQ(solver.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(solver.error().message, ::testing::HasSubstr("enumerate"));
}

}  // namespace
}  // namespace bitpact
