// SPDX-License-Identifier: Apache-2.0
#include "quant/learned_clipping.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace bitpact {
namespace {

constexpr float kStart = 4.0F;

float Sigmoid(float x) { return 1.0F / (1.0F + std::exp(-x)); }

// 1 at the start, exactly.
float Share(float parameter) { return Sigmoid(parameter) / Sigmoid(kStart); }
float ShareSlope(float parameter) {
  return Share(parameter) * (1.0F - Sigmoid(parameter));
}

std::size_t ParametersPerGroup(const BitFormat& format) {
  return format.symmetric() ? 1 : 2;
}

}  // namespace

float LearnedClipping::Range::center() const {
  return std::clamp(0.0F, least, greatest);
}

Expected<LearnedClipping> LearnedClipping::Create(
    const MatrixView& weight,
    const BitFormat& format,
    const LearnedClippingOptions& options) {
  if (const auto valid = ValidateQuantizerInput(weight, format); !valid) {
    return tl::unexpected(valid.error());
  }
  LearnedClipping made(weight, format, options);
  for (std::size_t g = 0; g < made.ranges_.size(); ++g) {
    // The widest that can be learned must be storable as well.
    const float most = 1.0F / Sigmoid(kStart);
    const auto& range = made.ranges_[g];
    const GroupGrid grid =
        GridOfRange(format, most * range.least, most * range.greatest);
    if (!IsStorable(grid)) {
      return tl::unexpected(NotStorable(
          static_cast<std::int64_t>(g / made.groups_per_row_), format, grid));
    }
  }
  made.Refresh();
  return made;
}

LearnedClipping::LearnedClipping(const MatrixView& weight,
                                 const BitFormat& format,
                                 const LearnedClippingOptions& options)
    : format_(format),
      rows_(weight.rows),
      cols_(weight.cols),
      groups_per_row_(
          static_cast<std::size_t>(GroupsPerRow(format, weight.cols))),
      group_width_(static_cast<std::size_t>(
          groups_per_row_ == 1 ? weight.cols : format.group_size)),
      weights_(weight.data.begin(), weight.data.end()),
      ranges_(static_cast<std::size_t>(rows_) * groups_per_row_),
      learned_(ranges_.size() * ParametersPerGroup(format), kStart),
      grids_(ranges_.size()),
      codes_(weights_.size()),
      adam_(learned_.size(), {.learning_rate = options.learning_rate}) {
  for (std::size_t g = 0; g < ranges_.size(); ++g) {
    const auto [least, greatest] = std::ranges::minmax(Group(g));
    const float largest = std::max(-least, greatest);
    ranges_[g] =
        format.symmetric() ? Range{-largest, largest} : Range{least, greatest};
    if (format.zero_point_type == ZeroPointType::kUint8) {
      ranges_[g] = {std::min(least, 0.0F), std::max(greatest, 0.0F)};
    }
  }
}

std::span<const float> LearnedClipping::Group(std::size_t group) const {
  const auto cols = static_cast<std::size_t>(cols_);
  const std::size_t in_row = group % groups_per_row_ * group_width_;
  return std::span(weights_).subspan(group / groups_per_row_ * cols + in_row,
                                     std::min(group_width_, cols - in_row));
}

GroupGrid LearnedClipping::Grid(std::size_t group) const {
  const Range& range = ranges_[group];
  const float center = range.center();
  const std::size_t at = group * ParametersPerGroup(format_);
  const float alpha = Share(learned_[at]);
  const float beta = format_.symmetric() ? alpha : Share(learned_[at + 1]);
  return GridOfRange(format_,
                     center + beta * (range.least - center),
                     center + alpha * (range.greatest - center));
}

void LearnedClipping::Refresh() {
  for (std::size_t g = 0; g < grids_.size(); ++g) {
    grids_[g] = Grid(g);
    const std::span<const float> group = Group(g);
    const auto first = static_cast<std::size_t>(group.data() - weights_.data());
    EncodeGroup(grids_[g],
                format_.bits,
                group,
                std::span(codes_).subspan(first, group.size()));
  }
}

void LearnedClipping::Weights(std::span<float> out) const {
  BITPACT_CHECK(out.size() == weights_.size(), "out is [rows, cols]");
  for (std::size_t g = 0; g < grids_.size(); ++g) {
    const std::span<const float> group = Group(g);
    const auto first = static_cast<std::size_t>(group.data() - weights_.data());
    for (std::size_t i = first; i < first + group.size(); ++i) {
      out[i] = DecodeWeight(grids_[g], codes_[i]);
    }
  }
}

std::vector<float> LearnedClipping::Gradient(
    std::span<const float> slopes) const {
  BITPACT_CHECK(slopes.size() == weights_.size(), "slopes are [rows, cols]");
  const auto top = static_cast<float>((1 << format_.bits) - 1);
  const std::size_t per_group = ParametersPerGroup(format_);
  std::vector<float> gradient(learned_.size());
  for (std::size_t g = 0; g < grids_.size(); ++g) {
    const GroupGrid& grid = grids_[g];
    if (grid.scale == 0.0F) continue;
    const std::span<const float> group = Group(g);
    const auto first = static_cast<std::size_t>(group.data() - weights_.data());
    const float inverse = 1.0F / grid.scale;
    // z, and what rounding it added.
    const float zero = grid.zero_point + grid.shift * inverse;
    const std::size_t at = g * per_group;
    const float beta = Share(learned_[format_.symmetric() ? at : at + 1]);
    const Range& range = ranges_[g];
    const float center = range.center();
    const float low = center + beta * (range.least - center);
    const float added = format_.symmetric() ? zero : zero + low * inverse;
    double by_scale = 0.0;
    double by_low = 0.0;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const float place = group[i] * inverse;
      const float code = codes_[first + i];
      const double slope = static_cast<double>(slopes[first + i]);
      const float u = place + zero;
      if (u >= -0.5F && u <= top + 0.5F) {
        by_scale += slope * static_cast<double>(code - zero - place);
      } else {
        by_scale += slope * static_cast<double>(code - added);
        by_low += slope;
      }
    }
    const double above = static_cast<double>(range.greatest - center);
    const double below = static_cast<double>(range.least - center);
    if (format_.symmetric()) {
      const double half = static_cast<double>(1 << (format_.bits - 1));
      gradient[at] =
          static_cast<float>(by_scale * above / (half - 1.0) *
                             static_cast<double>(ShareSlope(learned_[at])));
      continue;
    }
    gradient[at] =
        static_cast<float>(by_scale * above / static_cast<double>(top) *
                           static_cast<double>(ShareSlope(learned_[at])));
    gradient[at + 1] = static_cast<float>(
        (by_low * below - by_scale * below / static_cast<double>(top)) *
        static_cast<double>(ShareSlope(learned_[at + 1])));
  }
  return gradient;
}

void LearnedClipping::Step(std::span<const float> slopes) {
  adam_.Step(Gradient(slopes), learned_);
  Refresh();
}

void LearnedClipping::Restore(std::span<const float> parameters) {
  BITPACT_CHECK(parameters.size() == learned_.size(), "parameters of this");
  std::ranges::copy(parameters, learned_.begin());
  Refresh();
}

PackedMatrix LearnedClipping::Pack() const {
  std::vector<float> scales;
  std::vector<float> shifts;
  for (const GroupGrid& grid : grids_) {
    scales.push_back(grid.scale);
    if (!format_.symmetric()) {
      shifts.push_back(StoredShift(grid, format_.zero_point_type));
    }
  }
  return PackedMatrix::Pack(format_, rows_, cols_, codes_, scales, shifts);
}

}  // namespace bitpact
