// SPDX-License-Identifier: Apache-2.0
#include "quant/learned_rounding.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check.h"

namespace bitpact {
namespace {

// V = clip(kStretch * sigmoid(nu) - kMargin, 0, 1).
constexpr float kStretch = 1.2F;
constexpr float kMargin = 0.1F;

float Sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

float Share(float nu) {
  return std::clamp(kStretch * Sigmoid(nu) - kMargin, 0.0F, 1.0F);
}

// dV/dnu; 0 where V is clipped.
float ShareSlope(float nu) {
  const float sigmoid = Sigmoid(nu);
  const float share = kStretch * sigmoid - kMargin;
  if (share <= 0.0F || share >= 1.0F) return 0.0F;
  return kStretch * sigmoid * (1.0F - sigmoid);
}

float StartOf(float share) {
  return -std::log(kStretch / (share + kMargin) - 1.0F);
}

std::vector<GroupGrid> NearestGrids(const MatrixView& weight,
                                    const BitFormat& format) {
  std::vector<GroupGrid> grids;
  const auto cols = static_cast<std::size_t>(weight.cols);
  const std::size_t width = GroupsPerRow(format, weight.cols) == 1
                                ? cols
                                : static_cast<std::size_t>(format.group_size);
  for (std::size_t row = 0; row < static_cast<std::size_t>(weight.rows);
       ++row) {
    for (std::size_t in_row = 0; in_row < cols; in_row += width) {
      grids.push_back(
          FitGroupGrid(format,
                       weight.data.subspan(row * cols + in_row,
                                           std::min(width, cols - in_row))));
    }
  }
  return grids;
}

}  // namespace

Expected<LearnedRounding> LearnedRounding::Create(
    const MatrixView& weight,
    const BitFormat& format,
    const LearnedRoundingOptions& options) {
  if (const auto valid = ValidateQuantizerInput(weight, format); !valid) {
    return tl::unexpected(valid.error());
  }
  return CreateOn(NearestGrids(weight, format), weight, format, options);
}

Expected<LearnedRounding> LearnedRounding::CreateOn(
    std::span<const GroupGrid> grids,
    const MatrixView& weight,
    const BitFormat& format,
    const LearnedRoundingOptions& options) {
  if (const auto valid = ValidateQuantizerInput(weight, format); !valid) {
    return tl::unexpected(valid.error());
  }
  LearnedRounding made({grids.begin(), grids.end()}, weight, format, options);
  BITPACT_CHECK(
      std::ssize(grids) == made.rows_ * GroupsPerRow(format, weight.cols),
      "a grid for each group");
  for (std::size_t g = 0; g < made.grids_.size(); ++g) {
    if (IsStorable(made.grids_[g])) continue;
    return tl::unexpected(
        NotStorable(static_cast<std::int64_t>(g / made.groups_per_row_),
                    format,
                    made.grids_[g]));
  }
  const auto top = static_cast<float>((1 << format.bits) - 1);
  for (std::size_t i = 0; i < made.learned_.size(); ++i) {
    const GroupGrid& grid = made.GridOf(i);
    if (grid.scale == 0.0F) {
      made.floors_[i] = static_cast<std::int16_t>(grid.zero_point);
      made.learned_[i] = StartOf(0.0F);
      continue;
    }
    const float place =
        std::clamp((weight.data[i] + grid.shift) / grid.scale + grid.zero_point,
                   -1.0F,
                   top);
    const float floor = std::floor(place);
    made.floors_[i] = static_cast<std::int16_t>(floor);
    made.learned_[i] = StartOf(place - floor);
  }
  return made;
}

LearnedRounding::LearnedRounding(std::vector<GroupGrid> grids,
                                 const MatrixView& weight,
                                 const BitFormat& format,
                                 const LearnedRoundingOptions& options)
    : format_(format),
      rows_(weight.rows),
      cols_(weight.cols),
      groups_per_row_(
          static_cast<std::size_t>(GroupsPerRow(format, weight.cols))),
      group_width_(static_cast<std::size_t>(
          groups_per_row_ == 1 ? weight.cols : format.group_size)),
      options_(options),
      grids_(std::move(grids)),
      floors_(weight.data.size()),
      learned_(weight.data.size()),
      adam_(weight.data.size(),
            {.learning_rate = options.learning_rate, .l2 = options.l2}) {}

int LearnedRounding::HardCode(std::size_t index) const {
  const int up = Share(learned_[index]) >= 0.5F ? 1 : 0;
  return std::clamp(floors_[index] + up, 0, (1 << format_.bits) - 1);
}

double LearnedRounding::Exponent(double progress) const {
  if (progress < options_.warm_up || options_.warm_up >= 1.0) return 0.0;
  const double left = (1.0 - progress) / (1.0 - options_.warm_up);
  return options_.last_exponent +
         (options_.first_exponent - options_.last_exponent) *
             std::max(0.0, left);
}

void LearnedRounding::SoftWeights(std::span<float> out) const {
  BITPACT_CHECK(out.size() == learned_.size(), "out is [rows, cols]");
  const auto top = static_cast<float>((1 << format_.bits) - 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const GroupGrid& grid = GridOf(i);
    const float code = std::clamp(
        static_cast<float>(floors_[i]) + Share(learned_[i]), 0.0F, top);
    out[i] = grid.scale * (code - grid.zero_point) - grid.shift;
  }
}

void LearnedRounding::HardWeights(std::span<float> out) const {
  BITPACT_CHECK(out.size() == learned_.size(), "out is [rows, cols]");
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = DecodeWeight(GridOf(i), HardCode(i));
  }
}

std::vector<float> LearnedRounding::Gradient(std::span<const float> slopes,
                                             double progress) const {
  BITPACT_CHECK(slopes.size() == learned_.size(), "slopes are [rows, cols]");
  const auto top = static_cast<float>((1 << format_.bits) - 1);
  const auto exponent = static_cast<float>(Exponent(progress));
  const auto penalty = static_cast<float>(options_.penalty);
  std::vector<float> gradient(slopes.size());
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    const float share_slope = ShareSlope(learned_[i]);
    if (share_slope == 0.0F) continue;
    const float share = Share(learned_[i]);
    const float code = static_cast<float>(floors_[i]) + share;
    float slope = 0.0F;
    if (code > 0.0F && code < top) slope = slopes[i] * GridOf(i).scale;
    if (exponent > 0.0F) {
      const float side = 2.0F * share - 1.0F;
      slope -= penalty * 2.0F * exponent *
               std::copysign(std::pow(std::abs(side), exponent - 1.0F), side);
    }
    gradient[i] = slope * share_slope;
  }
  return gradient;
}

double LearnedRounding::Penalty(double progress) const {
  const double exponent = Exponent(progress);
  if (exponent == 0.0) return 0.0;
  double sum = 0.0;
  for (const float nu : learned_) {
    const double side = 2.0 * static_cast<double>(Share(nu)) - 1.0;
    sum += 1.0 - std::pow(std::abs(side), exponent);
  }
  return options_.penalty * sum;
}

void LearnedRounding::Step(std::span<const float> slopes, double progress) {
  adam_.Step(Gradient(slopes, progress), learned_);
}

void LearnedRounding::Restore(std::span<const float> parameters) {
  BITPACT_CHECK(parameters.size() == learned_.size(), "parameters of this");
  std::ranges::copy(parameters, learned_.begin());
}

PackedMatrix LearnedRounding::Pack() const {
  std::vector<std::uint8_t> codes;
  codes.reserve(learned_.size());
  for (std::size_t i = 0; i < learned_.size(); ++i) {
    codes.push_back(static_cast<std::uint8_t>(HardCode(i)));
  }
  std::vector<float> scales;
  std::vector<float> shifts;
  for (const GroupGrid& grid : grids_) {
    scales.push_back(grid.scale);
    if (!format_.symmetric()) {
      shifts.push_back(StoredShift(grid, format_.zero_point_type));
    }
  }
  return PackedMatrix::Pack(format_, rows_, cols_, codes, scales, shifts);
}

}  // namespace bitpact
