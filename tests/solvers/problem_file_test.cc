// SPDX-License-Identifier: Apache-2.0
#include "solvers/problem_file.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/json_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/certificate_checker.h"
#include "solvers/enumerate_solver.h"
#include "solvers/plan_checker.h"
#include "solvers/result_file.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using ::testing::HasSubstr;

class ProblemFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("bitpact_problem_file_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::filesystem::path Path(const std::string& name) const {
    return folder_ / name;
  }

  // Writes a valid file whose body is `body` and reads it as a problem.
  [[nodiscard]] Error ReadingFails(const std::string& body) const {
    std::ofstream(Path("bad.json"))
        << R"({"format": "bitpact.problem", "version": 1, "tool_version": "x",)"
        << body << "}";
    const Expected<AllocationProblem> problem = ReadProblem(Path("bad.json"));
    EXPECT_FALSE(problem.has_value()) << body;
    return problem ? Error{} : problem.error();
  }

  std::filesystem::path folder_;
};

TEST_F(ProblemFile, ReadsBackWhatWasWritten) {
  AllocationProblem problem = testing::RandomProblem(
      {.units = 5, .options = 3, .resources = 2, .pins = 1, .ties = 1}, 5);
  problem.pairs.AddBlock({{0, 3, 6}, {0.1, -0.2, 1e-300}});
  ASSERT_TRUE(WriteProblem(Path("p.json"), problem, {{"model", "xxh3:0"}}));
  const Expected<AllocationProblem> back = ReadProblem(Path("p.json"));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, problem);
}

TEST_F(ProblemFile, ReadsBackFactorsAsVersionTwo) {
  AllocationProblem problem = testing::RandomProblem({.units = 3}, 5);
  ASSERT_TRUE(WriteProblem(Path("p.json"), problem, {}));
  EXPECT_TRUE(JsonFile::Read(Path("p.json"), "bitpact.problem", 1).has_value());
  problem.pairs.AddFactor({{0, 3, 4}, 2, -0.3, {1, 0.1, 2, 1e-300, -3, 0}});
  ASSERT_TRUE(WriteProblem(Path("p.json"), problem, {}));
  EXPECT_EQ(JsonFile::Read(Path("p.json"), "bitpact.problem", 1).error().code,
            ErrorCode::kUnsupported);
  const Expected<AllocationProblem> back = ReadProblem(Path("p.json"));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, problem);
}

TEST_F(ProblemFile, NamesTheFactorThatIsWrong) {
  const std::string head =
      R"("constant": 0, "resources": [], "units": [{"name": "u", "options":
         [{"name": "a", "cost": 1, "sizes": []}]}, {"name": "w", "options":
         [{"name": "a", "cost": 1, "sizes": []}]}], "pair_factors": [)";
  const auto fails = [&](const std::string& factor) {
    return ReadingFails(head + factor + "]").message;
  };
  EXPECT_THAT(fails(R"({"variables": [0, 1], "rank": 0, "scale": 1,
                        "values": []})"),
              HasSubstr("pair_factors[0]"));
  EXPECT_THAT(fails(R"({"variables": [0, 1], "rank": 2147483647, "scale": 1,
                        "values": [1, 2]})"),
              HasSubstr("variables * rank"));
  EXPECT_THAT(fails(R"({"variables": [0, 1], "rank": 2, "scale": 1,
                        "values": [1, 2, 3]})"),
              HasSubstr("variables * rank"));
  EXPECT_THAT(fails(R"({"variables": [], "rank": 1, "scale": 1,
                        "values": []})"),
              HasSubstr("a pair factor"));
  EXPECT_THAT(fails(R"({"variables": [1, 0], "rank": 1, "scale": 1,
                        "values": [1, 2]})"),
              HasSubstr("ascend"));
  EXPECT_THAT(fails(R"({"variables": [0, 1], "rank": 1, "scale": "x",
                        "values": [1, 2]})"),
              HasSubstr("pair_factors[0].scale"));
  EXPECT_THAT(fails(R"({"variables": [0, 1], "rank": 1, "scale": 1e300,
                        "values": [1e300, 2]})"),
              HasSubstr("add up to infinity"));
}

TEST_F(ProblemFile, NamesTheFieldThatIsWrong) {
  const std::string head = R"("constant": 0, "resources": [],)";
  const std::string units =
      R"("units": [{"name": "u", "options": [{"name": "a", "cost": 1, "sizes": []},
                                             {"name": "b", "cost": 1, "sizes": []}]},
                   {"name": "w", "options": [{"name": "a", "cost": 1, "sizes": []}]}])";
  EXPECT_THAT(ReadingFails(R"("resources": [], "units": [])").message,
              HasSubstr("constant"));
  EXPECT_THAT(ReadingFails(head + R"("units": 3)").message, HasSubstr("units"));
  EXPECT_THAT(
      ReadingFails(head + R"("units": [{"name": "u", "options": [{"name": "a",
                   "cost": "cheap", "sizes": []}]}])")
          .message,
      HasSubstr("units[0].options[0].cost"));
  EXPECT_THAT(ReadingFails(head + units + R"(, "pins": [{"unit": -1,
                           "option": 0}])")
                  .message,
              HasSubstr("pins[0].unit"));
  EXPECT_THAT(ReadingFails(head + units + R"(, "ties": [[0]])").message,
              HasSubstr("ties[0]"));
  EXPECT_THAT(ReadingFails(head + units + R"(, "ties": [[0, 1e300]])").message,
              HasSubstr("ties[0]"));
  EXPECT_THAT(
      ReadingFails(head + units + R"(, "pair_terms": [[0, 2.5, 1]])").message,
      HasSubstr("pair_terms[0]"));
  EXPECT_THAT(ReadingFails(head + units +
                           R"(, "pair_terms": [[0, 18446744073709551615, 1]])")
                  .message,
              HasSubstr("pair_terms[0]"));
  EXPECT_THAT(ReadingFails(head + units + R"(, "pair_blocks": [{"variables":
                           [0, 2], "values": [1, 2]}])")
                  .message,
              HasSubstr("a pair block"));
  EXPECT_THAT(ReadingFails(head + units + R"(, "pair_blocks": [{"variables":
                           [0, -2], "values": [1]}])")
                  .message,
              HasSubstr("variables"));
}

TEST_F(ProblemFile, RefusesATruncatedAndANewerFile) {
  AllocationProblem problem = testing::RandomProblem({.units = 3}, 1);
  ASSERT_TRUE(WriteProblem(Path("p.json"), problem, {}));
  std::filesystem::resize_file(Path("p.json"),
                               std::filesystem::file_size(Path("p.json")) / 2);
  const Expected<AllocationProblem> cut = ReadProblem(Path("p.json"));
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().code, ErrorCode::kDataLoss);
  std::ofstream(Path("new.json"))
      << R"({"format": "bitpact.problem", "version": 3, "tool_version": "x"})";
  EXPECT_EQ(ReadProblem(Path("new.json")).error().code,
            ErrorCode::kUnsupported);
}

TEST_F(ProblemFile, ResultFileSpellsOutThePlan) {
  const AllocationProblem problem = testing::RandomProblem({.units = 4}, 2);
  EnumerateSolver solver;
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  ASSERT_TRUE(result.has_value());
  ASSERT_TRUE(WriteSolveResult(Path("r.json"), problem, *result, {}));
  const Expected<JsonFile> file =
      JsonFile::Read(Path("r.json"), "bitpact.result", 1);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(*file->root().String("termination"), "optimal");
  EXPECT_EQ(*file->root().Number("objective"), result->objective);
  EXPECT_EQ(file->root().Array("plan")->size(), 4U);
}

TEST_F(ProblemFile, ResultFileKeepsAProofThatOthersCanCheck) {
  const AllocationProblem problem = testing::CoopProblem({.units = 25}, 2);
  BranchAndBoundSolver solver;
  const Expected<SolveResult> result = SolveAndCheck(solver, problem, {});
  ASSERT_TRUE(result.has_value());
  ASSERT_TRUE(result->root_certificate.has_value());
  ASSERT_TRUE(WriteSolveResult(Path("r.json"), problem, *result, {}));
  const Expected<StoredProof> proof = ReadStoredProof(Path("r.json"));
  ASSERT_TRUE(proof.has_value()) << proof.error().message;
  EXPECT_EQ(proof->presolve, result->presolve);
  ASSERT_TRUE(proof->root_certificate.has_value());
  EXPECT_EQ(proof->root_certificate->bound, result->root_certificate->bound);
  EXPECT_TRUE(
      CheckRootCertificate(problem, *proof->root_certificate).has_value());
  RootCertificate forged = *proof->root_certificate;
  forged.bound += 1e-3 * std::abs(forged.bound);
  EXPECT_FALSE(CheckRootCertificate(problem, forged).has_value());
}

TEST_F(ProblemFile, StoredProofWithAMissingFieldIsRefusedByItsName) {
  std::ofstream(Path("r.json"))
      << R"({"format": "bitpact.result", "version": 1, "tool_version": "x",
             "root_certificate": {"drops_dominated": false, "bound": 1.0,
             "shift": [1.0], "multipliers": [], "group_pairs": []}})";
  const Expected<StoredProof> proof = ReadStoredProof(Path("r.json"));
  ASSERT_FALSE(proof.has_value());
  EXPECT_EQ(proof.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(proof.error().message.find("root_certificate.point"),
            std::string::npos)
      << proof.error().message;
}

TEST_F(ProblemFile, ResultFileOfNoAnswerIsStillJson) {
  const AllocationProblem problem = testing::RandomProblem({.units = 2}, 2);
  ASSERT_TRUE(WriteSolveResult(Path("r.json"), problem, SolveResult{}, {}));
  EXPECT_TRUE(JsonFile::Read(Path("r.json"), "bitpact.result", 1).has_value());
}

}  // namespace
}  // namespace bitpact
