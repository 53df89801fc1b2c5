// SPDX-License-Identifier: Apache-2.0
#include "quant/row_mix_quantizer.h"

#include <algorithm>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/error_energy.h"
#include "quant/row_matrix.h"
#include "quant/rtn_quantizer.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(RowRanking, NamesReadBack) {
  for (const std::string& name : RowRankingNames()) {
    ASSERT_TRUE(ParseRowRanking(name));
    EXPECT_EQ(RowRankingName(*ParseRowRanking(name)), name);
  }
  EXPECT_THAT(ParseRowRanking("best").error().message,
              HasSubstr("error, fisher, gradient-error"));
}

TEST(RowRanking, PrefersHighScoresAndThenEarlyRows) {
  const std::vector<double> scores = {1.0, 3.0, 2.0, 3.0, 2.0, 2.0};
  EXPECT_THAT(BestRows(scores, 0), IsEmpty());
  EXPECT_THAT(BestRows(scores, 1), ElementsAre(1));
  EXPECT_THAT(BestRows(scores, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(BestRows(scores, 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(BestRows(scores, 6), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(RowRanking, EnergiesAreOfEachRowsOwnRounding) {
  const BitFormat format = {.bits = 2, .group_size = 16};
  const std::vector<float> weight = NormalFloats(12 * 40, "weights");
  const std::vector<float> hessian = CorrelatedHessian(40, 90, "inputs");
  const auto energies = RoundingEnergies(weight, 12, 40, format, hessian);
  ASSERT_TRUE(energies);
  for (std::size_t row = 0; row < 12; ++row) {
    const auto one = std::span(weight).subspan(row * 40, 40);
    const auto packed = MakeRtnQuantizer()->Quantize({one, 1, 40}, {}, format);
    const std::vector<float> decoded = DequantizedReference(*packed);
    double sum = 0.0;
    for (std::size_t i = 0; i < 40; ++i) {
      for (std::size_t j = 0; j < 40; ++j) {
        sum += 0.5 * (double{decoded[i]} - double{one[i]}) *
               double{hessian[i * 40 + j]} *
               (double{decoded[j]} - double{one[j]});
      }
    }
    EXPECT_NEAR((*energies)[row], sum, 1e-4 * sum) << row;
  }
}

class RowMixes : public testing::TestWithParam<std::string> {
 protected:
  static constexpr std::int64_t kRows = 45;
  static constexpr std::int64_t kCols = 72;
  RowMixes() : quantizer_(*MakeQuantizer(GetParam())) {
    for (int row = 0; row < kRows; ++row) {
      scores_.push_back(static_cast<double>((row * 17) % kRows));
    }
  }
  [[nodiscard]] Expected<PackedMatrix> Quantize(const BitFormat& format) const {
    return quantizer_->Quantize({weight_, kRows, kCols},
                                {.hessian = hessian_, .row_scores = scores_},
                                format);
  }
  std::unique_ptr<Quantizer> quantizer_;
  std::vector<float> weight_ = NormalFloats(kRows * kCols, "weights");
  std::vector<float> hessian_ = CorrelatedHessian(kCols, 200, "inputs");
  std::vector<double> scores_;
};

// Each row as in the matrix quantized whole in the row's format.
TEST_P(RowMixes, AreRowsOfTwoPlainMatrices) {
  const BitFormat format = RowMix({.bits = 2, .group_size = 24}, 4, 3000);
  const auto mixed = Quantize(format);
  ASSERT_TRUE(mixed) << mixed.error().message;
  const auto high = Quantize(HighFormat(format));
  const auto low = Quantize(LowFormat(format));
  ASSERT_TRUE(high && low);
  const std::vector<float> all = DequantizedReference(*mixed);
  const std::vector<float> of_high = DequantizedReference(*high);
  const std::vector<float> of_low = DequantizedReference(*low);
  const std::vector<std::int32_t> rows =
      BestRows(scores_, HighRows(format, kRows));
  ASSERT_EQ(rows.size(), 14U);
  for (std::int32_t row = 0; row < kRows; ++row) {
    const auto& wanted =
        std::ranges::binary_search(rows, row) ? of_high : of_low;
    EXPECT_TRUE(std::equal(all.begin() + row * kCols,
                           all.begin() + (row + 1) * kCols,
                           wanted.begin() + row * kCols))
        << "row " << row;
  }
}

TEST_P(RowMixes, WithMoreHighRowsHaveLessError) {
  double before = 1e30;
  for (const int share : {0, 1000, 3000, 10000}) {
    const auto mixed =
        Quantize(RowMix({.bits = 2, .group_size = 24}, 3, share));
    ASSERT_TRUE(mixed) << mixed.error().message;
    std::vector<float> error = DequantizedReference(*mixed);
    for (std::size_t i = 0; i < error.size(); ++i) error[i] -= weight_[i];
    const auto energies = RowErrorEnergies(error, kRows, kCols, hessian_);
    const double sum = std::accumulate(energies.begin(), energies.end(), 0.0);
    EXPECT_LT(sum, before) << share;
    before = sum;
  }
}

TEST_P(RowMixes, RoundFloat16Rows) {
  const BitFormat format =
      RowMix({.bits = 2, .group_size = 24}, kFloat16Bits, 2000);
  const auto mixed = Quantize(format);
  ASSERT_TRUE(mixed) << mixed.error().message;
  const std::vector<float> all = DequantizedReference(*mixed);
  for (const std::int32_t row : BestRows(scores_, 9)) {
    for (std::int64_t i = row * kCols; i < (row + 1) * kCols; ++i) {
      EXPECT_NEAR(all[i], weight_[i], 0.0005 * std::abs(weight_[i]) + 1e-7);
    }
  }
}

TEST_P(RowMixes, NeedScores) {
  scores_.pop_back();
  const auto mixed = Quantize(RowMix({.bits = 2, .group_size = 24}, 4, 3000));
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(mixed.error().message, HasSubstr("a score for each of 45 rows"));
}

TEST_P(RowMixes, NameTheWeightThatFloat16DoesNotHold) {
  weight_[44 * kCols + 3] = 1e6F;
  scores_[44] = 1000.0;
  const auto mixed =
      Quantize(RowMix({.bits = 2, .group_size = 24}, kFloat16Bits, 2000));
  ASSERT_FALSE(mixed);
  EXPECT_THAT(mixed.error().message, HasSubstr("row 44, column 3"));
}

TEST_P(RowMixes, NameTheWeightThatIsNotFinite) {
  weight_[40 * kCols + 3] = NAN;
  const auto mixed = Quantize(RowMix({.bits = 2, .group_size = 24}, 4, 3000));
  ASSERT_FALSE(mixed);
  EXPECT_THAT(mixed.error().message, HasSubstr("row 40, column 3"));
}

INSTANTIATE_TEST_SUITE_P(Quantizers,
                         RowMixes,
                         testing::Values("quanto", "hqq", "gptq"),
                         [](const auto& name) { return name.param; });

TEST(RowMixes, AreNotBaqs) {
  const std::vector<float> weight(4 * 8, 1.0F);
  EXPECT_FALSE((*MakeQuantizer("baq"))
                   ->Quantize({weight, 4, 8},
                              {.hessian = Identity(8, 1.0F)},
                              RowMix({.bits = 2}, 3, 5000)));
}

}  // namespace
}  // namespace bitpact
