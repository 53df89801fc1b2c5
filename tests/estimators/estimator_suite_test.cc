// SPDX-License-Identifier: Apache-2.0
// What every estimator of the table must do, on a small model.

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/threads.h"
#include "estimators/sensitivity_estimator.h"
#include "gtest/gtest.h"
#include "tests/estimators/example_metrics.h"
#include "tests/estimators/tiny_evidence.h"

namespace bitpact {
namespace {

using test::TinyEvidence;

// Their cost is an error energy, so a more precise format never costs more.
// (The formats here are far apart; rounding one weight better can make another
// worse.)
const std::set<std::string> kErrorEnergies = {"fisher",
                                              "gradient-error",
                                              "hawq",
                                              "hessian-error",
                                              "weight-mse",
                                              "relative-error"};
// They look at the model, not only at the game.
const std::set<std::string> kNeedModel = {"llm-mq",
                                          "fisher",
                                          "gradient-error",
                                          "hessian-error",
                                          "hawq",
                                          "weight-mse",
                                          "lim",
                                          "zscore",
                                          "activation",
                                          "relative-error"};
// Their costs are means over what was sampled.
const std::set<std::string> kStandardErrors = {"coopq",
                                               "shapley",
                                               "isolated",
                                               "llm-mq",
                                               "fisher",
                                               "gradient-error",
                                               "hawq",
                                               "lim",
                                               "activation"};
// Their costs are no losses.
const std::set<std::string> kOnlyRank = {"hessian-error",
                                         "weight-mse",
                                         "lim",
                                         "zscore",
                                         "activation",
                                         "relative-error"};

// The table, and the metrics of docs/adding-a-metric.md.
std::vector<std::string> AllNames() {
  std::vector<std::string> names = EstimatorNames();
  names.emplace_back("relative-error");
  names.emplace_back("rescue");
  return names;
}

std::unique_ptr<SensitivityEstimator> Make(const std::string& name) {
  if (name == "relative-error") return MakeRelativeErrorEstimator();
  if (name == "rescue") return MakeRescueEstimator();
  auto made = MakeEstimator(name);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

class EstimatorSuite : public testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { SetThreadCount(0); }
  static Estimate Run(const TinyEvidence& tiny) {
    const auto estimate = Make(GetParam())->Run(tiny.Input(), {});
    EXPECT_TRUE(estimate) << estimate.error().message;
    return *estimate;
  }
};

TEST_P(EstimatorSuite, GivesAFiniteCostForEveryUnitAndOption) {
  for (const Granularity granularity :
       {Granularity::kBlock, Granularity::kFused, Granularity::kMatrix}) {
    const TinyEvidence tiny(granularity);
    const Estimate estimate = Run(tiny);
    const Surrogate& surrogate = estimate.surrogate;
    ASSERT_EQ(surrogate.linear.size(), tiny.units().size());
    double largest = 0.0;
    for (const std::vector<double>& unit : surrogate.linear) {
      ASSERT_EQ(unit.size(), tiny.formats().size());
      EXPECT_EQ(unit[0], 0.0);
      for (const double cost : unit) {
        EXPECT_TRUE(std::isfinite(cost));
        largest = std::max(largest, std::abs(cost));
      }
    }
    EXPECT_GT(largest, 0.0);
    for (const SurrogatePair& pair : surrogate.pairs) {
      EXPECT_TRUE(std::isfinite(pair.value));
      EXPECT_LT(pair.unit_a, pair.unit_b);
    }
  }
}

TEST_P(EstimatorSuite, StandardErrorsHaveTheShapeOfTheCosts) {
  const TinyEvidence tiny;
  const Surrogate surrogate = Run(tiny).surrogate;
  if (surrogate.linear_standard_error.empty()) {
    EXPECT_FALSE(kStandardErrors.contains(GetParam()));
    return;
  }
  ASSERT_EQ(surrogate.linear_standard_error.size(), surrogate.linear.size());
  double largest = 0.0;
  for (const std::vector<double>& unit : surrogate.linear_standard_error) {
    ASSERT_EQ(unit.size(), tiny.formats().size());
    EXPECT_EQ(unit[0], 0.0);
    for (const double error : unit) {
      EXPECT_TRUE(std::isfinite(error) && error >= 0.0);
      largest = std::max(largest, error);
    }
  }
  EXPECT_GT(largest, 0.0);
}

TEST_P(EstimatorSuite, StatesTheLossesOfTheTwoEnds) {
  const TinyEvidence tiny;
  const Estimate estimate = Run(tiny);
  const std::vector<FormatAssignment> ends = {
      FormatAssignment(tiny.units().size(), 0),
      FormatAssignment(tiny.units().size(), 2)};
  const auto values = tiny.Input().game->Evaluate(ends);
  ASSERT_TRUE(values);
  EXPECT_EQ(estimate.base_loss, (*values)[0].loss);
  EXPECT_EQ(estimate.lowest_loss, (*values)[1].loss);
}

TEST_P(EstimatorSuite, ReportsItsCost) {
  const TinyEvidence tiny;
  const auto made = Make(GetParam());
  const auto estimate = RunEstimator(*made, tiny.Input(), {});
  ASSERT_TRUE(estimate);
  EXPECT_GT(estimate->cost.seconds, 0.0);
  if (kNeedModel.contains(GetParam())) {
    EXPECT_EQ(estimate->cost.evaluations, 2.0);
  } else {
    EXPECT_GT(estimate->cost.evaluations, 2.0);
  }
}

TEST_P(EstimatorSuite, SaysTheSameForAnyNumberOfThreads) {
  const TinyEvidence tiny;
  SetThreadCount(1);
  const Estimate one = Run(tiny);
  SetThreadCount(3);
  const Estimate three = Run(tiny);
  EXPECT_EQ(one.surrogate.linear, three.surrogate.linear);
  EXPECT_EQ(one.surrogate.linear_standard_error,
            three.surrogate.linear_standard_error);
  ASSERT_EQ(one.surrogate.pairs.size(), three.surrogate.pairs.size());
  for (std::size_t i = 0; i < one.surrogate.pairs.size(); ++i) {
    EXPECT_EQ(one.surrogate.pairs[i].value, three.surrogate.pairs[i].value);
  }
}

TEST_P(EstimatorSuite, SaysWhatItNeedsWhenTheLossComesFromOutside) {
  const TinyEvidence tiny;
  const auto made = Make(GetParam());
  EXPECT_EQ(made->name(), GetParam());
  EXPECT_EQ(made->predicts_loss(), !kOnlyRank.contains(GetParam()));
  const auto estimate = made->Run({tiny.Input().game, nullptr}, {});
  EXPECT_EQ(estimate.has_value(), !kNeedModel.contains(GetParam()));
  if (estimate) return;
  EXPECT_EQ(estimate.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(estimate.error().message.find("'" + GetParam() + "'"),
            std::string::npos)
      << estimate.error().message;
}

INSTANTIATE_TEST_SUITE_P(AllOfTheTable,
                         EstimatorSuite,
                         testing::ValuesIn(AllNames()),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::erase(text, '-');
                           return text;
                         });

class ErrorEnergySuite : public testing::TestWithParam<std::string> {};

TEST_P(ErrorEnergySuite, AMorePreciseFormatNeverCostsMore) {
  const TinyEvidence tiny;
  const auto made = Make(GetParam());
  const auto estimate = made->Run(tiny.Input(), {});
  ASSERT_TRUE(estimate);
  for (const std::vector<double>& unit : estimate->surrogate.linear) {
    for (std::size_t o = 1; o < unit.size(); ++o) {
      EXPECT_GE(unit[o], unit[o - 1]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ErrorEnergies,
                         ErrorEnergySuite,
                         testing::ValuesIn(kErrorEnergies),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::erase(text, '-');
                           return text;
                         });

}  // namespace
}  // namespace bitpact
