// SPDX-License-Identifier: Apache-2.0
#include "quant/rtn_quantizer.h"

#include <algorithm>

#include "quant/group_grid.h"

namespace bitpact {
namespace {

class RtnQuantizer final : public Quantizer {
 public:
  [[nodiscard]] std::string name() const override { return "quanto"; }

  [[nodiscard]] Expected<PackedMatrix> Quantize(
      MatrixView weight,
      const LayerInputs& /*inputs*/,
      const BitFormat& format) const override {
    if (const auto valid = ValidateQuantizerInput(weight, format); !valid) {
      return tl::unexpected(valid.error());
    }
    const auto cols = static_cast<std::size_t>(weight.cols);
    const auto groups =
        static_cast<std::size_t>(GroupsPerRow(format, weight.cols));
    const std::size_t width =
        groups == 1 ? cols : static_cast<std::size_t>(format.group_size);
    std::vector<std::uint8_t> codes(weight.data.size());
    std::vector<float> scales(static_cast<std::size_t>(weight.rows) * groups);
    std::vector<float> shifts(format.symmetric() ? 0 : scales.size());
    for (std::size_t i = 0; i < scales.size(); ++i) {
      const std::size_t first = i / groups * cols + i % groups * width;
      const std::size_t count = std::min(width, cols - i % groups * width);
      const auto group = weight.data.subspan(first, count);
      const GroupGrid grid = FitGroupGrid(format, group);
      if (!IsStorable(grid)) {
        return tl::unexpected(
            NotStorable(static_cast<std::int64_t>(i / groups), format, grid));
      }
      EncodeGroup(
          grid, format.bits, group, std::span(codes).subspan(first, count));
      scales[i] = grid.scale;
      if (!shifts.empty()) {
        shifts[i] = StoredShift(grid, format.zero_point_type);
      }
    }
    return PackedMatrix::Pack(
        format, weight.rows, weight.cols, codes, scales, shifts);
  }
};

}  // namespace

std::unique_ptr<Quantizer> MakeRtnQuantizer() {
  return std::make_unique<RtnQuantizer>();
}

}  // namespace bitpact
