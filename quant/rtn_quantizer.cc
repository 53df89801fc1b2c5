// SPDX-License-Identifier: Apache-2.0
#include "quant/rtn_quantizer.h"

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
    return QuantizeGroups(weight, format, [&](std::span<const float> group) {
      return FitGroupGrid(format, group);
    });
  }
};

}  // namespace

std::unique_ptr<Quantizer> MakeRtnQuantizer() {
  return std::make_unique<RtnQuantizer>();
}

}  // namespace bitpact
