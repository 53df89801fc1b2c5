// SPDX-License-Identifier: Apache-2.0
#include "quant/baq_quantizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>
#include <utility>

#include "Eigen/Core"
#include "core/check.h"
#include "quant/baq_allocation.h"
#include "quant/baq_theory.h"
#include "quant/column_matrix.h"
#include "quant/column_rounding.h"
#include "quant/layer_factor.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

// A Hessian's factor, and what columns count, in original order.
struct Curvature {
  std::vector<std::int64_t> order;
  std::shared_ptr<const Expected<GptqFactor>> factor;
  std::vector<double> pivots;
};

// A dead column's pivot is what the damping put there; FactorHessian gives it
// the mean of the others so that it factors well.
std::vector<double> OriginalPivots(const Curvature& curvature,
                                   std::span<const float> hessian) {
  const std::int64_t cols = std::ssize(curvature.order);
  std::vector<double> pivots(Size(cols));
  const GptqFactor& factor = **curvature.factor;
  const double kept = factor.damping_used / (1.0 + factor.damping_used);
  for (std::int64_t place = 0; place < cols; ++place) {
    const std::int64_t col = curvature.order[Size(place)];
    const bool dead = hessian[Size(col * cols + col)] == 0.0F;
    pivots[Size(col)] =
        double{factor.pivots[Size(place)]} * (dead ? kept : 1.0);
  }
  return pivots;
}

// Squared weights of each column.
std::vector<double> ColumnEnergies(const MatrixView& weight) {
  std::vector<double> energies(Size(weight.cols));
  for (std::int64_t row = 0; row < weight.rows; ++row) {
    for (std::int64_t col = 0; col < weight.cols; ++col) {
      const double w = weight.data[Size(row * weight.cols + col)];
      energies[Size(col)] += w * w;
    }
  }
  return energies;
}

std::vector<double> RowRanges(const MatrixView& weight) {
  std::vector<double> ranges;
  for (std::int64_t row = 0; row < weight.rows; ++row) {
    const auto values =
        weight.data.subspan(Size(row * weight.cols), Size(weight.cols));
    const auto [least, greatest] = std::ranges::minmax(values);
    ranges.push_back(std::max(0.0, double{greatest}) -
                     std::min(0.0, double{least}));
  }
  return ranges;
}

// Scale codes of rows such that row scale * column factor fits the weights:
// |w_ij| ~ s_i * t_j in the mean square, by turns, t of mean 1.
std::vector<std::byte> ScaleRows(const MatrixView& weight) {
  constexpr int kTurns = 4;
  std::vector<double> t(Size(weight.cols), 1.0);
  std::vector<double> s(Size(weight.rows), 0.0);
  for (int turn = 0; turn < kTurns; ++turn) {
    std::vector<double> sums(Size(weight.cols), 0.0);
    for (std::int64_t row = 0; row < weight.rows; ++row) {
      double sum = 0.0;
      const float* const w = &weight.data[Size(row * weight.cols)];
      for (std::size_t col = 0; col < t.size(); ++col) {
        if (t[col] > 0.0) sum += double{w[col]} * double{w[col]} / t[col];
      }
      s[Size(row)] = sum / static_cast<double>(weight.cols);
      if (s[Size(row)] <= 0.0) continue;
      for (std::size_t col = 0; col < t.size(); ++col) {
        sums[col] += double{w[col]} * double{w[col]} / s[Size(row)];
      }
    }
    const double mean = std::accumulate(sums.begin(), sums.end(), 0.0) /
                        static_cast<double>(weight.cols);
    if (mean <= 0.0) break;
    for (std::size_t col = 0; col < t.size(); ++col) t[col] = sums[col] / mean;
  }
  std::vector<std::byte> codes;
  for (const double square : s) {
    codes.push_back(static_cast<std::byte>(
        RowScaleCode(static_cast<float>(std::sqrt(square)))));
  }
  return codes;
}

Expected<std::vector<std::byte>> StoreRanges(const MatrixView& weight) {
  std::vector<std::byte> bytes(Size(4 * weight.rows));
  for (std::int64_t row = 0; row < weight.rows; ++row) {
    const auto values =
        weight.data.subspan(Size(row * weight.cols), Size(weight.cols));
    const auto [least, greatest] = std::ranges::minmax(values);
    const Eigen::half ends[2] = {Eigen::half(std::min(0.0F, least)),
                                 Eigen::half(std::max(0.0F, greatest))};
    if (!Eigen::numext::isfinite(ends[0]) ||
        !Eigen::numext::isfinite(ends[1])) {
      return Fail(ErrorCode::kUnsupported,
                  "range of row " + std::to_string(row) +
                      " exceeds what float16 holds");
    }
    std::memcpy(&bytes[Size(4 * row)], ends, sizeof(ends));
  }
  return bytes;
}

std::vector<LevelCosts> CostsOf(std::span<const double> weights) {
  std::vector<LevelCosts> costs(weights.size());
  for (std::size_t col = 0; col < weights.size(); ++col) {
    for (std::size_t i = 0; i < kLevelCounts.size(); ++i) {
      costs[col][i] = weights[col] * NominalDistortion(static_cast<int>(i));
    }
  }
  return costs;
}

// The columns array, without factor codes, of the least cost.
std::vector<std::byte> AllocatedColumns(const std::vector<LevelCosts>& costs,
                                        std::int64_t rows,
                                        const BitFormat& format) {
  const LevelAllocation allocation = AllocateLevels(
      costs, rows, ColumnCodeBytes(format, rows, std::ssize(costs)));
  std::vector<std::byte> columns;
  for (const std::uint8_t index : allocation.indices) {
    columns.push_back(std::byte{index});
  }
  return columns;
}

double Sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// A matrix as it was rounded, and what its levels went by (kRange: nothing
// that is known here).
struct Made {
  RoundedColumns rounded;
  std::vector<double> weights;    // pivot_j * E_j
  std::vector<LevelCosts> costs;  // of the pass that was kept
};

class BaqQuantizer final : public Quantizer {
 public:
  explicit BaqQuantizer(const BaqOptions& options) : options_(options) {}

  [[nodiscard]] std::string name() const override { return "baq"; }
  [[nodiscard]] bool needs_hessian() const override { return true; }

  [[nodiscard]] Expected<PackedMatrix> Quantize(
      MatrixView weight,
      const LayerInputs& inputs,
      const BitFormat& format) const override {
    if (const auto valid = ValidateInputs(weight, inputs, format); !valid) {
      return tl::unexpected(valid.error());
    }
    const auto curvature = Factor(weight.cols, inputs);
    if (!curvature) return tl::unexpected(curvature.error());
    auto rows = format.column_grid == ColumnGrid::kRange ? StoreRanges(weight)
                                                         : ScaleRows(weight);
    if (!rows) return tl::unexpected(rows.error());
    ColumnTask task{.weight = weight,
                    .grid = format.column_grid,
                    .factor = &**curvature->factor,
                    .order = curvature->order,
                    .columns = {},
                    .rows = *rows};
    const auto made =
        format.column_grid == ColumnGrid::kRange
            ? RoundRanges(task, inputs, format)
            : Expected<Made>(RoundScaled(task, *curvature, format));
    if (!made) return tl::unexpected(made.error());
    auto packed =
        PackColumns(format,
                    weight.rows,
                    weight.cols,
                    {made->rounded.columns, *rows, made->rounded.codes});
    if (!packed || !options_.on_matrix) return packed;
    BaqOutcome outcome = Describe(weight, *curvature, *made, *packed);
    outcome.tensor = inputs.tensor;
    if (format.column_grid == ColumnGrid::kScaled) {
      DescribeAlike(task, *made, format, outcome);
    }
    const std::lock_guard lock(mutex_);
    options_.on_matrix(outcome);
    return packed;
  }

 private:
  [[nodiscard]] Expected<void> ValidateInputs(const MatrixView& weight,
                                              const LayerInputs& inputs,
                                              const BitFormat& format) const {
    if (auto valid = Validate(format); !valid) return valid;
    if (!format.mixed_columns()) {
      return Fail(ErrorCode::kUnsupported,
                  "baq makes mixed columns only, not " + FormatName(format));
    }
    // Any format that others make serves to check the weights.
    if (auto valid = ValidateQuantizerInput(weight, BitFormat{}); !valid) {
      return valid;
    }
    if (inputs.hessian.size() != Size(weight.cols * weight.cols)) {
      return InvalidArgument(
          "baq needs the Hessian of the layer's inputs, " +
          std::to_string(weight.cols) + " x " + std::to_string(weight.cols) +
          "; it has " + std::to_string(inputs.hessian.size()) + " entries");
    }
    return {};
  }

  [[nodiscard]] Expected<Curvature> Factor(std::int64_t cols,
                                           const LayerInputs& inputs) const {
    Curvature curvature;
    curvature.order =
        RoundingOrder(inputs.hessian, cols, options_.activation_order);
    curvature.factor = FactorInputs(
        inputs, {.order = curvature.order, .damping = options_.damping});
    if (!*curvature.factor) return tl::unexpected(curvature.factor->error());
    curvature.pivots = OriginalPivots(curvature, inputs.hessian);
    return curvature;
  }

  [[nodiscard]] Expected<Made> RoundRanges(ColumnTask task,
                                           const LayerInputs& inputs,
                                           const BitFormat& format) const {
    if (!options_.range_levels) {
      return Fail(ErrorCode::kUnsupported,
                  FormatName(format) + " needs levels from a first pass");
    }
    const auto levels = options_.range_levels(inputs.tensor, task.weight.cols);
    if (!levels) return tl::unexpected(levels.error());
    BITPACT_CHECK(std::ssize(*levels) == task.weight.cols, "levels a column");
    std::vector<std::byte> columns;
    for (const int n : *levels) {
      BITPACT_CHECK(n >= 1 && n <= 256, "1 to 256 levels");
      columns.push_back(static_cast<std::byte>(n - 1));
    }
    task.columns = columns;
    return Made{RoundColumns(task), {}, {}};
  }

  [[nodiscard]] Made RoundScaled(ColumnTask task,
                                 const Curvature& curvature,
                                 const BitFormat& format) const {
    std::vector<double> weights = ColumnEnergies(task.weight);
    for (std::size_t col = 0; col < weights.size(); ++col) {
      weights[col] *= curvature.pivots[col];
    }
    const int passes = options_.by_sensitivity ? options_.passes : 1;
    std::vector<LevelCosts> costs = CostsOf(
        options_.by_sensitivity ? weights
                                : std::vector<double>(weights.size(), 1.0));
    Made best;
    double least = 0.0;
    for (int pass = 0; pass < passes; ++pass) {
      const std::vector<std::byte> columns =
          AllocatedColumns(costs, task.weight.rows, format);
      task.columns = columns;
      task.measure_levels = pass + 1 < passes;
      RoundedColumns rounded = RoundColumns(task);
      std::vector<LevelCosts> met = std::move(rounded.level_errors);
      for (std::size_t col = 0; col < met.size(); ++col) {
        for (double& cost : met[col]) cost *= curvature.pivots[col];
      }
      const double loss = Sum(rounded.losses);
      if (pass == 0 || loss < least) {
        least = loss;
        best.rounded = std::move(rounded);
        best.costs = std::move(costs);
      }
      costs = std::move(met);
    }
    best.weights = std::move(weights);
    return best;
  }

  // What it would be if all columns counted alike.
  void DescribeAlike(ColumnTask task,
                     const Made& made,
                     const BitFormat& format,
                     BaqOutcome& outcome) const {
    const std::vector<double> equal(made.weights.size(), 1.0);
    const std::vector<std::byte> alike =
        AllocatedColumns(CostsOf(equal), task.weight.rows, format);
    const auto cost_of = [&](const std::vector<std::byte>& columns) {
      double cost = 0.0;
      for (std::size_t col = 0; col < columns.size(); ++col) {
        cost += made.costs[col].at(std::to_integer<std::size_t>(columns[col]) &
                                   15U);
      }
      return cost;
    };
    const double cost = cost_of(alike);
    outcome.expected_gain =
        cost > 0.0 ? cost_of(made.rounded.columns) / cost : 1.0;
    if (!options_.compare_uniform) return;
    task.columns = alike;
    outcome.uniform_loss = Sum(RoundColumns(task).losses);
  }

  [[nodiscard]] BaqOutcome Describe(const MatrixView& weight,
                                    const Curvature& curvature,
                                    const Made& made,
                                    const PackedMatrix& packed) const {
    BaqOutcome outcome;
    outcome.format = packed.format();
    outcome.rows = weight.rows;
    outcome.cols = weight.cols;
    for (const std::byte column : made.rounded.columns) {
      outcome.levels.push_back(
          LevelsOfColumn(packed.format().column_grid, column));
    }
    outcome.sensitivities =
        ColumnSensitivities(RowRanges(weight), curvature.pivots);
    outcome.losses = made.rounded.losses;
    outcome.predicted_gain = PredictedGain(outcome.sensitivities);
    outcome.weights =
        made.weights.empty() ? outcome.sensitivities : made.weights;
    outcome.weighted_gain = PredictedGain(outcome.weights);
    outcome.loss = Sum(outcome.losses);
    outcome.reported_rate = ReportedRate(outcome.levels);
    outcome.code_bytes = packed.column_layout()->used_bytes;
    outcome.unused_bytes = std::ssize(packed.codes()) - outcome.code_bytes;
    outcome.stored_bytes = packed.size_bytes();
    return outcome;
  }

  BaqOptions options_;
  mutable std::mutex mutex_;
};

}  // namespace

Expected<void> Validate(const BaqOptions& options) {
  if (!(options.damping > 0.0 && options.damping <= 10.0)) {
    return InvalidArgument("damping = " + std::to_string(options.damping) +
                           " violates 0 < damping <= 10");
  }
  if (options.passes < 1 || options.passes > 8) {
    return InvalidArgument("passes = " + std::to_string(options.passes) +
                           " violates 1 <= passes <= 8");
  }
  return {};
}

std::unique_ptr<Quantizer> MakeBaqQuantizer(const BaqOptions& options) {
  BITPACT_CHECK(Validate(options).has_value(), "valid BaqOptions");
  return std::make_unique<BaqQuantizer>(options);
}

}  // namespace bitpact
