// SPDX-License-Identifier: Apache-2.0
#include "quant/learned_matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>

#include "core/check.h"
#include "quant/half.h"
#include "quant/row_matrix.h"
#include "quant/row_parts.h"

namespace bitpact {
namespace {

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

struct Rule {
  const char* field;
  double value;
  double least;  // itself excluded where `open`
  double most;
  bool open;
};

std::string Text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

}  // namespace

Expected<void> Validate(const LearningOptions& options) {
  constexpr double kMost = 1e6;
  constexpr double kMostShare = 0.999;
  const LearnedRoundingOptions& rounding = options.rounding;
  const std::array rules = {
      Rule{"rounding rate", rounding.learning_rate, 0.0, kMost, true},
      Rule{"clipping rate", options.clipping.learning_rate, 0.0, kMost, true},
      Rule{"rounding L2", rounding.l2, 0.0, kMost, false},
      Rule{"rounding penalty", rounding.penalty, 0.0, kMost, false},
      Rule{"warm-up", rounding.warm_up, 0.0, 1.0, false},
      Rule{"clipping share", options.clipping_share, 0.0, kMostShare, true},
      Rule{"first exponent", rounding.first_exponent, 0.0, kMost, true},
      Rule{"last exponent", rounding.last_exponent, 0.0, kMost, true}};
  for (const Rule& rule : rules) {
    const bool above =
        rule.open ? rule.value > rule.least : rule.value >= rule.least;
    if (above && rule.value <= rule.most) continue;
    return InvalidArgument(std::string(rule.field) + " = " + Text(rule.value) +
                           " violates " + Text(rule.least) +
                           (rule.open ? " < " : " <= ") + rule.field +
                           " <= " + Text(rule.most));
  }
  return {};
}

Expected<LearnedMatrix> LearnedMatrix::Create(
    const MatrixView& weight,
    const BitFormat& format,
    std::span<const double> row_scores,
    const LearningOptions& options) {
  const auto parts = SplitRows(weight, format, row_scores);
  if (!parts) return tl::unexpected(parts.error());
  LearnedMatrix made;
  made.options_ = options;
  made.format_ = format;
  made.rows_ = weight.rows;
  made.cols_ = weight.cols;
  made.high_rows_ = parts->high_rows;
  made.low_rows_ = parts->low_rows;
  if (format.high_bits == kFloat16Bits) {
    made.halves_ = parts->high;
    for (float& value : made.halves_) value = RoundToHalf(value);
  } else if (!parts->high_rows.empty()) {
    auto high = LearnedRounding::Create(
        {parts->high, std::ssize(parts->high_rows), weight.cols},
        HighFormat(format),
        options.rounding);
    if (!high) return tl::unexpected(AmongRows("high", high.error()));
    made.high_ = std::move(*high);
  }
  if (!parts->low_rows.empty()) {
    auto low = LearnedClipping::Create(
        {parts->low, std::ssize(parts->low_rows), weight.cols},
        LowFormat(format),
        options.clipping);
    if (!low) return tl::unexpected(AmongRows("low", low.error()));
    made.low_ = std::move(*low);
  }
  return made;
}

void LearnedMatrix::SoftWeights(std::span<float> out) const {
  BITPACT_CHECK(out.size() == Size(rows_ * cols_), "out is [rows, cols]");
  std::vector<float> part(high_rows_.size() * Size(cols_));
  if (high_) high_->SoftWeights(part);
  ScatterRows(high_ ? part : halves_, high_rows_, cols_, out);
  part.resize(low_rows_.size() * Size(cols_));
  if (low_rounding_) {
    low_rounding_->SoftWeights(part);
  } else if (low_) {
    low_->Weights(part);
  }
  ScatterRows(part, low_rows_, cols_, out);
}

void LearnedMatrix::HardWeights(std::span<float> out) const {
  BITPACT_CHECK(out.size() == Size(rows_ * cols_), "out is [rows, cols]");
  std::vector<float> part(high_rows_.size() * Size(cols_));
  if (high_) high_->HardWeights(part);
  ScatterRows(high_ ? part : halves_, high_rows_, cols_, out);
  part.resize(low_rows_.size() * Size(cols_));
  if (low_rounding_) {
    low_rounding_->HardWeights(part);
  } else if (low_) {
    low_->Weights(part);
  }
  ScatterRows(part, low_rows_, cols_, out);
}

std::int64_t LearnedMatrix::rounded_weights() const {
  std::int64_t rows = high_ ? high_->rows() : 0;
  if (low_ && options_.rounded == RoundedRows::kAll) rows += low_->rows();
  return rows * cols_;
}

void LearnedMatrix::BeginLowRounding() {
  auto made = LearnedRounding::CreateOn(
      low_->grids(), low_->original(), LowFormat(format_), options_.rounding);
  BITPACT_CHECK(made.has_value(), "learned ranges are storable");
  low_rounding_ = std::move(*made);
}

void LearnedMatrix::Step(std::span<const float> slopes, double progress) {
  const MatrixView view{slopes, rows_, cols_};
  if (high_) high_->Step(GatherRows(view, high_rows_), progress);
  if (!low_) return;
  const double begin = options_.clipping_share;
  if (options_.rounded == RoundedRows::kHigh || progress < begin) {
    low_->Step(GatherRows(view, low_rows_));
    return;
  }
  // The slopes are of the weights that SoftWeights last showed: the first step
  // behind the ranges' last only begins.
  if (!low_rounding_) {
    BeginLowRounding();
    return;
  }
  low_rounding_->Step(GatherRows(view, low_rows_),
                      (progress - begin) / (1.0 - begin));
}

LearnedMatrix::State LearnedMatrix::Save() const {
  State state;
  if (high_) {
    state.rounding.assign(high_->parameters().begin(),
                          high_->parameters().end());
  }
  if (low_) {
    state.clipping.assign(low_->parameters().begin(), low_->parameters().end());
  }
  if (low_rounding_) {
    state.low_rounding.assign(low_rounding_->parameters().begin(),
                              low_rounding_->parameters().end());
  }
  return state;
}

void LearnedMatrix::Restore(const State& state) {
  if (high_) high_->Restore(state.rounding);
  if (low_) low_->Restore(state.clipping);
  low_rounding_.reset();
  if (state.low_rounding.empty()) return;
  BeginLowRounding();
  low_rounding_->Restore(state.low_rounding);
}

PackedMatrix LearnedMatrix::Pack() const {
  const PackedMatrix low = low_rounding_ ? low_rounding_->Pack()
                           : low_        ? low_->Pack()
                                         : PackedMatrix();
  if (!format_.row_mix()) return low;
  const PackedMatrix high = high_ ? high_->Pack() : PackedMatrix();
  return PackRows(format_,
                  rows_,
                  cols_,
                  {.high_rows = high_rows_,
                   .high = high_ ? &high : nullptr,
                   .low = low_ ? &low : nullptr,
                   .dense = halves_});
}

}  // namespace bitpact
