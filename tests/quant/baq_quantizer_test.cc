// SPDX-License-Identifier: Apache-2.0
#include "quant/baq_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/column_layout.h"
#include "quant/column_rounding.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kRows = 48;
constexpr std::int64_t kCols = 80;

std::vector<float> Weights() {
  return NormalFloats(kRows * kCols, "baq weights");
}
const std::vector<float>& Hessian() {
  static const auto hessian = CorrelatedHessian(kCols, 4 * kCols, "baq");
  return hessian;
}

Expected<PackedMatrix> Quantize(const BaqOptions& options,
                                const std::vector<float>& weights,
                                const BitFormat& format,
                                const std::vector<float>& hessian = Hessian()) {
  return MakeBaqQuantizer(options)->Quantize(
      {weights, kRows, kCols}, {.hessian = hessian, .tensor = "w"}, format);
}

// tr((W - Q) H (W - Q)^T) of the damped H, without any factor.
double LayerError(const std::vector<float>& weights,
                  const std::vector<float>& decoded,
                  double damping) {
  double mean = 0.0;
  for (std::int64_t j = 0; j < kCols; ++j) {
    mean += double{Hessian()[j * kCols + j]} / kCols;
  }
  double sum = 0.0;
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t i = 0; i < kCols; ++i) {
      const double a =
          double{weights[row * kCols + i]} - decoded[row * kCols + i];
      for (std::int64_t j = 0; j < kCols; ++j) {
        const double b =
            double{weights[row * kCols + j]} - decoded[row * kCols + j];
        sum +=
            a * b *
            (double{Hessian()[i * kCols + j]} + (i == j ? damping * mean : 0));
      }
    }
  }
  return sum;
}

BaqOptions Recording(BaqOutcome& outcome) {
  BaqOptions options;
  options.on_matrix = [&](const BaqOutcome& made) { outcome = made; };
  return options;
}

TEST(BaqQuantizer, TakesTheBytesOfTheRate) {
  for (const int rate : {20000, 22500, 30001, 40000}) {
    const BitFormat format = MixedColumns(rate);
    const auto packed = Quantize({}, Weights(), format);
    ASSERT_TRUE(packed) << packed.error().message;
    EXPECT_EQ(packed->size_bytes(), rate * kRows * kCols / (8 * kRateUnits));
    EXPECT_EQ(packed->format(), format);
  }
}

// Checks coupling, pivots, order and decoding in one: the losses by column are
// the error that the stored matrix has.
TEST(BaqQuantizer, ReportsTheErrorOfWhatItStored) {
  for (const bool by_activation : {false, true}) {
    for (const int rate : {20000, 35000}) {
      BaqOutcome outcome;
      BaqOptions options = Recording(outcome);
      options.activation_order = by_activation;
      const auto packed = Quantize(options, Weights(), MixedColumns(rate));
      ASSERT_TRUE(packed) << packed.error().message;
      const double error =
          LayerError(Weights(), DequantizedReference(*packed), options.damping);
      EXPECT_NEAR(outcome.loss, error, 1e-3 * error);
    }
  }
}

TEST(BaqQuantizer, LosesLessThanColumnsAlikeAtEqualBytes) {
  BaqOutcome outcome;
  BaqOptions options = Recording(outcome);
  options.compare_uniform = true;
  const auto packed = Quantize(options, Weights(), MixedColumns(25000));
  ASSERT_TRUE(packed) << packed.error().message;
  EXPECT_LT(outcome.measured_gain(), 1.0);
  EXPECT_LT(outcome.predicted_gain, 1.0);
}

// Columns of few rows and heavy tails are no normal samples: errors that were
// met say more than the formula.
TEST(BaqQuantizer, LosesLessByErrorsThatWereMet) {
  std::vector<float> weights = Weights();
  for (float& w : weights) w = w * w * w;
  double losses[2] = {};
  double bytes[2] = {};
  for (const int passes : {1, 2}) {
    BaqOutcome outcome;
    BaqOptions options = Recording(outcome);
    options.passes = passes;
    const auto packed = Quantize(options, weights, MixedColumns(25000));
    ASSERT_TRUE(packed) << packed.error().message;
    losses[passes - 1] = outcome.loss;
    bytes[passes - 1] = static_cast<double>(packed->size_bytes());
    const double error =
        LayerError(weights, DequantizedReference(*packed), options.damping);
    EXPECT_NEAR(outcome.loss, error, 1e-3 * error);
  }
  EXPECT_LT(losses[1], 0.98 * losses[0]);
  EXPECT_EQ(bytes[1], bytes[0]);
}

// The pass that loses least is kept.
TEST(BaqQuantizer, NeverLosesByMorePasses) {
  double before = std::numeric_limits<double>::infinity();
  for (const int passes : {1, 2, 3, 4, 5}) {
    BaqOutcome outcome;
    BaqOptions options = Recording(outcome);
    options.passes = passes;
    ASSERT_TRUE(Quantize(options, Weights(), MixedColumns(22500)));
    EXPECT_LE(outcome.loss, before) << passes;
    before = outcome.loss;
  }
}

// Errors at every number of levels, against a search through all factors.
TEST(RoundColumns, MeasuresTheErrorsOfAllLevels) {
  const std::vector<float> weights = NormalFloats(kRows * kCols, "levels");
  std::vector<std::int64_t> order(kCols);
  for (std::int64_t j = 0; j < kCols; ++j) order[j] = j;
  const auto factor =
      FactorHessian(Identity(kCols, 1.0F), kCols, order, 0.01, GptqForm::kLdlq);
  ASSERT_TRUE(factor) << factor.error().message;
  const std::vector<std::byte> columns(kCols, std::byte{3});
  const std::vector<std::byte> rows(kRows, std::byte{192});  // scale 1
  const RoundedColumns found = RoundColumns({.weight = {weights, kRows, kCols},
                                             .grid = ColumnGrid::kScaled,
                                             .factor = &*factor,
                                             .order = order,
                                             .columns = columns,
                                             .rows = rows,
                                             .measure_levels = true});
  ASSERT_EQ(found.level_errors.size(), static_cast<std::size_t>(kCols));
  for (const std::int64_t col : {0, 1, 41}) {
    for (const int index : {0, 1, 2, 5, 9, 15}) {
      // Nothing moves: the Hessian is diagonal.
      double least = std::numeric_limits<double>::infinity();
      for (int code = 0; code < kFactorCodes; ++code) {
        const double step = ColumnFactor(index, code);
        const double half = 0.5 * (kLevelCounts[index] - 1);
        double sum = 0.0;
        for (std::int64_t row = 0; row < kRows; ++row) {
          const double w = weights[row * kCols + col];
          double nearest = std::abs(w) * std::abs(w);
          for (int q = 0; index > 0 && q < kLevelCounts[index]; ++q) {
            const double error = w - step * (q - half);
            nearest = q == 0 ? error * error : std::min(nearest, error * error);
          }
          sum += nearest;
        }
        least = std::min(least, sum);
      }
      // A local best in the factor may be a little more.
      const double measured = found.level_errors[col][index];
      EXPECT_GE(measured, (1.0 - 1e-4) * least) << index;
      EXPECT_LE(measured, 1.1 * least) << index;
    }
  }
}

TEST(BaqQuantizer, LosesLessAtAHigherRate) {
  double before = std::numeric_limits<double>::infinity();
  for (const int rate : {15000, 20000, 25000, 30000, 40000}) {
    BaqOutcome outcome;
    ASSERT_TRUE(Quantize(Recording(outcome), Weights(), MixedColumns(rate)));
    EXPECT_LT(outcome.loss, before) << rate;
    before = outcome.loss;
  }
}

TEST(BaqQuantizer, KeepsZerosExactly) {
  const std::vector<float> zeros(kRows * kCols, 0.0F);
  const auto packed = Quantize({}, zeros, MixedColumns(20000));
  ASSERT_TRUE(packed) << packed.error().message;
  EXPECT_EQ(DequantizedReference(*packed), zeros);
}

// A column whose input was never seen gets few bits and moves no other.
TEST(BaqQuantizer, GivesDeadColumnsTheLeastLevels) {
  std::vector<float> hessian = Hessian();
  for (std::int64_t j = 0; j < kCols; ++j) {
    hessian[7 * kCols + j] = 0.0F;
    hessian[j * kCols + 7] = 0.0F;
  }
  BaqOutcome outcome;
  const auto packed =
      Quantize(Recording(outcome), Weights(), MixedColumns(25000), hessian);
  ASSERT_TRUE(packed) << packed.error().message;
  EXPECT_EQ(outcome.levels[7],
            *std::min_element(outcome.levels.begin(), outcome.levels.end()));
}

// Levels go with the columns, not with the places in the order of rounding.
TEST(BaqQuantizer, TakesRangeLevelsInOriginalOrder) {
  std::vector<int> wanted(kCols);
  for (std::int64_t j = 0; j < kCols; ++j) {
    wanted[j] = 1 + static_cast<int>(j % 9);
  }
  BaqOutcome outcome;
  BaqOptions options = Recording(outcome);
  options.range_levels = [&](const std::string&, std::int64_t) {
    return Expected<std::vector<int>>(wanted);
  };
  const auto packed =
      Quantize(options, Weights(), MixedColumns(50000, ColumnGrid::kRange));
  ASSERT_TRUE(packed) << packed.error().message;
  EXPECT_EQ(outcome.levels, wanted);
  const std::vector<float> decoded = DequantizedReference(*packed);
  for (std::int64_t row = 0; row < kRows; ++row) {
    EXPECT_EQ(decoded[row * kCols + 9], 0.0F);  // one level
  }
  const double error = LayerError(Weights(), decoded, options.damping);
  EXPECT_NEAR(outcome.loss, error, 1e-3 * error);
}

TEST(BaqQuantizer, GivesTheSameArraysOnAnyThread) {
  const auto alone = Quantize({}, Weights(), MixedColumns(22500));
  ASSERT_TRUE(alone);
  std::vector<PackedMatrix> others(4);
  SetThreadCount(3);
  ParallelFor(4, [&](std::int64_t job, int) {
    others[static_cast<std::size_t>(job)] =
        *Quantize({}, Weights(), MixedColumns(22500));
  });
  SetThreadCount(0);
  for (const PackedMatrix& other : others) {
    EXPECT_TRUE(std::ranges::equal(other.codes(), alone->codes()));
    EXPECT_TRUE(std::ranges::equal(other.scales(), alone->scales()));
    EXPECT_TRUE(std::ranges::equal(other.zero_points(), alone->zero_points()));
  }
}

TEST(BaqQuantizer, NamesTheWeightThatIsNotFinite) {
  std::vector<float> weights = Weights();
  weights[2 * kCols + 75] = std::numeric_limits<float>::quiet_NaN();
  const auto packed = Quantize({}, weights, MixedColumns(20000));
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(packed.error().message, HasSubstr("row 2, column 75"));
}

TEST(BaqQuantizer, RefusesFormatsOfOneWidth) {
  const auto packed = Quantize({}, Weights(), BitFormat{});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported);
}

TEST(BaqQuantizer, RefusesRangesWithoutLevels) {
  const auto packed =
      Quantize({}, Weights(), MixedColumns(50000, ColumnGrid::kRange));
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported);
}

TEST(BaqQuantizer, NeedsAHessian) {
  const auto packed = Quantize({}, Weights(), MixedColumns(20000), {});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kInvalidArgument);
}

TEST(BaqOptions, DefaultsAreValid) {
  EXPECT_TRUE(Validate(BaqOptions{}));
  for (const int passes : {0, 9}) {
    BaqOptions options;
    options.passes = passes;
    EXPECT_THAT(Validate(options).error().message, HasSubstr("passes = "));
  }
}

}  // namespace
}  // namespace bitpact
