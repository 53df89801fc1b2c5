// SPDX-License-Identifier: Apache-2.0
#include "solvers/certificate_checker.h"

#include <cmath>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "solvers/branch_and_bound_solver.h"
#include "solvers/dominance_checker.h"
#include "solvers/plan_checker.h"
#include "solvers/reduced_problem.h"
#include "tests/solvers/problem_generator.h"

namespace bitpact {
namespace {

using testing::Describe;
using ::testing::HasSubstr;
using testing::LadderProblem;
using testing::LadderSpec;
using testing::RandomProblem;
using testing::RandomProblemSpec;
using testing::SolveByBruteForce;

// A plain valid certificate: each variable's shift is a little more than its
// row's sum of magnitudes, so the matrix is diagonally dominant.
RootCertificate DominantCertificate(const AllocationProblem& problem,
                                    bool drops_dominated = false) {
  const ReducedProblem reduced =
      Reduce(problem, {.drop_dominated = drops_dominated});
  const int n = reduced.NumVariables();
  RootCertificate certificate;
  certificate.drops_dominated = drops_dominated;
  for (int v = 0; v < n; ++v) {
    double sum = 1e-9;
    for (int w = 0; w < n; ++w) {
      if (w != v) sum += std::abs(reduced.pairs.At(v, w));
    }
    certificate.shift.push_back(sum);
    certificate.point.push_back(0.1 + 0.8 * ((7 * v) % 10) / 10.0);
  }
  for (int k = 0; k < reduced.NumResources(); ++k) {
    certificate.multipliers.push_back(0.01 * (k + 1));
  }
  const Expected<double> derived = DeriveRootBound(problem, certificate);
  EXPECT_TRUE(derived.has_value()) << derived.error().message;
  if (derived) certificate.bound = *derived;
  return certificate;
}

TEST(CertificateChecker, DerivesLowerBoundsOnly) {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const RandomProblemSpec spec{
        .units = seed % 2 == 0 ? 7 : 4,
        .options = seed % 2 == 0 ? 2 : 4,
        .resources = static_cast<int>(seed % 4),
        .pins = static_cast<int>(seed % 2),
        .ties = static_cast<int>(seed / 2 % 3),
        .tightness = 0.2 + 0.2 * static_cast<double>(seed % 4)};
    const AllocationProblem problem = RandomProblem(spec, seed);
    if (Reduce(problem).infeasible) continue;
    const RootCertificate certificate = DominantCertificate(problem);
    ASSERT_TRUE(CheckRootCertificate(problem, certificate).has_value());
    const auto judge = SolveByBruteForce(problem);
    if (!judge.plan) continue;
    ++compared;
    EXPECT_LE(certificate.bound, judge.objective) << Describe(spec, seed);
  }
  EXPECT_GT(compared, 200);
}

// Few pairs, so that options are dominated.
TEST(CertificateChecker, ShowsThatDroppedOptionsAreDominated) {
  int dropped = 0;
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const RandomProblemSpec spec{.units = 6,
                                 .options = 2 + static_cast<int>(seed % 3),
                                 .resources = static_cast<int>(seed % 3),
                                 .pair_density = 0.1,
                                 .pair_scale = 0.2,
                                 .whole_numbers = seed % 2 == 0,
                                 .factor_rank = static_cast<int>(seed / 3 % 2),
                                 .pins = static_cast<int>(seed % 2),
                                 .ties = static_cast<int>(seed / 2 % 3)};
    const AllocationProblem problem = RandomProblem(spec, seed);
    const ReducedProblem reduced = Reduce(problem, {.drop_dominated = true});
    if (reduced.infeasible) continue;
    dropped += reduced.counts.dominated_options;
    const RootCertificate certificate = DominantCertificate(problem, true);
    EXPECT_TRUE(CheckRootCertificate(problem, certificate).has_value())
        << Describe(spec, seed);
    const auto judge = SolveByBruteForce(problem);
    if (!judge.plan) continue;
    EXPECT_LE(certificate.bound,
              judge.objective + 1e-12 * ObjectiveScale(problem))
        << Describe(spec, seed);
  }
  EXPECT_GT(dropped, 100);
}

TEST(DominanceChecker, RefusesWhatIsNotDominated) {
  AllocationProblem problem;
  problem.resources = {{"bytes", 10}};
  problem.units = {{"a", {{"x", 1.0, {2}}, {"y", 2.0, {3}}, {"z", 2.0, {1}}}},
                   {"b", {{"x", 0.0, {1}}, {"y", 5.0, {9}}}}};
  problem.pairs.Add(0, 4, 0.5);
  const std::vector<std::vector<std::size_t>> classes = {{0}, {1}};
  const auto drop = [&](int from, int to) {
    std::vector<std::vector<int>> options = {{0, 1, 2}, {0, 1}};
    const std::string violation =
        DropReplaced(problem, {{{0}, from, to}}, classes, options, [] {});
    EXPECT_EQ(options[0].size(), violation.empty() ? 2U : 3U);
    return violation;
  };
  EXPECT_EQ(drop(1, 0), "");                                // 1 + 0.5 <= 2
  EXPECT_EQ(drop(1, 2), "");                                // equal cost
  EXPECT_THAT(drop(0, 2), HasSubstr("does not dominate"));  // dearer
  EXPECT_THAT(drop(2, 0), HasSubstr("does not dominate"));  // larger
  EXPECT_THAT(drop(1, 1), HasSubstr("is gone"));
  problem.pairs.Add(0, 4, 0.6);  // 1.1 with b's y: dearer than 2 - 1
  EXPECT_THAT(drop(1, 0), HasSubstr("does not dominate"));
}

// The formula is an equality for a diagonal matrix of one free binary: the
// bound meets the optimum when the point does.
TEST(CertificateChecker, IsTightWhereTheRelaxationIs) {
  AllocationProblem problem;
  problem.constant = 3.0;
  problem.units = {{"a", {{"x", 2.0, {}}, {"y", -1.0, {}}}},
                   {"b", {{"x", 0.5, {}}, {"y", 4.0, {}}}}};
  RootCertificate certificate;
  certificate.shift = {0.0, 0.0};
  certificate.point = {0.0, 0.0};
  certificate.bound = 2.5;
  const Expected<double> derived = DeriveRootBound(problem, certificate);
  ASSERT_TRUE(derived.has_value()) << derived.error().message;
  EXPECT_NEAR(*derived, 2.5, 1e-15);
  EXPECT_TRUE(CheckRootCertificate(problem, certificate).has_value());
}

// Many more options than coordinates: U'(K + D)U is singular, the certificate
// is not.
TEST(CertificateChecker, AcceptsTheRootsOfLadders) {
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    LadderSpec spec{.units = 8 + static_cast<int>(seed % 3) * 8,
                    .options = {5, 3, 2},
                    .is_convex = seed % 2 == 0,
                    .ratio = seed % 4 < 2 ? 1.0 : 10.0};
    spec.pair_noise = seed % 8 == 7 ? 0.1 : 0.0;
    const AllocationProblem problem = LadderProblem(spec, seed);
    SolveOptions options;
    options.node_limit = 1;
    BranchAndBoundSolver solver;
    const Expected<SolveResult> result =
        SolveAndCheck(solver, problem, options);
    ASSERT_TRUE(result.has_value())
        << Describe(spec, seed) << ": " << result.error().message;
    ASSERT_TRUE(result->root_certificate.has_value()) << Describe(spec, seed);
    EXPECT_EQ(result->options.at("root_certificate").used, "checked");
    // Nothing was given away: the bound of the run is the certificate's.
    EXPECT_NEAR(result->root_certificate->bound,
                result->bound,
                1e-7 * std::abs(result->bound) + 1e-9 * ObjectiveScale(problem))
        << Describe(spec, seed);
  }
}

class TamperedCertificate : public ::testing::Test {
 protected:
  AllocationProblem problem_ =
      RandomProblem({.units = 5, .options = 3, .resources = 2}, 21);
  RootCertificate certificate_ = DominantCertificate(problem_);

  std::string Refusal() {
    const Expected<void> checked = CheckRootCertificate(problem_, certificate_);
    EXPECT_FALSE(checked.has_value());
    if (checked) return {};
    EXPECT_EQ(checked.error().code, ErrorCode::kInternal);
    return checked.error().message;
  }
};

TEST_F(TamperedCertificate, ABoundTooHighBySomeRounding) {
  certificate_.bound += 1e-12 * std::abs(certificate_.bound);
  EXPECT_THAT(Refusal(), HasSubstr("claims the bound"));
  certificate_.bound = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(Refusal(), HasSubstr("claims the bound"));
}

TEST_F(TamperedCertificate, AShiftTooSmallToBeConvex) {
  certificate_.shift[3] = 0.0;
  EXPECT_THAT(Refusal(), HasSubstr("not positive semidefinite"));
}

TEST_F(TamperedCertificate, ASmallerShiftOrAnotherPointProvesLess) {
  certificate_.point[1] += 0.5;
  const Expected<double> derived = DeriveRootBound(problem_, certificate_);
  ASSERT_TRUE(derived.has_value());
  EXPECT_NE(*derived, certificate_.bound);
}

TEST_F(TamperedCertificate, AMultiplierBelowZero) {
  certificate_.multipliers[1] = -0.5;
  EXPECT_THAT(Refusal(), HasSubstr("multiplier below 0"));
}

TEST_F(TamperedCertificate, VectorsThatDoNotFit) {
  certificate_.point.pop_back();
  EXPECT_THAT(Refusal(), HasSubstr("wrong length"));
  certificate_ = DominantCertificate(problem_);
  certificate_.shift[0] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(Refusal(), HasSubstr("not finite"));
}

TEST_F(TamperedCertificate, AGroupPairBetweenGroups) {
  certificate_.group_pairs = {{0, 5, 1.0}};
  EXPECT_THAT(Refusal(), HasSubstr("inside one group"));
}

// A group pair that is allowed, but takes convexity away.
TEST_F(TamperedCertificate, AGroupPairTooLarge) {
  certificate_.group_pairs = {{0, 1, 1e3}};
  EXPECT_THAT(Refusal(), HasSubstr("not positive semidefinite"));
}

TEST_F(TamperedCertificate, TheCertificateOfAnotherProblem) {
  problem_.units[2].options[1].cost -= 50.0;
  certificate_.bound += 1.0;
  EXPECT_THAT(Refusal(), HasSubstr("claims the bound"));
}

// Solves honestly and hands over a certificate of the test's making.
class CertifyingSolver final : public Solver {
 public:
  explicit CertifyingSolver(RootCertificate certificate)
      : certificate_(std::move(certificate)) {}
  [[nodiscard]] std::string_view name() const override { return "certifying"; }
  [[nodiscard]] SolverCapabilities capabilities() const override {
    return honest_.capabilities();
  }
  [[nodiscard]] Expected<SolveResult> Solve(
      const AllocationProblem& problem, const SolveOptions& options) override {
    Expected<SolveResult> result = honest_.Solve(problem, options);
    if (result) result->root_certificate = certificate_;
    return result;
  }

 private:
  BranchAndBoundSolver honest_;
  RootCertificate certificate_;
};

TEST_F(TamperedCertificate, IsFoundBySolveAndCheck) {
  CertifyingSolver honest(certificate_);
  const Expected<SolveResult> good = SolveAndCheck(honest, problem_, {});
  ASSERT_TRUE(good.has_value()) << good.error().message;
  EXPECT_EQ(good->options.at("root_certificate").used, "checked");
  RootCertificate lie = certificate_;
  lie.bound += 1e-3;
  CertifyingSolver liar(lie);
  const Expected<SolveResult> bad = SolveAndCheck(liar, problem_, {});
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, ErrorCode::kInternal);
  EXPECT_THAT(bad.error().message, HasSubstr("solver 'certifying'"));
  // Too large to be checked unasked.
  const Expected<SolveResult> unchecked =
      SolveAndCheck(liar, problem_, {}, {.most_certified_variables = 2});
  ASSERT_TRUE(unchecked.has_value());
  EXPECT_THAT(unchecked->options.at("root_certificate").used,
              HasSubstr("not checked"));
}

}  // namespace
}  // namespace bitpact
