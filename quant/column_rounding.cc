// SPDX-License-Identifier: Apache-2.0
#include "quant/column_rounding.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "quant/column_layout.h"
#include "quant/matmul.h"

namespace bitpact {
namespace {

constexpr std::int64_t kBlock = 64;

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

// Adding and taking it away again rounds to nearest, halves to even.
constexpr float kRounder = 0x1.8p23F;

// The value of row i's grid for column weights w, all rows at once.
// steps, zeros: [rows]; inverse: 1 / steps, 0 where that is 0.
struct Grids {
  std::vector<float> steps;
  std::vector<float> inverse;
  std::vector<float> zeros;
};

inline float RoundedSteps(float w, float inverse, float zero, float top) {
  const float at = std::clamp(w * inverse, -zero, top - zero);
  // q itself may be half-way between whole numbers where zero is.
  return (at + zero + kRounder) - kRounder - zero;
}

class Rounder {
 public:
  explicit Rounder(const ColumnTask& task)
      : task_(task),
        rows_(task.weight.rows),
        cols_(task.weight.cols),
        original_(Size(rows_ * cols_)),
        residual_(Size(kBlock * rows_)),
        row_scales_(Size(rows_)) {
    for (std::int64_t place = 0; place < cols_; ++place) {
      const std::int64_t col = task.order[Size(place)];
      for (std::int64_t row = 0; row < rows_; ++row) {
        original_[Size(place * rows_ + row)] =
            task.weight.data[Size(row * cols_ + col)];
      }
    }
    current_ = original_;
    result_.columns.assign(task.columns.begin(), task.columns.end());
    result_.codes.resize(Size(rows_ * cols_));
    result_.losses.resize(Size(cols_));
    if (task.measure_levels) result_.level_errors.resize(Size(cols_));
  }

  RoundedColumns Run() && {
    for (std::int64_t begin = 0; begin < cols_; begin += kBlock) {
      const std::int64_t width = std::min(kBlock, cols_ - begin);
      for (std::int64_t i = 0; i < width; ++i) RoundOne(begin, i);
      UpdateBehind(begin, width);
    }
    return std::move(result_);
  }

 private:
  // Column `begin + i` of the order, after i of its block.
  void RoundOne(std::int64_t begin, std::int64_t i) {
    const std::int64_t place = begin + i;
    const std::int64_t col = task_.order[Size(place)];
    float* const w = &current_[Size(place * rows_)];
    for (std::int64_t j = 0; j < i; ++j) {
      const float by = task_.factor->coupling[Size(place * cols_ + begin + j)];
      const float* const moved = &residual_[Size(j * rows_)];
      for (std::int64_t row = 0; row < rows_; ++row) w[row] += by * moved[row];
    }
    const std::span<const float> weights(w, Size(rows_));
    if (task_.measure_levels) MeasureLevels(col, weights);
    const float factor = ChooseFactor(col, weights);
    MakeGrids(Levels(col), factor);
    Encode(place, weights, &residual_[Size(i * rows_)]);
  }

  // 1 for kRange; otherwise stores the code as well.
  float ChooseFactor(std::int64_t col, std::span<const float> weights) {
    if (task_.grid == ColumnGrid::kRange) return 1.0F;
    std::byte& column = result_.columns[Size(col)];
    const auto index = std::to_integer<int>(column) & 15;
    if (index == 0) return 0.0F;
    Fit best = FitOf(index, 0, weights);
    for (int code = 1; code < kFactorCodes; ++code) {
      const Fit fit = FitOf(index, code, weights);
      if (fit.error < best.error) best = fit;
    }
    column = static_cast<std::byte>(index | best.code << 4);
    return ColumnFactor(index, best.code);
  }

  struct Fit {
    int code = 0;
    double error = 0.0;  // squared
  };

  Fit FitOf(int index, int code, std::span<const float> weights) {
    const int levels = kLevelCounts.at(Size(index));
    MakeGrids(levels, ColumnFactor(index, code));
    return {code, SquaredError(levels, weights)};
  }

  // Downhill from the code that fits one choice of levels less, so that most
  // choices take three or four trials.
  void MeasureLevels(std::int64_t col, std::span<const float> weights) {
    LevelCosts& errors = result_.level_errors[Size(col)];
    errors[0] = Energy(weights);
    int start = kFactorCodes / 2;
    for (int index = 1; index < std::ssize(kLevelCounts); ++index) {
      Fit best = FitOf(index, start, weights);
      for (const int step : {-1, 1}) {
        while (best.code + step >= 0 && best.code + step < kFactorCodes) {
          const Fit next = FitOf(index, best.code + step, weights);
          if (!(next.error < best.error)) break;
          best = next;
        }
      }
      errors.at(Size(index)) = best.error;
      start = best.code;
    }
  }

  [[nodiscard]] int Levels(std::int64_t col) const {
    return LevelsOfColumn(task_.grid, result_.columns[Size(col)]);
  }

  void MakeGrids(int levels, float factor) {
    if (levels != grids_of_) {
      grids_of_ = levels;
      grids_.zeros.resize(Size(rows_));
      grids_.steps.resize(Size(rows_));
      grids_.inverse.resize(Size(rows_));
      for (std::int64_t row = 0; row < rows_; ++row) {
        const RowGrid grid = StoredRowGrid(task_.grid, task_.rows, row, levels);
        row_scales_[Size(row)] = grid.step;
        grids_.zeros[Size(row)] = grid.zero;
      }
    }
    for (std::int64_t row = 0; row < rows_; ++row) {
      const float step = row_scales_[Size(row)] * factor;
      grids_.steps[Size(row)] = step;
      grids_.inverse[Size(row)] = step > 0.0F ? 1.0F / step : 0.0F;
    }
  }

  static double Energy(std::span<const float> weights) {
    double energy = 0.0;
    for (const float w : weights) energy += double{w} * double{w};
    return energy;
  }

  [[nodiscard]] double SquaredError(int levels,
                                    std::span<const float> weights) const {
    const auto top = static_cast<float>(levels - 1);
    float sums[4] = {};
    const auto add = [&](std::size_t row, float& sum) {
      const float error =
          weights[row] - grids_.steps[row] * RoundedSteps(weights[row],
                                                          grids_.inverse[row],
                                                          grids_.zeros[row],
                                                          top);
      sum += error * error;
    };
    std::size_t row = 0;
    for (; row + 4 <= weights.size(); row += 4) {
      for (std::size_t lane = 0; lane < 4; ++lane) add(row + lane, sums[lane]);
    }
    for (; row < weights.size(); ++row) add(row, sums[0]);
    return double{sums[0]} + double{sums[1]} + double{sums[2]} +
           double{sums[3]};
  }

  void Encode(std::int64_t place,
              std::span<const float> weights,
              float* residual) {
    const std::int64_t col = task_.order[Size(place)];
    const auto top = static_cast<float>(Levels(col) - 1);
    std::uint8_t* const codes = &result_.codes[Size(col * rows_)];
    const float* const original = &original_[Size(place * rows_)];
    double loss = 0.0;
    for (std::size_t row = 0; row < weights.size(); ++row) {
      const float zero = grids_.zeros[row];
      const float steps =
          RoundedSteps(weights[row], grids_.inverse[row], zero, top);
      const float decoded = grids_.steps[row] * steps;
      codes[row] = static_cast<std::uint8_t>(steps + zero);
      residual[row] = original[row] - decoded;
      const double error = double{weights[row]} - double{decoded};
      loss += error * error;
    }
    result_.losses[Size(col)] =
        loss * double{task_.factor->pivots[Size(place)]};
  }

  void UpdateBehind(std::int64_t begin, std::int64_t width) {
    const std::int64_t end = begin + width;
    if (end == cols_) return;
    // As the product wants it: [width, cols - end].
    const std::int64_t behind = cols_ - end;
    coupling_.resize(Size(width * behind));
    for (std::int64_t k = 0; k < behind; ++k) {
      const float* const from =
          &task_.factor->coupling[Size((end + k) * cols_ + begin)];
      for (std::int64_t j = 0; j < width; ++j) {
        coupling_[Size(j * behind + k)] = from[j];
      }
    }
    AddTransposedProduct(coupling_,
                         residual_,
                         std::span(current_).subspan(Size(end * rows_)),
                         {.rows = behind,
                          .cols = rows_,
                          .inner = width,
                          .a_stride = behind,
                          .b_stride = rows_,
                          .c_stride = rows_});
  }

  const ColumnTask& task_;
  std::int64_t rows_;
  std::int64_t cols_;
  std::vector<float> original_;  // [cols, rows], in the order
  std::vector<float> current_;   // the same, moved
  std::vector<float> residual_;  // [kBlock, rows]
  std::vector<float> coupling_;  // of one block to those behind
  std::vector<float> row_scales_;
  Grids grids_;
  int grids_of_ = 0;  // levels that zeros and row scales are for
  RoundedColumns result_;
};

}  // namespace

RoundedColumns RoundColumns(const ColumnTask& task) {
  BITPACT_CHECK(
      task.factor != nullptr && std::ssize(task.order) == task.weight.cols &&
          std::ssize(task.columns) == task.weight.cols &&
          std::ssize(task.rows) == task.weight.rows * RowGridBytes(task.grid),
      "parts of the matrix's shape");
  return Rounder(task).Run();
}

}  // namespace bitpact
