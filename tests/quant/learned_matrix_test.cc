// SPDX-License-Identifier: Apache-2.0
#include "quant/learned_matrix.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/row_parts.h"
#include "quant/rtn_quantizer.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kRows = 6;
constexpr std::int64_t kCols = 44;

std::vector<float> Weights() { return NormalFloats(kRows * kCols, "weights"); }

MatrixView View(const std::vector<float>& weights) {
  return {weights, std::ssize(weights) / kCols, kCols};
}

std::vector<float> Rounded(const std::vector<float>& weights,
                           const BitFormat& format) {
  return DequantizedReference(
      *MakeRtnQuantizer()->Quantize(View(weights), {}, format));
}

std::vector<BitFormat> LearnableFormats() {
  std::vector<BitFormat> formats;
  for (const BitFormat& format : FormatsWithGroup(20)) {
    if (format.bits <= 4) formats.push_back(format);
  }
  return formats;
}

double Dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}

TEST(Adam, FollowsItsFormulas) {
  // Two steps by hand, of one parameter: m and v corrected, L2 in the slope.
  std::vector<float> parameter = {1.0F};
  Adam adam(1, {.learning_rate = 0.1, .l2 = 0.5});
  double x = 1.0;
  double m = 0.0;
  double v = 0.0;
  for (int t = 1; t <= 5; ++t) {
    const double slope = 3.0 - t + 0.5 * x;
    m = 0.9 * m + 0.1 * slope;
    v = 0.999 * v + 0.001 * slope * slope;
    x -= 0.1 * (m / (1.0 - std::pow(0.9, t))) /
         (std::sqrt(v / (1.0 - std::pow(0.999, t))) + 1e-8);
    adam.Step(std::vector<float>{static_cast<float>(3.0 - t)}, parameter);
    EXPECT_NEAR(parameter[0], x, 1e-5) << t;
  }
}

TEST(LearnedClipping, StartsAtRoundingToNearestExactly) {
  const std::vector<float> weights = Weights();
  for (const BitFormat& format : LearnableFormats()) {
    const auto made = LearnedClipping::Create(View(weights), format);
    ASSERT_TRUE(made) << made.error().message;
    std::vector<float> out(weights.size());
    made->Weights(out);
    EXPECT_EQ(out, Rounded(weights, format)) << FormatName(format);
  }
}

TEST(LearnedClipping, PacksTheWeightsItShows) {
  const std::vector<float> weights = Weights();
  const std::vector<float> slopes = NormalFloats(kRows * kCols, "slopes");
  for (const BitFormat& format : LearnableFormats()) {
    auto made =
        LearnedClipping::Create(View(weights), format, {.learning_rate = 0.3});
    ASSERT_TRUE(made);
    const std::vector<float> start = Rounded(weights, format);
    for (int i = 0; i < 10; ++i) made->Step(slopes);
    std::vector<float> out(weights.size());
    made->Weights(out);
    EXPECT_NE(out, start) << FormatName(format);
    EXPECT_EQ(DequantizedReference(made->Pack()), out) << FormatName(format);
  }
}

// The rounded weight of parameters p as the straight-through estimator sees
// it: what rounding added at the start stays as it is. In double.
class StraightThrough {
 public:
  StraightThrough(std::span<const float> group,
                  const BitFormat& format,
                  double alpha,
                  double beta)
      : group_(group), format_(format) {
    const Grid grid = At(alpha, beta);
    zero_added_ =
        integer()
            ? std::clamp(std::nearbyint(-grid.low / grid.scale), 0.0, top()) +
                  grid.low / grid.scale
            : 0.0;
    for (const float weight : group) {
      const double u = Place(weight, grid);
      added_.push_back(std::nearbyint(u) - u);
      codes_.push_back(std::clamp(std::nearbyint(u), 0.0, top()));
      inside_.push_back(u >= -0.5 && u <= top() + 0.5);
    }
  }
  // sum of slopes * weights.
  [[nodiscard]] double Loss(std::span<const float> slopes,
                            double alpha,
                            double beta) const {
    const Grid grid = At(alpha, beta);
    double sum = 0.0;
    for (std::size_t i = 0; i < group_.size(); ++i) {
      const double code =
          inside_[i] ? Place(group_[i], grid) + added_[i] : codes_[i];
      sum += double{slopes[i]} * grid.scale * (code - Zero(grid));
    }
    return sum;
  }

 private:
  struct Grid {
    double low;
    double scale;
  };
  [[nodiscard]] bool integer() const {
    return format_.zero_point_type == ZeroPointType::kUint8;
  }
  [[nodiscard]] double top() const { return (1 << format_.bits) - 1; }
  [[nodiscard]] Grid At(double alpha, double beta) const {
    double least = group_[0];
    double greatest = group_[0];
    for (const float weight : group_) {
      least = std::min<double>(least, weight);
      greatest = std::max<double>(greatest, weight);
    }
    if (format_.symmetric()) {
      const double largest = std::max(-least, greatest);
      return {0.0, alpha * largest / ((1 << (format_.bits - 1)) - 1)};
    }
    if (integer()) {
      least = std::min(least, 0.0);
      greatest = std::max(greatest, 0.0);
    }
    const double center = std::clamp(0.0, least, greatest);
    const double low = center + beta * (least - center);
    const double high = center + alpha * (greatest - center);
    return {low, (high - low) / top()};
  }
  [[nodiscard]] double Zero(const Grid& grid) const {
    if (format_.symmetric()) return 1 << (format_.bits - 1);
    return -grid.low / grid.scale + zero_added_;
  }
  [[nodiscard]] double Place(double weight, const Grid& grid) const {
    return weight / grid.scale + Zero(grid);
  }

  std::span<const float> group_;
  BitFormat format_;
  double zero_added_ = 0.0;
  std::vector<double> added_;
  std::vector<double> codes_;
  std::vector<bool> inside_;
};

double ShareOf(double parameter) {
  return (1.0 + std::exp(-4.0)) / (1.0 + std::exp(-parameter));
}

TEST(LearnedClipping, GradientIsTheStraightThroughDifferenceQuotient) {
  const std::vector<float> weights = Weights();
  const std::vector<float> slopes = NormalFloats(kRows * kCols, "slopes");
  for (BitFormat format : LearnableFormats()) {
    format.scale_type = ScaleType::kFloat32;
    if (format.zero_point_type == ZeroPointType::kFloat16) {
      format.zero_point_type = ZeroPointType::kFloat32;
    }
    auto made = LearnedClipping::Create(View(weights), format);
    ASSERT_TRUE(made);
    // Ends well inside of the range, so that some weights are outside.
    std::vector<float> parameters;
    for (std::size_t i = 0; i < made->parameters().size(); ++i) {
      parameters.push_back(0.3F + 0.11F * static_cast<float>(i % 7));
    }
    made->Restore(parameters);
    const std::vector<float> gradient = made->Gradient(slopes);
    const std::size_t per_group = format.symmetric() ? 1 : 2;
    std::size_t group = 0;
    for (std::int64_t row = 0; row < kRows; ++row) {
      for (std::int64_t first = 0; first < kCols; first += 20) {
        const auto count =
            static_cast<std::size_t>(std::min<std::int64_t>(20, kCols - first));
        const auto at = static_cast<std::size_t>(row * kCols + first);
        const auto some = std::span(weights).subspan(at, count);
        const auto slope = std::span(slopes).subspan(at, count);
        const double a = parameters[group * per_group];
        const double b = parameters[group * per_group + per_group - 1];
        const StraightThrough through(some, format, ShareOf(a), ShareOf(b));
        const auto loss = [&](double x, double y) {
          return through.Loss(slope, ShareOf(x), ShareOf(y));
        };
        constexpr double kStep = 1e-4;
        const double scale = std::sqrt(Dot(slope, slope) * Dot(some, some));
        EXPECT_NEAR(gradient[group * per_group],
                    (loss(a + kStep, b) - loss(a - kStep, b)) / (2.0 * kStep),
                    1e-4 * scale)
            << FormatName(format) << ", group " << group;
        if (per_group == 2) {
          EXPECT_NEAR(gradient[group * 2 + 1],
                      (loss(a, b + kStep) - loss(a, b - kStep)) / (2.0 * kStep),
                      1e-4 * scale)
              << FormatName(format) << ", group " << group;
        }
        ++group;
      }
    }
  }
}

TEST(LearnedRounding, StartsAtTheWeightsThemselves) {
  const std::vector<float> weights = Weights();
  for (const BitFormat& format : LearnableFormats()) {
    const auto made = LearnedRounding::Create(View(weights), format);
    ASSERT_TRUE(made) << made.error().message;
    std::vector<float> out(weights.size());
    made->SoftWeights(out);
    const std::vector<float> rounded = Rounded(weights, format);
    for (std::size_t i = 0; i < out.size(); ++i) {
      // Stored scales leave the ends of a range out by their rounding, and
      // whole zero-points up to half a step: there the end itself is next.
      const bool is_outside = format.zero_point_type == ZeroPointType::kUint8 &&
                              std::abs(out[i] - rounded[i]) <= 4e-3F;
      EXPECT_NEAR(out[i], is_outside ? rounded[i] : weights[i], 4e-3)
          << FormatName(format);
    }
    made->HardWeights(out);
    EXPECT_EQ(out, rounded) << FormatName(format);
  }
}

TEST(LearnedRounding, GradientIsTheDifferenceQuotient) {
  const std::vector<float> weights = Weights();
  const std::vector<float> slopes = NormalFloats(kRows * kCols, "slopes");
  for (const BitFormat& format : LearnableFormats()) {
    auto made = LearnedRounding::Create(View(weights), format);
    ASSERT_TRUE(made);
    for (const double progress : {0.0, 0.3, 0.9}) {
      const std::vector<float> start(made->parameters().begin(),
                                     made->parameters().end());
      const std::vector<float> gradient = made->Gradient(slopes, progress);
      const auto loss = [&](std::size_t i, float nu) {
        std::vector<float> moved = start;
        moved[i] = nu;
        made->Restore(moved);
        std::vector<float> out(weights.size());
        made->SoftWeights(out);
        return double{slopes[i]} * double{out[i]} + made->Penalty(progress);
      };
      for (std::size_t i = 0; i < weights.size(); i += 5) {
        constexpr float kStep = 0.01F;
        // Where V or the code is clipped there is a corner.
        if (std::abs(start[i]) > 2.2F) continue;
        EXPECT_NEAR(gradient[i],
                    (loss(i, start[i] + kStep) - loss(i, start[i] - kStep)) /
                        (2.0 * double{kStep}),
                    3e-3)
            << FormatName(format) << " at " << progress;
      }
      made->Restore(start);
    }
  }
}

TEST(LearnedRounding, EndsWhereItRounds) {
  // Nothing but the penalty: V goes to the side where it is. Without slopes
  // Adam would scale up the slightest decay.
  const std::vector<float> weights = Weights();
  const BitFormat format = {.bits = 3, .group_size = 20};
  auto made = LearnedRounding::Create(
      View(weights),
      format,
      {.learning_rate = 0.05, .l2 = 0.0, .penalty = 1.0});
  ASSERT_TRUE(made);
  const std::vector<float> no_slopes(weights.size());
  for (int i = 0; i < 400; ++i) made->Step(no_slopes, i / 400.0);
  std::vector<float> soft(weights.size());
  std::vector<float> hard(weights.size());
  made->SoftWeights(soft);
  made->HardWeights(hard);
  for (std::size_t i = 0; i < soft.size(); ++i) {
    EXPECT_NEAR(soft[i], hard[i], 1e-3);
  }
  EXPECT_EQ(hard, Rounded(weights, format));
}

TEST(LearnedRounding, FollowsASlopeAwayFromTheNearestAndPacksIt) {
  const std::vector<float> weights = Weights();
  for (const BitFormat& format : LearnableFormats()) {
    auto made =
        LearnedRounding::Create(View(weights), format, {.learning_rate = 0.1});
    ASSERT_TRUE(made);
    // L = sum of weights: all want to be rounded down.
    const std::vector<float> up(weights.size(), 1.0F);
    for (int i = 0; i < 100; ++i) made->Step(up, i / 100.0);
    std::vector<float> hard(weights.size());
    made->HardWeights(hard);
    int lower = 0;
    for (std::size_t i = 0; i < hard.size(); ++i) {
      // A weight below the grid has no code further down.
      const float most = std::max(weights[i], Rounded(weights, format)[i]);
      EXPECT_LE(hard[i], most + 4e-3F) << FormatName(format);
      lower += hard[i] < Rounded(weights, format)[i] ? 1 : 0;
    }
    EXPECT_GT(lower, 50) << FormatName(format);
    EXPECT_EQ(DequantizedReference(made->Pack()), hard) << FormatName(format);
  }
}

class LearnedMatrixOf : public testing::TestWithParam<int> {
 protected:
  [[nodiscard]] BitFormat format() const {
    return RowMix({.bits = 2, .group_size = 20}, GetParam(), 5000);
  }
  std::vector<float> weights_ = Weights();
  std::vector<double> scores_ = {1.0, 5.0, 2.0, 6.0, 3.0, 4.0};
};

TEST_P(LearnedMatrixOf, StartsAsARowMixOfRoundingAndPacksWhatItShows) {
  auto made = LearnedMatrix::Create(View(weights_), format(), scores_);
  ASSERT_TRUE(made) << made.error().message;
  std::vector<float> hard(weights_.size());
  made->HardWeights(hard);
  const auto rounded =
      (*MakeQuantizer("quanto"))
          ->Quantize(View(weights_), {.row_scores = scores_}, format());
  EXPECT_EQ(hard, DequantizedReference(*rounded));
  const LearnedMatrix::State start = made->Save();
  const std::vector<float> slopes = NormalFloats(kRows * kCols, "slopes");
  for (int i = 0; i < 200; ++i) made->Step(slopes, i / 200.0);
  made->HardWeights(hard);
  EXPECT_NE(hard, DequantizedReference(*rounded));
  EXPECT_EQ(DequantizedReference(made->Pack()), hard);
  EXPECT_EQ(made->Pack().format(), format());
  made->Restore(start);
  EXPECT_EQ(DequantizedReference(made->Pack()), DequantizedReference(*rounded));
}

TEST_P(LearnedMatrixOf, GoesOnByRoundingTheOtherRowsOnTheRangesLearned) {
  LearningOptions options;
  options.rounded = RoundedRows::kAll;
  options.clipping_share = 0.25;
  options.rounding = {.learning_rate = 0.1, .warm_up = 0.0};
  options.clipping.learning_rate = 0.1;
  auto made = LearnedMatrix::Create(View(weights_), format(), scores_, options);
  ASSERT_TRUE(made) << made.error().message;
  const std::vector<float> slopes = NormalFloats(kRows * kCols, "slopes");
  for (int i = 0; i < 25; ++i) made->Step(slopes, i / 100.0);
  std::vector<float> clipped(weights_.size());
  made->HardWeights(clipped);
  const LearnedMatrix::State ranges = made->Save();
  EXPECT_TRUE(ranges.low_rounding.empty());

  // What begins is what was there; then low rows move on their learned grids.
  made->Step(slopes, 0.25);
  const std::vector<std::int32_t> low =
      SplitRows(View(weights_), format(), scores_)->low_rows;
  std::vector<float> hard(weights_.size());
  made->HardWeights(hard);
  const auto low_rows = [&](const std::vector<float>& all) {
    return GatherRows(View(all), low);
  };
  EXPECT_THAT(low_rows(hard),
              testing::Pointwise(testing::FloatNear(1e-6F), low_rows(clipped)));
  for (int i = 26; i < 100; ++i) made->Step(slopes, i / 100.0);
  made->HardWeights(hard);
  EXPECT_NE(low_rows(hard), low_rows(clipped));
  EXPECT_EQ(DequantizedReference(made->Pack()), hard);
  EXPECT_EQ(made->rounded_weights(),
            GetParam() == kFloat16Bits ? 3 * kCols : kRows * kCols);
  // Slopes are followed: the loss that they are of fell.
  EXPECT_LT(Dot(low_rows(slopes), low_rows(hard)),
            Dot(low_rows(slopes), low_rows(clipped)));

  const LearnedMatrix::State all = made->Save();
  made->Restore(ranges);
  std::vector<float> restored(weights_.size());
  made->HardWeights(restored);
  EXPECT_EQ(restored, clipped);
  made->Restore(all);
  made->HardWeights(restored);
  EXPECT_EQ(restored, hard);
}

INSTANTIATE_TEST_SUITE_P(HighBits,
                         LearnedMatrixOf,
                         testing::Values(3, 4, kFloat16Bits));

TEST(LearnedMatrix, RefusesBadInput) {
  std::vector<float> weights = Weights();
  const BitFormat mix = RowMix({.bits = 2}, 3, 5000);
  EXPECT_THAT(LearnedMatrix::Create(View(weights), mix, {}).error().message,
              HasSubstr("a score for each of 6 rows"));
  EXPECT_EQ(LearnedMatrix::Create(View(weights), MixedColumns(20000), {})
                .error()
                .code,
            ErrorCode::kUnsupported);
  weights[50] = NAN;
  EXPECT_THAT(
      LearnedMatrix::Create(View(weights), {.bits = 2}, {}).error().message,
      HasSubstr("row 1, column 6"));
}

TEST(LearningOptions, AreCheckedByName) {
  EXPECT_TRUE(Validate(LearningOptions{}));
  LearningOptions options;
  options.rounding.warm_up = 1.5;
  EXPECT_EQ(Validate(options).error().message,
            "warm-up = 1.5 violates 0 <= warm-up <= 1");
  options = {};
  options.clipping_share = 1.0;
  EXPECT_EQ(Validate(options).error().message,
            "clipping share = 1 violates 0 < clipping share <= 0.999");
  options = {};
  options.clipping.learning_rate = 0.0;
  EXPECT_EQ(Validate(options).error().message,
            "clipping rate = 0 violates 0 < clipping rate <= 1e+06");
}

}  // namespace
}  // namespace bitpact
