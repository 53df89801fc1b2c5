// SPDX-License-Identifier: Apache-2.0
//
// Vectors that the reference implementations produced (optimum-quanto,
// mobiusml/hqq, IST-DASLab/gptq), kept beside the repository; without them
// these tests are skipped. Formats store scales in float32 here, as the
// references compute.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <vector>

#include "core/json_file.h"
#include "gtest/gtest.h"
#include "quant/gptq_quantizer.h"
#include "quant/group_grid.h"
#include "quant/hqq_quantizer.h"
#include "quant/quantizer.h"
#include "test_matrices.h"

namespace bitpact {
namespace {

std::vector<float> Floats(const Json& numbers) {
  std::vector<float> values;
  for (const Json& number : numbers) {
    if (number.is_array()) {
      const std::vector<float> row = Floats(number);
      values.insert(values.end(), row.begin(), row.end());
    } else {
      values.push_back(number.get<float>());
    }
  }
  return values;
}

class GoldenVectors : public testing::Test {
 protected:
  void SetUp() override {
    const auto file = std::filesystem::path(BITPACT_SOURCE_DIR) /
                      "../shared/data/quant-golden/golden.json";
    if (!std::filesystem::exists(file)) {
      GTEST_SKIP() << "no golden vectors at " << file;
    }
    Expected<Json> json = ParseJsonFile(file);
    ASSERT_TRUE(json) << json.error().message;
    golden_ = std::move(*json);
    weights_ = Floats(golden_["W"]);
    rows_ = golden_["rows"].get<std::int64_t>();
    cols_ = golden_["cols"].get<std::int64_t>();
  }

  [[nodiscard]] PackedMatrix Rtn(const BitFormat& format) const {
    return *(*MakeQuantizer("quanto"))
                ->Quantize({weights_, rows_, cols_}, {}, format);
  }
  [[nodiscard]] std::vector<int> Codes(const PackedMatrix& packed) const {
    std::vector<int> codes;
    for (std::int64_t i = 0; i < rows_ * cols_; ++i) {
      codes.push_back(packed.Code(i / cols_, i % cols_));
    }
    return codes;
  }
  [[nodiscard]] std::vector<float> Scales(const PackedMatrix& packed) const {
    const auto* first = reinterpret_cast<const float*>(packed.scales().data());
    return {first, first + packed.scales().size() / sizeof(float)};
  }

  Json golden_;
  std::vector<float> weights_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
};

TEST_F(GoldenVectors, QuantoInt8CodesAndScalesAreEqual) {
  for (const Json& entry : golden_["quanto"]) {
    if (entry["optimizer"] != "absmax") continue;
    const PackedMatrix packed =
        Rtn({8, 0, ScaleType::kFloat32, ZeroPointType::kNone});
    EXPECT_EQ(Scales(packed), Floats(entry["scale"]));
    std::vector<int> expected;
    for (const Json& code : entry["q"]) {
      expected.push_back(code.get<int>() + 128);
    }
    EXPECT_EQ(Codes(packed), expected);
  }
}

// The vectors of 2 and 4 bits end with Quanto's HQQ step, which leaves the
// scale as the MaxOptimizer made it; that optimizer's mean error is stated.
TEST_F(GoldenVectors, QuantoMaxScalesAreEqualAndErrorsAgree) {
  for (const Json& entry : golden_["quanto"]) {
    if (entry["optimizer"] != "hqq") continue;
    const PackedMatrix packed = Rtn({entry["bits"].get<int>(),
                                     entry["group"].get<int>(),
                                     ScaleType::kFloat32,
                                     ZeroPointType::kFloat32});
    EXPECT_EQ(Scales(packed), Floats(entry["scale"]));
    const std::vector<float> decoded = DequantizedReference(packed);
    double sum = 0.0;
    for (std::size_t i = 0; i < decoded.size(); ++i) {
      sum += std::abs(static_cast<double>(decoded[i]) - weights_[i]);
    }
    EXPECT_NEAR(sum / static_cast<double>(decoded.size()),
                entry["mae_max"].get<double>(),
                1e-8);
  }
}

TEST_F(GoldenVectors, EncodingWithQuantosGridGivesItsCodes) {
  for (const Json& entry : golden_["quanto"]) {
    if (entry["optimizer"] != "hqq") continue;
    const std::vector<float> scales = Floats(entry["scale"]);
    const std::vector<float> shifts = Floats(entry["shift"]);
    const auto width = entry["group"].get<std::size_t>();
    for (std::size_t group = 0; group < scales.size(); ++group) {
      std::vector<std::uint8_t> codes(width);
      EncodeGroup({scales[group], 0.0F, shifts[group]},
                  entry["bits"].get<int>(),
                  std::span(weights_).subspan(group * width, width),
                  codes);
      for (std::size_t i = 0; i < width; ++i) {
        ASSERT_EQ(codes[i], entry["q"][group * width + i].get<int>())
            << "group " << group << ", weight " << i;
      }
    }
  }
}

TEST_F(GoldenVectors, IntegerZeroPointsAreGptqsRoundToNearest) {
  for (const Json& entry : golden_["rtn"]) {
    const PackedMatrix packed = Rtn({entry["bits"].get<int>(),
                                     0,
                                     ScaleType::kFloat32,
                                     ZeroPointType::kUint8});
    EXPECT_EQ(Scales(packed), Floats(entry["scale"]));
    std::vector<float> zero_points;
    for (const std::byte zero_point : packed.zero_points()) {
      zero_points.push_back(
          static_cast<float>(std::to_integer<int>(zero_point)));
    }
    EXPECT_EQ(zero_points, Floats(entry["zero"]));
    EXPECT_EQ(DequantizedReference(packed), Floats(entry["Q"]));
  }
}

// mobiusml/hqq groups along the input dimension (axis 1) or takes every
// (numel / group)-th weight (axis 0); either way a group becomes one row here.
// Its codes come from w * (1 / scale) + zero and ours from (w + shift) / scale:
// scales and zero-points agree to a few ulp, and a code could differ only where
// a weight lies within that of the middle between two values. None does.
TEST_F(GoldenVectors, HqqCodesAreEqual) {
  for (const Json& entry : golden_["hqq"]) {
    const auto group = entry["group"].get<std::size_t>();
    const std::size_t groups = weights_.size() / group;
    std::vector<float> rows(weights_.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i] = entry["axis"] == 1 ? weights_[i]
                                   : weights_[i % group * groups + i / group];
    }
    const auto hqq =
        MakeHqqQuantizer({.kappa = 1.0,
                          .stop = HqqStop::kWholeMatrix,
                          .round_first_zero = entry["round_zero"].get<bool>()});
    const auto packed = hqq->Quantize({rows,
                                       static_cast<std::int64_t>(groups),
                                       static_cast<std::int64_t>(group)},
                                      {},
                                      {entry["bits"].get<int>(),
                                       0,
                                       ScaleType::kFloat32,
                                       ZeroPointType::kFloat32});
    ASSERT_TRUE(packed) << packed.error().message;
    const std::vector<float> scales = Scales(*packed);
    const auto* shifts =
        reinterpret_cast<const float*>(packed->zero_points().data());
    for (std::size_t g = 0; g < groups; ++g) {
      ASSERT_NEAR(
          scales[g], entry["scale"][g].get<float>(), scales[g] * 4 * 0x1p-23F);
      // Zero-points reach 255 and are means of as many terms.
      ASSERT_NEAR(shifts[g] / scales[g], entry["zero"][g].get<float>(), 1e-4F);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::size_t at =
          entry["axis"] == 1 ? i : i % group * groups + i / group;
      ASSERT_EQ(packed->Code(static_cast<std::int64_t>(i / group),
                             static_cast<std::int64_t>(i % group)),
                entry["Wq"][at].get<int>())
          << entry["bits"] << " bits, group " << group << ", axis "
          << entry["axis"] << ", weight " << i;
    }
  }
}

// All 48 configurations of IST-DASLab/gptq. Groups that follow the activation
// order (no static groups) are made by handing over W and H in that order. The
// updates are summed in another order than the reference's, so a code may
// differ where a moved weight lies within rounding (about 1e-6 of the weight's
// size) of the middle between two values; of these 24,576 none does. Decoded
// values are compared, each within the rounding of its scale.
TEST_F(GoldenVectors, GptqValuesAreEqual) {
  for (const Json& entry : golden_["gptq"]) {
    const bool by_activation = entry["actorder"].get<bool>();
    const bool static_groups = entry["static_groups"].get<bool>();
    const int group = entry["group"].get<int>();
    std::vector<float> hessian = Floats(golden_["H"]);
    std::vector<std::int64_t> columns(static_cast<std::size_t>(cols_));
    std::iota(columns.begin(), columns.end(), 0);
    const bool permute = by_activation && !static_groups;
    if (permute) {
      std::ranges::stable_sort(columns, std::ranges::greater(), [&](auto col) {
        return hessian[static_cast<std::size_t>(col * cols_ + col)];
      });
    }
    std::vector<float> w(weights_.size());
    std::vector<float> h(hessian.size());
    for (std::int64_t i = 0; i < cols_; ++i) {
      for (std::int64_t row = 0; row < rows_; ++row) {
        w[row * cols_ + i] = weights_[row * cols_ + columns[i]];
      }
      for (std::int64_t j = 0; j < cols_; ++j) {
        h[i * cols_ + j] = hessian[columns[i] * cols_ + columns[j]];
      }
    }
    const auto gptq = MakeGptqQuantizer(
        {.damping = entry["percdamp"].get<double>(),
         .block_size = entry["blocksize"].get<std::int64_t>(),
         .activation_order = by_activation && !permute,
         .grid_source = static_groups ? GptqGridSource::kOriginal
                                      : GptqGridSource::kCurrent,
         .symmetric_range = SymmetricRange::kAllCodes});
    const auto packed =
        gptq->Quantize({w, rows_, cols_},
                       {.hessian = h},
                       {entry["bits"].get<int>(),
                        std::max(group, 0),
                        ScaleType::kFloat32,
                        entry["sym"].get<bool>() ? ZeroPointType::kNone
                                                 : ZeroPointType::kUint8});
    ASSERT_TRUE(packed) << packed.error().message;
    const std::vector<float> decoded = DequantizedReference(*packed);
    const std::vector<float> expected = Floats(entry["Q"]);
    for (std::int64_t i = 0; i < rows_ * cols_; ++i) {
      const std::int64_t at = i / cols_ * cols_ + columns[i % cols_];
      ASSERT_NEAR(decoded[i], expected[at], 1e-5F)
          << entry["bits"] << " bits, group " << group << ", sym "
          << entry["sym"] << ", actorder " << by_activation << ", static "
          << static_groups << ", weight " << at;
    }
  }
}

}  // namespace
}  // namespace bitpact
