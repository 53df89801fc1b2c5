// SPDX-License-Identifier: Apache-2.0
#include "solvers/anneal_solver.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "solvers/plan_checker.h"
#include "solvers/qkp_reader.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::Describe;
using testing::RandomProblem;
using testing::RandomProblemSpec;
using testing::SolveByBruteForce;

// Where others keep the published instances; absent from the repository.
std::filesystem::path QkpFolder() {
  return std::filesystem::path(BITPACT_SOURCE_DIR) /
         "../shared/data/solvers/qkp";
}

// File name -> published optimum, from index.csv.
std::map<std::string, double> KnownOptima() {
  std::map<std::string, double> known;
  std::ifstream index(QkpFolder() / "index.csv");
  std::string line;
  std::getline(index, line);
  while (std::getline(index, line)) {
    std::istringstream fields(line);
    std::string file;
    std::string field;
    std::getline(fields, file, ',');
    for (int i = 0; i < 7; ++i) std::getline(fields, field, ',');
    known[file] = std::stod(field);
  }
  return known;
}

TEST(AnnealSolver, FindsTheOptimumOfSmallProblems) {
  AnnealSolver solver;
  SolveOptions options;
  options.node_limit = 2000;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const RandomProblemSpec spec{.units = seed % 2 == 0 ? 11 : 6,
                                 .options = seed % 2 == 0 ? 2 : 4,
                                 .resources = 1 + static_cast<int>(seed % 3),
                                 .pins = static_cast<int>(seed % 2),
                                 .ties = static_cast<int>(seed / 2 % 3)};
    const AllocationProblem problem = RandomProblem(spec, seed);
    const testing::BruteForceAnswer judge = SolveByBruteForce(problem);
    if (!judge.plan) continue;
    const Expected<SolveResult> result =
        SolveAndCheck(solver, problem, options);
    ASSERT_TRUE(result.has_value()) << result.error().message;
    EXPECT_NEAR(result->objective, judge.objective, 1e-9)
        << Describe(spec, seed);
  }
}

TEST(AnnealSolver, ReportsNoBound) {
  AnnealSolver solver;
  SolveOptions options;
  options.node_limit = 100;
  const Expected<SolveResult> result =
      SolveAndCheck(solver, RandomProblem({.units = 20}, 1), options);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(result->termination, Termination::kFeasible);
  EXPECT_EQ(result->bound, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(result->limit, Limit::kNodes);
  EXPECT_EQ(result->stats.nodes, 100);
}

TEST(AnnealSolver, HitsPublishedOptimaOfQuadraticKnapsacks) {
  if (!std::filesystem::exists(QkpFolder() / "index.csv")) {
    GTEST_SKIP() << "no published instances at " << QkpFolder();
  }
  const std::map<std::string, double> known = KnownOptima();
  AnnealSolver solver;
  for (const char* name : {"jeu_100_25_1.txt",
                           "jeu_100_25_7.txt",
                           "jeu_100_50_3.txt",
                           "jeu_100_75_5.txt",
                           "jeu_100_100_2.txt"}) {
    const Expected<AllocationProblem> problem = ReadQkp(QkpFolder() / name);
    ASSERT_TRUE(problem.has_value()) << problem.error().message;
    for (const std::uint64_t seed : {1U, 2U}) {
      SolveOptions options;
      options.seed = seed;
      options.node_limit = 6000;
      const Expected<SolveResult> result =
          SolveAndCheck(solver, *problem, options);
      ASSERT_TRUE(result.has_value()) << result.error().message;
      EXPECT_EQ(-result->objective, known.at(name)) << name << " seed " << seed;
    }
  }
}

}  // namespace
}  // namespace bitpact
