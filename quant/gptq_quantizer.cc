// SPDX-License-Identifier: Apache-2.0
#include "quant/gptq_quantizer.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "core/check.h"
#include "quant/gptq_factor.h"
#include "quant/kernels.h"
#include "quant/layer_factor.h"
#include "quant/packed_matrix_writer.h"
#include "quant/panels.h"

// Rows do not influence one another, so they are taken a strip at a time: the
// strip's weights stay in the second-level cache while the factor streams by.
// Within a strip a column's weights lie side by side, which is how the kernel
// wants them and needs no transposition between blocks.

namespace bitpact {
namespace {

constexpr std::int64_t kStripRows = kPanelRows;
// Columns rounded one after another; the others of their block follow by a
// product, as the columns behind the block do.
constexpr std::int64_t kRoundedColumns = 32;

std::size_t Size(std::int64_t count) { return static_cast<std::size_t>(count); }

// What all strips share.
struct Task {
  MatrixView weight;
  BitFormat format;
  GptqOptions options;
  std::int64_t groups = 0;
  std::int64_t group_width = 0;
  std::vector<std::int64_t> order;  // original column of each place
  std::span<const float> coupling;  // transposed, of places
};

// Grids fitted on the way look at half-moved weights.
GptqForm FormOf(const GptqOptions& options) {
  return options.grid_source == GptqGridSource::kCurrent ? GptqForm::kInverse
                                                         : GptqForm::kLdlq;
}

// Some rows on their way. One object serves all strips of a matrix: fresh
// memory would be cleared by the system for each.
class Strip {
 public:
  explicit Strip(const Task& task)
      : task_(task),
        cols_(task.weight.cols),
        most_(std::min(kStripRows, task.weight.rows)),
        tiles_((most_ + kGptqRows - 1) / kGptqRows),
        stride_((tiles_ | 1) * kGptqRows),
        current_(Size(cols_ * stride_)),
        residual_(Size(task.options.block_size * stride_)),
        panels_(residual_.size()),
        codes_(Size(most_ * cols_)),
        grids_(Size(task.groups * tiles_)) {}

  // Rows [first, first + count), count <= kStripRows.
  void Read(std::int64_t first, std::int64_t count) {
    first_ = first;
    count_ = count;
    // Rows that fill up the last tile have divisor infinity and scale 0.
    std::ranges::fill(grids_, EmptyGrid());
    if (count < most_) std::ranges::fill(current_, 0.0F);
    // A few rows at a time: reading down whole columns would miss the caches.
    for (std::int64_t tile = 0; tile < count; tile += kGptqRows) {
      const std::int64_t end = std::min(tile + kGptqRows, count);
      for (std::int64_t place = 0; place < cols_; ++place) {
        const std::int64_t col = task_.order[Size(place)];
        for (std::int64_t row = tile; row < end; ++row) {
          current_[Size(place * stride_ + row)] =
              task_.weight.data[Size((first + row) * cols_ + col)];
        }
      }
    }
    if (FormOf(task_.options) == GptqForm::kLdlq) original_ = current_;
  }

  // kUnsupported when a grid cannot be stored.
  Expected<void> Round() {
    const bool beforehand =
        task_.options.grid_source == GptqGridSource::kOriginal;
    if (beforehand) {
      if (auto fitted = FitGroups(0, task_.groups); !fitted) return fitted;
    }
    for (std::int64_t begin = 0; begin < cols_;
         begin += task_.options.block_size) {
      const std::int64_t width =
          std::min(task_.options.block_size, cols_ - begin);
      if (!beforehand) {
        // Groups that start in this block.
        const std::int64_t from =
            (begin + task_.group_width - 1) / task_.group_width;
        const std::int64_t to =
            (begin + width + task_.group_width - 1) / task_.group_width;
        if (auto fitted = FitGroups(from, to); !fitted) return fitted;
      }
      RoundBlock(begin, width);
      Update({begin, width}, begin + width, cols_);
    }
    return {};
  }

  void Write(PackedMatrixWriter& writer) const {
    const auto groups = Size(task_.groups);
    std::vector<float> scales(groups);
    std::vector<float> shifts(task_.format.symmetric() ? 0 : groups);
    const bool whole = task_.format.zero_point_type == ZeroPointType::kUint8;
    for (std::int64_t row = 0; row < count_; ++row) {
      const auto lane = Size(row % kGptqRows);
      for (std::size_t g = 0; g < groups; ++g) {
        const GptqLaneGrid& grid =
            GridsOf(static_cast<std::int64_t>(g), row / kGptqRows);
        scales[g] = grid.scale[lane];
        if (!shifts.empty()) {
          shifts[g] = whole ? grid.zero_point[lane] : grid.shift[lane];
        }
      }
      writer.WriteRow(first_ + row,
                      std::span(codes_).subspan(Size(row * cols_), Size(cols_)),
                      scales,
                      shifts);
    }
  }

 private:
  static GptqLaneGrid EmptyGrid() {
    GptqLaneGrid grid{};
    grid.divisor.fill(std::numeric_limits<float>::infinity());
    return grid;
  }

  GptqLaneGrid& GridsOf(std::int64_t group, std::int64_t tile) {
    return grids_[Size(group * tiles_ + tile)];
  }
  [[nodiscard]] const GptqLaneGrid& GridsOf(std::int64_t group,
                                            std::int64_t tile) const {
    return grids_[Size(group * tiles_ + tile)];
  }

  // The weights that group `group` of a row is fitted to.
  void GatherGroup(std::int64_t group,
                   std::int64_t row,
                   std::vector<float>& weights) const {
    const std::int64_t begin = group * task_.group_width;
    const std::int64_t end = std::min(begin + task_.group_width, cols_);
    if (task_.options.grid_source == GptqGridSource::kOriginal) {
      const auto given = task_.weight.data.subspan(
          Size((first_ + row) * cols_ + begin), Size(end - begin));
      weights.assign(given.begin(), given.end());
      return;
    }
    weights.clear();
    for (std::int64_t place = begin; place < end; ++place) {
      weights.push_back(current_[Size(place * stride_ + row)]);
    }
  }

  Expected<void> FitGroups(std::int64_t from, std::int64_t to) {
    std::vector<float> weights;
    for (std::int64_t group = from; group < to; ++group) {
      for (std::int64_t row = 0; row < count_; ++row) {
        GatherGroup(group, row, weights);
        const GroupGrid grid =
            FitGroupGrid(task_.format, weights, task_.options.symmetric_range);
        if (!IsStorable(grid)) {
          return tl::unexpected(NotStorable(first_ + row, task_.format, grid));
        }
        GptqLaneGrid& lanes = GridsOf(group, row / kGptqRows);
        const auto lane = Size(row % kGptqRows);
        if (grid.scale > 0.0F) lanes.divisor[lane] = grid.scale;
        lanes.scale[lane] = grid.scale;
        lanes.zero_point[lane] = grid.zero_point;
        lanes.shift[lane] = grid.shift;
      }
    }
    return {};
  }

  struct Columns {
    std::int64_t begin;
    std::int64_t width;
  };

  void RoundBlock(std::int64_t begin, std::int64_t width) {
    const std::int64_t end = begin + width;
    for (std::int64_t first = begin; first < end; first += kRoundedColumns) {
      const Columns columns{first, std::min(kRoundedColumns, end - first)};
      RoundColumns(columns, first - begin);
      Update(columns, first + columns.width, end);
    }
    residuals_ = residual_.data();
  }

  // `at`: the first column's place in residual_.
  void RoundColumns(const Columns& columns, std::int64_t at) {
    const auto [begin, width] = columns;
    residuals_ = &residual_[Size(at * stride_)];
    std::vector<float> coupling(Size(width * width));
    for (std::int64_t i = 0; i < width; ++i) {
      std::copy_n(&task_.coupling[Size((begin + i) * cols_ + begin)],
                  i,
                  &coupling[Size(i * width)]);
    }
    std::vector<float> codes(Size(width * kGptqRows));
    std::vector<const GptqLaneGrid*> grids(Size(width));
    for (std::int64_t row = 0; row < count_; row += kGptqRows) {
      for (std::int64_t i = 0; i < width; ++i) {
        const std::int64_t col = task_.order[Size(begin + i)];
        grids[Size(i)] = &GridsOf(col / task_.group_width, row / kGptqRows);
      }
      BestKernels().gptq_tile(
          {.width = width,
           .stride = stride_,
           .bits = task_.format.bits,
           .original = original_.empty()
                           ? nullptr
                           : &original_[Size(begin * stride_ + row)],
           .current = &current_[Size(begin * stride_ + row)],
           .coupling = coupling.data(),
           .grids = grids.data(),
           .residual = residuals_ + row,
           .codes = codes.data()});
      const std::int64_t rows = std::min(kGptqRows, count_ - row);
      for (std::int64_t i = 0; i < width; ++i) {
        const std::int64_t col = task_.order[Size(begin + i)];
        for (std::int64_t r = 0; r < rows; ++r) {
          codes_[Size((row + r) * cols_ + col)] =
              static_cast<std::uint8_t>(codes[Size(i * kGptqRows + r)]);
        }
      }
    }
  }

  // What the errors of `columns`, whose residuals start at residuals_, do to
  // columns [from, to).
  void Update(const Columns& columns, std::int64_t from, std::int64_t to) {
    if (from == to) return;
    const Kernels& kernels = BestKernels();
    const std::int64_t rows = (count_ + kGptqRows - 1) / kGptqRows * kGptqRows;
    kernels.pack_columns(
        residuals_, stride_, rows, columns.width, panels_.data());
    kernels.multiply_panels(
        {.panels = panels_.data(),
         .panel_rows = rows,
         .rows = &task_.coupling[Size(from * cols_ + columns.begin)],
         .num_rows = to - from,
         .row_stride = cols_,
         .inner = columns.width,
         .y = &current_[Size(from * stride_)],
         .y_stride = stride_,
         .add = true});
  }

  const Task& task_;
  std::int64_t cols_;
  std::int64_t most_;  // rows
  std::int64_t tiles_;
  // Distance of two columns: an odd number of cache lines, or all columns would
  // share a few sets of the first-level cache.
  std::int64_t stride_;
  std::int64_t first_ = 0;
  std::int64_t count_ = 0;
  // [cols, stride], in the order of places; original_ for kLdlq only.
  std::vector<float> current_;
  std::vector<float> original_;
  std::vector<float> residual_;      // [block_size, stride]
  float* residuals_ = nullptr;       // of the columns that Update spreads
  std::vector<float> panels_;        // residuals as multiply_panels wants them
  std::vector<std::uint8_t> codes_;  // [count, cols], original columns
  std::vector<GptqLaneGrid> grids_;  // [groups, tiles]
};

class GptqQuantizer final : public Quantizer {
 public:
  explicit GptqQuantizer(const GptqOptions& options) : options_(options) {}

  [[nodiscard]] std::string name() const override { return "gptq"; }
  [[nodiscard]] bool needs_hessian() const override { return true; }

  [[nodiscard]] Expected<PackedMatrix> Quantize(
      MatrixView weight,
      const LayerInputs& inputs,
      const BitFormat& format) const override {
    if (const auto valid = ValidateQuantizerInput(weight, format); !valid) {
      return tl::unexpected(valid.error());
    }
    if (const auto valid = ValidateInputs(weight, inputs, format); !valid) {
      return tl::unexpected(valid.error());
    }
    Task task;
    task.weight = weight;
    task.format = format;
    task.options = options_;
    task.groups = GroupsPerRow(format, weight.cols);
    task.group_width = task.groups == 1 ? weight.cols : format.group_size;
    task.order =
        RoundingOrder(inputs.hessian, weight.cols, options_.activation_order);
    const auto factor = FactorInputs(inputs,
                                     {.order = task.order,
                                      .damping = options_.damping,
                                      .form = FormOf(options_)});
    if (!*factor) return tl::unexpected(factor->error());
    task.coupling = (*factor)->coupling;
    PackedMatrixWriter writer(format, weight.rows, weight.cols);
    Strip strip(task);
    for (std::int64_t row = 0; row < weight.rows; row += kStripRows) {
      strip.Read(row, std::min(kStripRows, weight.rows - row));
      if (const auto done = strip.Round(); !done) {
        return tl::unexpected(done.error());
      }
      strip.Write(writer);
    }
    return std::move(writer).Finish();
  }

 private:
  [[nodiscard]] Expected<void> ValidateInputs(const MatrixView& weight,
                                              const LayerInputs& inputs,
                                              const BitFormat& format) const {
    if (inputs.hessian.empty()) {
      return InvalidArgument("gptq needs the Hessian of the layer's inputs");
    }
    if (inputs.hessian.size() != Size(weight.cols * weight.cols)) {
      return InvalidArgument(
          "Hessian has " + std::to_string(inputs.hessian.size()) +
          " entries, the matrix takes " + std::to_string(weight.cols) + " x " +
          std::to_string(weight.cols));
    }
    if (options_.activation_order && GroupsPerRow(format, weight.cols) > 1 &&
        options_.grid_source == GptqGridSource::kCurrent) {
      return Fail(ErrorCode::kUnsupported,
                  "activation_order with several groups a row takes grids from "
                  "the original weights");
    }
    return {};
  }

  GptqOptions options_;
};

}  // namespace

Expected<void> Validate(const GptqOptions& options) {
  if (!(options.damping > 0.0 && options.damping <= 10.0)) {
    return InvalidArgument("damping = " + DampingText(options.damping) +
                           " violates 0 < damping <= 10");
  }
  if (options.block_size < 1 || options.block_size > 1024) {
    return InvalidArgument(
        "block_size = " + std::to_string(options.block_size) +
        " violates 1 <= block_size <= 1024");
  }
  return {};
}

std::unique_ptr<Quantizer> MakeGptqQuantizer(const GptqOptions& options) {
  BITPACT_CHECK(Validate(options).has_value(), "valid GptqOptions");
  return std::make_unique<GptqQuantizer>(options);
}

}  // namespace bitpact
