// SPDX-License-Identifier: Apache-2.0
// The judge is BAQ's released algorithm written down again, in double and by
// plain loops: explicit inverse of the Hessian, its upper Cholesky factor, one
// column after another.

#include "models/baq_paper.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/calibration.h"
#include "models/sequential_quantizer.h"
#include "quant/baq_quantizer.h"
#include "tests/models/saved_model.h"

namespace bitpact {
namespace {

using test::SomeTokens;
using test::TinyModel;
using testing::AllOf;
using testing::HasSubstr;

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

struct Square {
  std::int64_t n = 0;
  std::vector<double> entries;  // [n, n]
  double& at(std::int64_t i, std::int64_t j) {
    return entries[Size(i * n + j)];
  }
};

// By Gauss and Jordan; positive definite, so pivots need no search.
Square Inverse(Square a) {
  Square b{a.n, std::vector<double>(a.entries.size())};
  for (std::int64_t i = 0; i < a.n; ++i) b.at(i, i) = 1.0;
  for (std::int64_t k = 0; k < a.n; ++k) {
    const double pivot = a.at(k, k);
    for (std::int64_t j = 0; j < a.n; ++j) {
      a.at(k, j) /= pivot;
      b.at(k, j) /= pivot;
    }
    for (std::int64_t i = 0; i < a.n; ++i) {
      if (i == k) continue;
      const double factor = a.at(i, k);
      for (std::int64_t j = 0; j < a.n; ++j) {
        a.at(i, j) -= factor * a.at(k, j);
        b.at(i, j) -= factor * b.at(k, j);
      }
    }
  }
  return b;
}

// U upper with U^T U = a.
Square UpperCholesky(Square a) {
  for (std::int64_t i = 0; i < a.n; ++i) {
    for (std::int64_t j = i; j < a.n; ++j) {
      for (std::int64_t k = 0; k < i; ++k)
        a.at(i, j) -= a.at(k, i) * a.at(k, j);
      a.at(i, j) = j == i ? std::sqrt(a.at(i, i)) : a.at(i, j) / a.at(i, i);
    }
  }
  return a;
}

// To float16, for values in its normal range: eleven bits.
double Half(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 11)), exponent - 11);
}

struct Rounded {
  std::vector<double> losses;  // [cols], in original order
  std::vector<float> weights;  // [rows, cols]
};

// One pass over one matrix, columns in `order`; levels: [cols], original order.
Rounded RoundAsReleased(const std::vector<float>& weight,
                        const std::vector<float>& hessian,
                        const std::vector<int>& levels,
                        const std::vector<std::int64_t>& order) {
  const std::int64_t cols = std::ssize(order);
  const std::int64_t rows = std::ssize(weight) / cols;
  Square h{cols, std::vector<double>(Size(cols * cols))};
  double mean = 0.0;
  for (std::int64_t i = 0; i < cols; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      h.at(i, j) = hessian[Size(order[Size(i)] * cols + order[Size(j)])];
    }
    mean += h.at(i, i) / static_cast<double>(cols);
  }
  for (std::int64_t i = 0; i < cols; ++i) h.at(i, i) += 0.01 * mean;
  Square u = UpperCholesky(Inverse(h));

  Rounded result{std::vector<double>(Size(cols)),
                 std::vector<float>(weight.size())};
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<double> w;
    for (const std::int64_t col : order) {
      w.push_back(weight[Size(row * cols + col)]);
    }
    // Stored as float16 here; the released code does not store.
    const double top = Half(std::max(0.0, *std::ranges::max_element(w)));
    const double bottom = Half(std::min(0.0, *std::ranges::min_element(w)));
    for (std::int64_t j = 0; j < cols; ++j) {
      const std::int64_t col = order[Size(j)];
      const int n = levels[Size(col)];
      const double scale = (top - bottom) / (n - 1 + 1e-8);
      const double zero = std::nearbyint(-bottom / scale);
      const double code =
          std::clamp(std::nearbyint(w[Size(j)] / scale) + zero, 0.0, n - 1.0);
      const double value = scale * (code - zero);
      const double error = (w[Size(j)] - value) / u.at(j, j);
      for (std::int64_t k = j; k < cols; ++k) w[Size(k)] -= error * u.at(j, k);
      result.losses[Size(col)] += error * error / 2.0;
      result.weights[Size(row * cols + col)] = static_cast<float>(value);
    }
  }
  return result;
}

std::vector<std::int64_t> Order(const std::vector<float>& hessian,
                                std::int64_t cols,
                                bool by_activation) {
  std::vector<std::int64_t> order(Size(cols));
  std::iota(order.begin(), order.end(), 0);
  if (by_activation) {
    std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) {
      return hessian[Size(a * cols + a)] > hessian[Size(b * cols + b)];
    });
  }
  return order;
}

// t_j before it is rounded to whole levels.
std::vector<double> LevelTargets(const std::vector<double>& losses,
                                 double rate,
                                 double exponent) {
  double log_sum = 0.0;
  double sum = 0.0;
  for (const double loss : losses) {
    log_sum += std::log(loss);
    sum += loss;
  }
  const double count = static_cast<double>(losses.size());
  const double gain = std::exp(log_sum / count) / (sum / count);
  std::vector<double> targets;
  for (const double loss : losses) {
    targets.push_back(std::max(
        1.0,
        std::pow(loss / (sum / count * gain) * std::exp2(exponent * rate),
                 1.0 / exponent)));
  }
  return targets;
}

class BaqPaper : public testing::Test {
 protected:
  Expected<BaqPaperPlan> Plan(const BaqPaperOptions& options) const {
    return PlanBaqPaper(model_, tokens_, options);
  }
  std::vector<float> Weight(LinearKind kind) const {
    return *model_.ReadLinear(0, kind);
  }
  UnitMatrix Matrix(LinearKind kind) const {
    return model_.linear_matrix(0, kind);
  }
  // Of a stage of block 0; `block` where earlier stages are not as loaded.
  std::vector<float> Hessian(std::size_t stage,
                             const std::vector<LinearWeight>& block) const {
    Calibration calibration(model_, tokens_);
    auto hessian = calibration.StageHessian(block, LinearStages()[stage]);
    EXPECT_TRUE(hessian) << hessian.error().message;
    return *hessian;
  }
  std::vector<float> FirstHessian() const {
    return Hessian(0, std::vector<LinearWeight>(kLinearsPerBlock));
  }
  // Whole levels nearest to the targets; equally near ones may go either way.
  static void ExpectNearest(const std::vector<int>& levels,
                            const std::vector<double>& targets) {
    ASSERT_EQ(levels.size(), targets.size());
    for (std::size_t j = 0; j < levels.size(); ++j) {
      EXPECT_NEAR(levels[j], targets[j], 0.5 + 1e-3) << "column " << j;
    }
  }

  TinyModel tiny_{{}};
  Model model_ = tiny_.Load();
  TokenSet tokens_ = SomeTokens();
};

TEST_F(BaqPaper, LevelsAreThoseOfTheReleasedFirstPass) {
  for (const bool by_activation : {false, true}) {
    BaqPaperOptions options{.rate = 3.0};
    options.quantizer.activation_order = by_activation;
    const auto plan = Plan(options);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->reference_rate, 3.0);
    const std::vector<float> hessian = FirstHessian();
    for (const LinearKind kind :
         {LinearKind::kQ, LinearKind::kK, LinearKind::kV}) {
      const UnitMatrix matrix = Matrix(kind);
      SCOPED_TRACE(matrix.tensor + (by_activation ? ", ordered" : ""));
      const Rounded first =
          RoundAsReleased(Weight(kind),
                          hessian,
                          std::vector<int>(Size(matrix.cols), 8),
                          Order(hessian, matrix.cols, by_activation));
      const std::vector<int>& levels = plan->levels.at(matrix.tensor);
      ExpectNearest(levels, LevelTargets(first.losses, 3.0, 1.95));
      // Otherwise all levels alike would pass.
      EXPECT_GE(std::ranges::max(levels) - std::ranges::min(levels), 4);
    }
  }
}

TEST_F(BaqPaper, TakesTheExponent) {
  BaqPaperOptions options{.rate = 2.0, .exponent = 1.2};
  options.quantizer.activation_order = false;
  const auto plan = Plan(options);
  ASSERT_TRUE(plan) << plan.error().message;
  const std::vector<float> hessian = FirstHessian();
  const UnitMatrix q = Matrix(LinearKind::kQ);
  const Rounded first = RoundAsReleased(Weight(LinearKind::kQ),
                                        hessian,
                                        std::vector<int>(Size(q.cols), 4),
                                        Order(hessian, q.cols, false));
  ExpectNearest(plan->levels.at(q.tensor),
                LevelTargets(first.losses, 2.0, 1.2));
}

// The first pass goes on with what it has rounded: o reads what the rounded q,
// k and v give it.
TEST_F(BaqPaper, FirstPassIsSequential) {
  BaqPaperOptions options{.rate = 2.0};
  options.quantizer.activation_order = false;
  const auto plan = Plan(options);
  ASSERT_TRUE(plan) << plan.error().message;
  const std::vector<float> hessian = FirstHessian();
  std::vector<LinearWeight> block(kLinearsPerBlock);
  std::vector<std::vector<float>> rounded(kLinearsPerBlock);
  for (const LinearKind kind :
       {LinearKind::kQ, LinearKind::kK, LinearKind::kV}) {
    const UnitMatrix matrix = Matrix(kind);
    const auto at = static_cast<std::size_t>(kind);
    rounded[at] = RoundAsReleased(Weight(kind),
                                  hessian,
                                  std::vector<int>(Size(matrix.cols), 4),
                                  Order(hessian, matrix.cols, false))
                      .weights;
    block[at] = LinearWeight(rounded[at], matrix.rows, matrix.cols);
  }
  const std::vector<float> seen = Hessian(1, block);
  const UnitMatrix o = Matrix(LinearKind::kO);
  const Rounded first = RoundAsReleased(Weight(LinearKind::kO),
                                        seen,
                                        std::vector<int>(Size(o.cols), 4),
                                        Order(seen, o.cols, false));
  ExpectNearest(plan->levels.at(o.tensor),
                LevelTargets(first.losses, 2.0, 1.95));
}

TEST_F(BaqPaper, SecondPassIsTheReleasedOne) {
  BaqPaperOptions options{.rate = 3.0};
  const auto plan = Plan(options);
  ASSERT_TRUE(plan) << plan.error().message;
  BaqOptions baq;
  baq.range_levels = LevelsOf(*plan);
  const auto jobs = JobsOfPlan(model_, plan->plan);
  ASSERT_TRUE(jobs) << jobs.error().message;
  const auto made = QuantizeMatrices(
      model_, *jobs, *MakeBaqQuantizer(baq), &tokens_, MemoryStore());
  ASSERT_TRUE(made) << made.error().message;
  const std::vector<float> hessian = FirstHessian();
  for (const LinearKind kind : {LinearKind::kQ, LinearKind::kV}) {
    const UnitMatrix matrix = Matrix(kind);
    const Rounded expected = RoundAsReleased(Weight(kind),
                                             hessian,
                                             plan->levels.at(matrix.tensor),
                                             Order(hessian, matrix.cols, true));
    const PackedMatrix& packed = *made->packed[static_cast<std::size_t>(kind)];
    std::vector<float> found(expected.weights.size());
    packed.Dequantize(0, matrix.rows, found);
    // A weight between two values may go either way, and moves all behind it.
    std::int64_t rows_alike = 0;
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
      bool alike = true;
      for (std::int64_t col = 0; col < matrix.cols; ++col) {
        const auto at = Size(row * matrix.cols + col);
        alike = alike && std::abs(found[at] - expected.weights[at]) < 1e-4;
      }
      rows_alike += alike ? 1 : 0;
    }
    EXPECT_GE(rows_alike, matrix.rows - 1) << matrix.tensor;
  }
}

// What a matrix of ranges takes, from the layout's description: float16 ends
// of each row, a byte a column, and 64-bit words of digits for all columns of
// one number of levels together.
std::int64_t DescribedBytes(const UnitMatrix& matrix,
                            const std::vector<int>& levels) {
  std::map<int, std::int64_t> columns;
  for (const int n : levels) ++columns[n];
  std::int64_t bytes = 4 * matrix.rows + matrix.cols;
  for (const auto& [n, count] : columns) {
    if (n == 1) continue;
    const auto digits =
        static_cast<std::int64_t>(std::floor(64.0 / std::log2(n) + 1e-9));
    bytes += 8 * ((count * matrix.rows + digits - 1) / digits);
  }
  return bytes;
}

TEST_F(BaqPaper, CountsEverythingThatIsStored) {
  const auto plan = Plan({.rate = 3.0});
  ASSERT_TRUE(plan) << plan.error().message;
  double bits = 0.0;
  double weights = 0.0;
  for (const PlannedUnit& unit : plan->plan.units) {
    const UnitMatrix& matrix = unit.unit.matrices.front();
    const std::vector<int>& levels = plan->levels.at(matrix.tensor);
    EXPECT_EQ(unit.size_bytes, DescribedBytes(matrix, levels));
    for (const int n : levels) {
      bits += std::log2(n) * static_cast<double>(matrix.rows);
      weights += static_cast<double>(matrix.rows);
    }
  }
  EXPECT_NEAR(plan->reported_rate, bits / weights, 1e-9);
  EXPECT_LT(plan->reported_rate, plan->plan.bits_per_weight());
}

// The reference rate moves until the bytes fit; a little more would not.
TEST_F(BaqPaper, FitsStoredRates) {
  for (const double rate : {3.5, 4.0, 5.0}) {
    const auto plan = Plan({.rate = rate, .stored = true});
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_LE(plan->plan.bits_per_weight(), rate);
    // These matrices are so small that a word of padding is 0.1 bits.
    EXPECT_GT(plan->plan.bits_per_weight(), rate - 0.25);
    EXPECT_LT(plan->reported_rate, rate);
    EXPECT_LT(plan->reference_rate, rate);
    for (const PlannedUnit& unit : plan->plan.units) {
      const UnitMatrix& matrix = unit.unit.matrices.front();
      EXPECT_EQ(unit.size_bytes,
                DescribedBytes(matrix, plan->levels.at(matrix.tensor)));
    }
  }
}

TEST_F(BaqPaper, RefusesARateBelowTheSideInformation) {
  const auto plan = Plan({.rate = 1.0, .stored = true});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(plan.error().message, HasSubstr("a stored rate of 1.0"));
}

TEST_F(BaqPaper, RefusesOptionsOutOfRange) {
  EXPECT_TRUE(Validate(BaqPaperOptions{}));
  for (const auto& [options, word] :
       std::vector<std::pair<BaqPaperOptions, std::string>>{
           {{.rate = 0.9}, "rate = 0.9"},
           {{.rate = std::nan("")}, "rate = nan"},
           {{.exponent = 0.0}, "exponent = 0.0"}}) {
    const auto plan = Plan(options);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(plan.error().message,
                AllOf(HasSubstr(word), HasSubstr("violates")));
  }
}

TEST_F(BaqPaper, NamesTheTensorWithoutLevels) {
  const BaqPaperPlan empty;
  const auto levels = LevelsOf(empty)("some.weight", 4);
  ASSERT_FALSE(levels);
  EXPECT_THAT(levels.error().message, HasSubstr("some.weight"));
}

}  // namespace
}  // namespace bitpact
