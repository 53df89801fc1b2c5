// SPDX-License-Identifier: Apache-2.0
#include "quant/row_mix_quantizer.h"

#include <utility>

#include "quant/row_matrix.h"
#include "quant/row_parts.h"

namespace bitpact {
namespace {

class RowMixQuantizer final : public Quantizer {
 public:
  RowMixQuantizer(std::unique_ptr<Quantizer> inner, RowRanking ranking)
      : inner_(std::move(inner)), ranking_(ranking) {}

  [[nodiscard]] std::string name() const override { return inner_->name(); }
  [[nodiscard]] bool needs_hessian() const override {
    return inner_->needs_hessian();
  }
  [[nodiscard]] std::optional<RowRanking> row_ranking() const override {
    return ranking_;
  }

  [[nodiscard]] Expected<PackedMatrix> Quantize(
      MatrixView weight,
      const LayerInputs& inputs,
      const BitFormat& format) const override {
    if (!format.row_mix()) return inner_->Quantize(weight, inputs, format);
    const auto split = SplitRows(weight, format, inputs.row_scores);
    if (!split) return tl::unexpected(split.error());
    return Mix(weight, inputs, format, *split);
  }

 private:
  [[nodiscard]] Expected<PackedMatrix> Mix(const MatrixView& weight,
                                           const LayerInputs& inputs,
                                           const BitFormat& format,
                                           const SplitWeights& split) const {
    RowParts parts = {.high_rows = split.high_rows};
    PackedMatrix high;
    PackedMatrix low;
    if (format.high_bits == kFloat16Bits) {
      parts.dense = split.high;
    } else if (!split.high_rows.empty()) {
      auto made = Part({split.high, std::ssize(split.high_rows), weight.cols},
                       inputs,
                       HighFormat(format),
                       "high");
      if (!made) return made;
      high = std::move(*made);
      parts.high = &high;
    }
    if (!split.low_rows.empty()) {
      auto made = Part({split.low, std::ssize(split.low_rows), weight.cols},
                       inputs,
                       LowFormat(format),
                       "low");
      if (!made) return made;
      low = std::move(*made);
      parts.low = &low;
    }
    return PackRows(format, weight.rows, weight.cols, parts);
  }

  [[nodiscard]] Expected<PackedMatrix> Part(const MatrixView& weight,
                                            LayerInputs inputs,
                                            const BitFormat& format,
                                            const char* which) const {
    inputs.row_scores = {};
    auto made = inner_->Quantize(weight, inputs, format);
    if (!made) return tl::unexpected(AmongRows(which, made.error()));
    return made;
  }

  std::unique_ptr<Quantizer> inner_;
  RowRanking ranking_;
};

}  // namespace

std::unique_ptr<Quantizer> MakeRowMixQuantizer(std::unique_ptr<Quantizer> inner,
                                               RowRanking ranking) {
  return std::make_unique<RowMixQuantizer>(std::move(inner), ranking);
}

}  // namespace bitpact
