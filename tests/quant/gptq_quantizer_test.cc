// SPDX-License-Identifier: Apache-2.0
#include "quant/gptq_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "quant/rtn_quantizer.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// tr((W - Q) H (W - Q)^T).
double LayerError(const std::vector<float>& weights,
                  const std::vector<float>& hessian,
                  const PackedMatrix& packed) {
  const std::vector<float> decoded = DequantizedReference(packed);
  const std::int64_t cols = packed.cols();
  double sum = 0.0;
  for (std::int64_t row = 0; row < packed.rows(); ++row) {
    for (std::int64_t i = 0; i < cols; ++i) {
      const double left = static_cast<double>(weights[row * cols + i]) -
                          decoded[row * cols + i];
      for (std::int64_t j = 0; j < cols; ++j) {
        const double right = static_cast<double>(weights[row * cols + j]) -
                             decoded[row * cols + j];
        sum += left * hessian[i * cols + j] * right;
      }
    }
  }
  return sum;
}

// GPTQ as its paper states it: plain loops, double, the inverse of H and the
// Cholesky factor U of the inverse (H^-1 = U^T U).
struct Reference {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  BitFormat format;
  GptqOptions options;

  // H^-1 by Gauss-Jordan elimination, then its factor.
  [[nodiscard]] std::vector<double> InverseFactor(std::vector<double> h) const {
    const std::int64_t n = cols;
    std::vector<double> inverse(h.size(), 0.0);
    for (std::int64_t i = 0; i < n; ++i) inverse[i * n + i] = 1.0;
    for (std::int64_t k = 0; k < n; ++k) {
      const double pivot = h[k * n + k];
      for (std::int64_t j = 0; j < n; ++j) {
        h[k * n + j] /= pivot;
        inverse[k * n + j] /= pivot;
      }
      for (std::int64_t i = 0; i < n; ++i) {
        const double factor = h[i * n + k];
        if (i == k || factor == 0.0) continue;
        for (std::int64_t j = 0; j < n; ++j) {
          h[i * n + j] -= factor * h[k * n + j];
          inverse[i * n + j] -= factor * inverse[k * n + j];
        }
      }
    }
    std::vector<double> u(h.size(), 0.0);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = i; j < n; ++j) {
        double sum = inverse[i * n + j];
        for (std::int64_t k = 0; k < i; ++k) sum -= u[k * n + i] * u[k * n + j];
        u[i * n + j] = i == j ? std::sqrt(sum) : sum / u[i * n + i];
      }
    }
    return u;
  }

  [[nodiscard]] std::vector<float> Quantize(
      const std::vector<float>& weights,
      const std::vector<float>& hessian) const {
    const std::int64_t n = cols;
    std::vector<double> h(hessian.begin(), hessian.end());
    double mean = 0.0;
    for (std::int64_t i = 0; i < n; ++i) mean += h[i * n + i];
    mean /= static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) {
      h[i * n + i] += options.damping * mean;
    }
    const std::vector<double> u = InverseFactor(h);
    const std::int64_t width =
        GroupsPerRow(format, n) == 1 ? n : format.group_size;
    std::vector<float> decoded(weights.size());
    for (std::int64_t row = 0; row < rows; ++row) {
      std::vector<double> w(weights.begin() + row * n,
                            weights.begin() + (row + 1) * n);
      std::vector<double> at_block = w;
      GroupGrid grid;
      for (std::int64_t i = 0; i < n; ++i) {
        if (i % options.block_size == 0) at_block = w;
        if (i % width == 0) {
          const std::int64_t end = std::min(i + width, n);
          const auto& from =
              options.grid_source == GptqGridSource::kOriginal
                  ? std::vector<double>(weights.begin() + row * n,
                                        weights.begin() + (row + 1) * n)
                  : at_block;
          const std::vector<float> group(from.begin() + i, from.begin() + end);
          grid = FitGroupGrid(format, group, options.symmetric_range);
        }
        const std::vector<float> weight = {static_cast<float>(w[i])};
        std::vector<std::uint8_t> code(1);
        EncodeGroup(grid, format.bits, weight, code);
        decoded[row * n + i] = DecodeWeight(grid, code[0]);
        const double error = (w[i] - decoded[row * n + i]) / u[i * n + i];
        for (std::int64_t j = i; j < n; ++j) w[j] -= error * u[i * n + j];
      }
    }
    return decoded;
  }
};

std::vector<BitFormat> SomeFormats(int group_size) {
  return {{3, group_size, ScaleType::kFloat16, ZeroPointType::kFloat16},
          {4, group_size, ScaleType::kFloat16, ZeroPointType::kUint8},
          {2, group_size, ScaleType::kFloat32, ZeroPointType::kFloat32},
          {4, group_size, ScaleType::kFloat16, ZeroPointType::kNone}};
}

// A moved weight within float32 rounding of a middle may go the other way, and
// then later ones of its row may too: at most 1 in 200 here.
TEST(GptqQuantizer, GivesTheCodesOfThePaper) {
  constexpr std::int64_t kRows = 21;
  constexpr std::int64_t kCols = 100;
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  const std::vector<float> hessian = CorrelatedHessian(kCols, 300, "inputs");
  for (const std::int64_t block_size : {1, 24, 32, 128}) {
    for (const int group_size : {0, 16, 37, 64}) {
      for (const auto source :
           {GptqGridSource::kOriginal, GptqGridSource::kCurrent}) {
        for (const BitFormat& format : SomeFormats(group_size)) {
          const GptqOptions options{.block_size = block_size,
                                    .activation_order = false,
                                    .grid_source = source};
          const auto packed = MakeGptqQuantizer(options)->Quantize(
              {weights, kRows, kCols}, {.hessian = hessian}, format);
          ASSERT_TRUE(packed) << packed.error().message;
          const std::vector<float> decoded = DequantizedReference(*packed);
          const std::vector<float> expected =
              Reference{kRows, kCols, format, options}.Quantize(weights,
                                                                hessian);
          int different = 0;
          for (std::size_t i = 0; i < decoded.size(); ++i) {
            const float tolerance = 1e-4F * (1.0F + std::abs(expected[i]));
            different += std::abs(decoded[i] - expected[i]) > tolerance ? 1 : 0;
          }
          EXPECT_LE(different, kRows * kCols / 200)
              << FormatName(format) << ", block " << block_size;
        }
      }
    }
  }
}

TEST(GptqQuantizer, TakesMoreRowsThanOneStrip) {
  constexpr std::int64_t kRows = 531;
  constexpr std::int64_t kCols = 40;
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  const std::vector<float> hessian = CorrelatedHessian(kCols, 200, "inputs");
  const GptqOptions options{.block_size = 16, .activation_order = false};
  const BitFormat format{.bits = 3, .group_size = 16};
  const auto packed = MakeGptqQuantizer(options)->Quantize(
      {weights, kRows, kCols}, {.hessian = hessian}, format);
  const std::vector<float> decoded = DequantizedReference(*packed);
  const std::vector<float> expected =
      Reference{kRows, kCols, format, options}.Quantize(weights, hessian);
  int different = 0;
  for (std::size_t i = 0; i < decoded.size(); ++i) {
    different += std::abs(decoded[i] - expected[i]) > 1e-3F ? 1 : 0;
  }
  EXPECT_LE(different, kRows * kCols / 200);
}

TEST(GptqQuantizer, IsRoundToNearestForTheIdentity) {
  constexpr std::int64_t kRows = 19;
  constexpr std::int64_t kCols = 150;
  const std::vector<float> weights = NormalFloats(kRows * kCols, "weights");
  const std::vector<float> hessian = Identity(kCols, 3.0F);
  for (const int group_size : {0, 16, 37}) {
    for (const BitFormat& format : FormatsWithGroup(group_size)) {
      const auto gptq = MakeGptqQuantizer()->Quantize(
          {weights, kRows, kCols}, {.hessian = hessian}, format);
      const auto rtn =
          MakeRtnQuantizer()->Quantize({weights, kRows, kCols}, {}, format);
      EXPECT_TRUE(std::ranges::equal(gptq->codes(), rtn->codes()));
      EXPECT_TRUE(std::ranges::equal(gptq->scales(), rtn->scales()));
      EXPECT_TRUE(std::ranges::equal(gptq->zero_points(), rtn->zero_points()));
    }
  }
}

TEST(GptqQuantizer, HasASmallerLayerErrorThanRoundToNearest) {
  constexpr std::int64_t kRows = 16;
  constexpr std::int64_t kCols = 96;
  for (int seed = 0; seed < 6; ++seed) {
    const std::string name = std::to_string(seed);
    const std::vector<float> weights = NormalFloats(kRows * kCols, "w" + name);
    // With fewer tokens than columns H is singular without damping.
    const std::vector<float> hessian =
        CorrelatedHessian(kCols, seed % 2 == 0 ? 60 : 400, "x" + name);
    for (const int group_size : {0, 32}) {
      for (const BitFormat& format : FormatsWithGroup(group_size)) {
        const auto rtn =
            MakeRtnQuantizer()->Quantize({weights, kRows, kCols}, {}, format);
        const double rtn_error = LayerError(weights, hessian, *rtn);
        for (const GptqOptions& options :
             {GptqOptions{},
              GptqOptions{.activation_order = false},
              GptqOptions{.activation_order = false,
              .grid_source = GptqGridSource::kCurrent}}) {
          const auto gptq = MakeGptqQuantizer(options)->Quantize(
              {weights, kRows, kCols}, {.hessian = hessian}, format);
          EXPECT_LT(LayerError(weights, hessian, *gptq), rtn_error)
              << FormatName(format) << ", seed " << seed;
        }
      }
    }
  }
}

TEST(GptqQuantizer, RoundsDeadColumnsToNearest) {
  constexpr std::int64_t kCols = 40;
  const std::vector<float> weights = NormalFloats(2 * kCols, "weights");
  std::vector<float> hessian = CorrelatedHessian(kCols, 100, "inputs");
  for (std::int64_t i = 0; i < kCols; ++i) {
    hessian[7 * kCols + i] = 0.0F;
    hessian[i * kCols + 7] = 0.0F;
  }
  const BitFormat format{.bits = 4};
  const auto gptq = MakeGptqQuantizer()->Quantize(
      {weights, 2, kCols}, {.hessian = hessian}, format);
  ASSERT_TRUE(gptq) << gptq.error().message;
  const auto rtn =
      MakeRtnQuantizer()->Quantize({weights, 2, kCols}, {}, format);
  EXPECT_EQ(gptq->Code(0, 7), rtn->Code(0, 7));
  EXPECT_EQ(gptq->Code(1, 7), rtn->Code(1, 7));
}

TEST(GptqQuantizer, RoundsToNearestWhereNoColumnIsAlive) {
  const std::vector<float> weights = NormalFloats(40, "weights");
  const std::vector<float> hessian(400, 0.0F);
  const auto gptq = MakeGptqQuantizer()->Quantize(
      {weights, 2, 20}, {.hessian = hessian}, {.bits = 3});
  const auto rtn =
      MakeRtnQuantizer()->Quantize({weights, 2, 20}, {}, {.bits = 3});
  EXPECT_TRUE(std::ranges::equal(gptq->codes(), rtn->codes()));
}

// Eigenvalues 0.9 and 1.1 but for one of -0.05.
std::vector<float> SlightlyIndefinite() {
  std::vector<float> hessian = Identity(8, 1.0F);
  hessian[1] = hessian[8] = 1.05F;
  return hessian;
}

TEST(GptqQuantizer, RaisesTheDampingOnlyWhenItMustAndSaysSo) {
  const std::vector<float> weights = NormalFloats(16, "weights");
  std::vector<std::string> notes;
  const std::vector<float> good = Identity(8, 1.0F);
  ASSERT_TRUE(MakeGptqQuantizer()->Quantize(
      {weights, 2, 8}, {.hessian = good, .notes = &notes}, {}));
  EXPECT_THAT(notes, IsEmpty());
  const std::vector<float> bad = SlightlyIndefinite();
  ASSERT_TRUE(MakeGptqQuantizer()->Quantize(
      {weights, 2, 8}, {.hessian = bad, .notes = &notes}, {}));
  EXPECT_THAT(notes, ElementsAre(HasSubstr("0.1 was used")));
}

TEST(GptqQuantizer, GivesUpWhereNoDampingHelps) {
  const std::vector<float> weights = NormalFloats(16, "weights");
  std::vector<float> hessian = Identity(8, 1.0F);
  hessian[1] = hessian[8] = 3.0F;
  const auto packed =
      MakeGptqQuantizer()->Quantize({weights, 2, 8}, {.hessian = hessian}, {});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(packed.error().message, HasSubstr("not positive definite"));
}

TEST(GptqQuantizer, NamesTheEntryOfABrokenHessian) {
  const std::vector<float> weights = NormalFloats(16, "weights");
  std::vector<float> hessian = Identity(8, 1.0F);
  hessian[2 * 8 + 5] = std::numeric_limits<float>::quiet_NaN();
  auto packed =
      MakeGptqQuantizer()->Quantize({weights, 2, 8}, {.hessian = hessian}, {});
  ASSERT_FALSE(packed);
  EXPECT_THAT(packed.error().message, HasSubstr("row 2, column 5 is nan"));
  hessian = Identity(8, 1.0F);
  hessian[3 * 8 + 3] = -2.0F;
  packed =
      MakeGptqQuantizer()->Quantize({weights, 2, 8}, {.hessian = hessian}, {});
  ASSERT_FALSE(packed);
  EXPECT_THAT(packed.error().message, HasSubstr("row 3, column 3 is -2"));
}

TEST(GptqQuantizer, AsksForAHessianOfTheRightSize) {
  const std::vector<float> weights = NormalFloats(16, "weights");
  EXPECT_TRUE(MakeGptqQuantizer()->needs_hessian());
  EXPECT_THAT(
      MakeGptqQuantizer()->Quantize({weights, 2, 8}, {}, {}).error().message,
      HasSubstr("needs the Hessian"));
  EXPECT_THAT(MakeGptqQuantizer()
                  ->Quantize({weights, 2, 8}, {.hessian = weights}, {})
                  .error()
                  .message,
              HasSubstr("16 entries, the matrix takes 8 x 8"));
}

TEST(GptqQuantizer, OrdersByActivationWithGridsOfTheOriginalWeightsOnly) {
  const std::vector<float> weights = NormalFloats(16, "weights");
  const std::vector<float> hessian = Identity(8, 1.0F);
  const auto gptq = MakeGptqQuantizer(
      {.activation_order = true, .grid_source = GptqGridSource::kCurrent});
  const auto packed =
      gptq->Quantize({weights, 2, 8}, {.hessian = hessian}, {.group_size = 4});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(gptq->Quantize({weights, 2, 8}, {.hessian = hessian}, {}));
}

TEST(GptqOptions, DefaultsAreValid) { EXPECT_TRUE(Validate(GptqOptions{})); }

TEST(GptqOptions, NameTheFieldThatIsOutOfRange) {
  EXPECT_THAT(Validate(GptqOptions{.damping = 0.0}).error().message,
              HasSubstr("damping = 0"));
  EXPECT_THAT(Validate(GptqOptions{.block_size = 0}).error().message,
              HasSubstr("block_size = 0"));
}

}  // namespace
}  // namespace bitpact
