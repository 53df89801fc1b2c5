// SPDX-License-Identifier: Apache-2.0
#include "quant/hqq_quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/check.h"
#include "quant/group_grid.h"
#include "quant/kernels.h"

namespace bitpact {
namespace {

// `grid` with the shift, zero-point or, where there is neither, scale that the
// step's sums ask for, rounded to its stored type.
GroupGrid Moved(const BitFormat& format,
                const GroupGrid& grid,
                const HqqSums& sums,
                std::size_t count) {
  const float mean = sums.offset / static_cast<float>(count);
  GroupGrid moved = grid;
  if (format.symmetric()) {
    // A scale of 0 or less has no codes; the group keeps what it has.
    const float scale =
        sums.squares > 0.0F
            ? RoundToStored(format.scale_type, sums.along / sums.squares)
            : 0.0F;
    if (scale > 0.0F) moved.scale = scale;
  } else if (format.zero_point_type == ZeroPointType::kUint8) {
    // The mean is taken from codes without their zero-point.
    const auto top = static_cast<float>((1 << format.bits) - 1);
    moved.zero_point = std::clamp(
        grid.zero_point + std::nearbyint(mean / grid.scale), 0.0F, top);
  } else {
    moved.shift = RoundToStored(format.zero_point_type, mean);
  }
  return moved;
}

class HqqQuantizer final : public Quantizer {
 public:
  explicit HqqQuantizer(const HqqOptions& options) : options_(options) {}

  [[nodiscard]] std::string name() const override { return "hqq"; }

  [[nodiscard]] Expected<PackedMatrix> Quantize(
      MatrixView weight,
      const LayerInputs& /*inputs*/,
      const BitFormat& format) const override {
    if (const auto valid = ValidateShape(weight, format); !valid) {
      return tl::unexpected(valid.error());
    }
    if (options_.stop == HqqStop::kWholeMatrix) {
      return QuantizeTogether(weight, format);
    }
    return QuantizeGroups(weight, format, [&](std::span<const float> group) {
      return FitAlone(format, group);
    });
  }

 private:
  [[nodiscard]] HqqShrinkage ShrinkageOf(double beta) const {
    return {static_cast<float>(options_.p - 1.0),
            static_cast<float>(1.0 / beta)};
  }

  [[nodiscard]] GroupGrid FirstGrid(const BitFormat& format,
                                    std::span<const float> group) const {
    GroupGrid grid = FitGroupGrid(format, group);
    if (options_.round_first_zero && grid.scale > 0.0F) {
      grid.shift =
          RoundToStored(format.zero_point_type,
                        std::nearbyint(grid.shift / grid.scale) * grid.scale);
    }
    return grid;
  }

  [[nodiscard]] GroupGrid FitAlone(const BitFormat& format,
                                   std::span<const float> group) const {
    const Kernels& kernels = BestKernels();
    GroupGrid grid = FirstGrid(format, group);
    GroupGrid best = grid;
    float best_error = std::numeric_limits<float>::infinity();
    double beta = options_.beta;
    // The last round only judges the shift of the last iteration.
    for (int i = 0; i <= options_.iterations; ++i) {
      if (grid.scale == 0.0F || !IsStorable(grid)) break;
      const HqqSums sums =
          kernels.hqq_step(grid, format.bits, group, ShrinkageOf(beta));
      if (sums.lp_error < best_error) {
        best = grid;
        best_error = sums.lp_error;
      }
      const GroupGrid before = grid;
      grid = Moved(format, grid, sums, group.size());
      if (grid.scale == before.scale && grid.shift == before.shift &&
          grid.zero_point == before.zero_point) {
        break;
      }
      beta *= options_.kappa;
    }
    return best;
  }

  // Whole-matrix stopping needs the grids of all groups at once; they are found
  // here and handed out in the order in which QuantizeGroups asks for them.
  [[nodiscard]] Expected<PackedMatrix> QuantizeTogether(
      const MatrixView& weight, const BitFormat& format) const {
    std::vector<std::span<const float>> groups;
    std::vector<GroupGrid> grids;
    const auto first =
        QuantizeGroups(weight, format, [&](std::span<const float> group) {
          groups.push_back(group);
          return grids.emplace_back(FirstGrid(format, group));
        });
    if (!first) return first;
    double beta = options_.beta;
    double best_error = std::numeric_limits<double>::infinity();
    for (int i = 0; i < options_.iterations; ++i) {
      double error = 0.0;
      for (std::size_t g = 0; g < groups.size(); ++g) {
        if (grids[g].scale == 0.0F) continue;
        const HqqSums sums = BestKernels().hqq_step(
            grids[g], format.bits, groups[g], ShrinkageOf(beta));
        error += sums.abs_error;
        grids[g] = Moved(format, grids[g], sums, groups[g].size());
      }
      if (!(error < best_error)) break;
      best_error = error;
      beta *= options_.kappa;
    }
    std::size_t next = 0;
    return QuantizeGroups(
        weight, format, [&](std::span<const float>) { return grids[next++]; });
  }

  HqqOptions options_;
};

Error OutOfRange(const char* field, double value, const char* rule) {
  return {
      ErrorCode::kInvalidArgument,
      std::string(field) + " = " + std::to_string(value) + " violates " + rule};
}

}  // namespace

Expected<void> Validate(const HqqOptions& options) {
  if (!(options.p > 0.0 && options.p < 1.0)) {
    return tl::unexpected(OutOfRange("p", options.p, "0 < p < 1"));
  }
  if (!(options.beta > 0.0 && std::isfinite(options.beta))) {
    return tl::unexpected(OutOfRange("beta", options.beta, "beta > 0"));
  }
  if (!(options.kappa >= 1.0 && options.kappa <= 2.0)) {
    return tl::unexpected(
        OutOfRange("kappa", options.kappa, "1 <= kappa <= 2"));
  }
  if (options.iterations < 1 || options.iterations > 1000) {
    return tl::unexpected(OutOfRange(
        "iterations", options.iterations, "1 <= iterations <= 1000"));
  }
  return {};
}

std::unique_ptr<Quantizer> MakeHqqQuantizer(const HqqOptions& options) {
  BITPACT_CHECK(Validate(options).has_value(), "valid HqqOptions");
  return std::make_unique<HqqQuantizer>(options);
}

}  // namespace bitpact
