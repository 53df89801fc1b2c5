// SPDX-License-Identifier: Apache-2.0
#include "quant/quantizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "core/check.h"
#include "quant/baq_quantizer.h"
#include "quant/gptq_quantizer.h"
#include "quant/hqq_quantizer.h"
#include "quant/packed_matrix_writer.h"
#include "quant/row_mix_quantizer.h"
#include "quant/rtn_quantizer.h"

namespace bitpact {
namespace {

using Made = Expected<std::unique_ptr<Quantizer>>;

struct Entry {
  const char* name;
  Made (*make)(const QuantizerOptions& options);
};

Made MakeGptq(const QuantizerOptions& options) {
  const GptqOptions gptq = {.damping = options.damping,
                            .activation_order = options.activation_order};
  if (const auto valid = Validate(gptq); !valid) {
    return tl::unexpected(valid.error());
  }
  return MakeRowMixQuantizer(MakeGptqQuantizer(gptq), options.row_ranking);
}

Made MakeBaq(const QuantizerOptions& options) {
  const BaqOptions baq = {.damping = options.damping,
                          .activation_order = options.activation_order};
  if (const auto valid = Validate(baq); !valid) {
    return tl::unexpected(valid.error());
  }
  return MakeBaqQuantizer(baq);
}

constexpr std::array kQuantizers = {
    Entry{"quanto",
          [](const QuantizerOptions& options) -> Made {
            return MakeRowMixQuantizer(MakeRtnQuantizer(), options.row_ranking);
          }},
    Entry{"hqq",
          [](const QuantizerOptions& options) -> Made {
            return MakeRowMixQuantizer(MakeHqqQuantizer(), options.row_ranking);
          }},
    Entry{"gptq", MakeGptq},
    Entry{"baq", MakeBaq}};

// A sum of w - w is NaN when any w is not finite; several sums run at once.
bool AllFinite(std::span<const float> values) {
  std::array<float, 16> sums{};
  std::size_t i = 0;
  for (; i + sums.size() <= values.size(); i += sums.size()) {
    for (std::size_t lane = 0; lane < sums.size(); ++lane) {
      sums[lane] += values[i + lane] - values[i + lane];
    }
  }
  for (; i < values.size(); ++i) sums[0] += values[i] - values[i];
  for (std::size_t lane = 1; lane < sums.size(); ++lane) sums[0] += sums[lane];
  return sums[0] == 0.0F;
}

// kInvalidArgument for weights[index] of a matrix, which is not finite.
Error NotFinite(const MatrixView& weight, std::size_t index) {
  const auto cols = static_cast<std::size_t>(weight.cols);
  return {ErrorCode::kInvalidArgument,
          "weight at row " + std::to_string(index / cols) + ", column " +
              std::to_string(index % cols) + " is " +
              std::to_string(weight.data[index]) + ", weights must be finite"};
}

// Why the group at [first, first + count) has no grid that can be stored.
Error NoGrid(const MatrixView& weight,
             const BitFormat& format,
             const GroupGrid& grid,
             std::size_t first,
             std::size_t count) {
  for (std::size_t i = first; i < first + count; ++i) {
    if (!std::isfinite(weight.data[i])) return NotFinite(weight, i);
  }
  return NotStorable(
      static_cast<std::int64_t>(first) / weight.cols, format, grid);
}

}  // namespace

Expected<void> ValidateShape(const MatrixView& weight,
                             const BitFormat& format) {
  if (auto valid = Validate(format); !valid) return valid;
  if (format.mixed_columns()) {
    return Fail(ErrorCode::kUnsupported,
                FormatName(format) + " is made by quantizer 'baq' only");
  }
  if (format.row_mix()) {
    return Fail(ErrorCode::kUnsupported,
                FormatName(format) +
                    " is made of two plain formats, not by a quantizer itself");
  }
  BITPACT_CHECK(
      weight.rows > 0 && weight.cols > 0 &&
          weight.data.size() == static_cast<std::size_t>(weight.rows) *
                                    static_cast<std::size_t>(weight.cols),
      "weight is [rows, cols]");
  return {};
}

Expected<void> ValidateQuantizerInput(const MatrixView& weight,
                                      const BitFormat& format) {
  if (auto valid = ValidateShape(weight, format); !valid) return valid;
  if (AllFinite(weight.data)) return {};
  std::size_t bad = 0;
  while (std::isfinite(weight.data[bad])) ++bad;
  return tl::unexpected(NotFinite(weight, bad));
}

Expected<PackedMatrix> QuantizeGroups(const MatrixView& weight,
                                      const BitFormat& format,
                                      const FitGroup& fit) {
  if (const auto valid = ValidateShape(weight, format); !valid) {
    return tl::unexpected(valid.error());
  }
  const auto cols = static_cast<std::size_t>(weight.cols);
  const auto groups =
      static_cast<std::size_t>(GroupsPerRow(format, weight.cols));
  const std::size_t width =
      groups == 1 ? cols : static_cast<std::size_t>(format.group_size);
  PackedMatrixWriter writer(format, weight.rows, weight.cols);
  std::vector<std::uint8_t> codes(cols);
  std::vector<float> scales(groups);
  std::vector<float> shifts(format.symmetric() ? 0 : groups);
  for (std::int64_t row = 0; row < weight.rows; ++row) {
    const std::size_t start = static_cast<std::size_t>(row) * cols;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t first = g * width;
      const std::size_t count = std::min(width, cols - first);
      const auto group = weight.data.subspan(start + first, count);
      const GroupGrid grid = fit(group);
      if (!IsStorable(grid)) {
        return tl::unexpected(
            NoGrid(weight, format, grid, start + first, count));
      }
      EncodeGroup(
          grid, format.bits, group, std::span(codes).subspan(first, count));
      scales[g] = grid.scale;
      if (!shifts.empty()) {
        shifts[g] = StoredShift(grid, format.zero_point_type);
      }
    }
    writer.WriteRow(row, codes, scales, shifts);
  }
  return std::move(writer).Finish();
}

std::vector<std::string> QuantizerNames() {
  std::vector<std::string> names;
  for (const Entry& entry : kQuantizers) names.emplace_back(entry.name);
  return names;
}

std::string OptionsText(const QuantizerOptions& options) {
  std::array<char, 32> damping{};
  std::snprintf(damping.data(), damping.size(), "%.17g", options.damping);
  return std::string("damping=") + damping.data() +
         (options.activation_order ? ",act-order" : ",no-act-order");
}

std::string RankingText(const QuantizerOptions& options) {
  return ",rows=" + RowRankingName(options.row_ranking);
}

Expected<std::unique_ptr<Quantizer>> MakeQuantizer(
    const std::string& name, const QuantizerOptions& options) {
  std::string known;
  for (const Entry& entry : kQuantizers) {
    if (name == entry.name) return entry.make(options);
    known += known.empty() ? entry.name : std::string(", ") + entry.name;
  }
  return InvalidArgument("quantizer = '" + name + "' is not one of " + known);
}

}  // namespace bitpact
