// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_QUANTIZER_H_
#define BITPACT_QUANT_QUANTIZER_H_

// From a float matrix to packed codes. One implementation is one file and one
// line in the table of quantizer.cc; all of them pass
// tests/quant/quantizer_suite_test.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/group_grid.h"
#include "quant/packed_matrix.h"
#include "quant/row_ranking.h"

namespace bitpact {

// A row-major float32 matrix that somebody else owns. data: [rows, cols].
struct MatrixView {
  std::span<const float> data;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
};

// What a quantizer derives from a Hessian, kept for the other matrices with the
// same inputs (q, k and v of a block). Serves one quantizer and one Hessian.
struct DerivedInputs {
  std::mutex mutex;  // held while `value` is read or made
  std::shared_ptr<const void> value;
};

// What a layer was seen to receive; quantizers that need nothing ignore it.
struct LayerInputs {
  // H = 2/tokens * sum x x^T over calibration tokens, [cols, cols], row-major;
  // empty: not collected.
  std::span<const float> hessian = {};
  // For row mixes: [rows], the rows with the highest scores become high ones
  // (quant/row_ranking.h). Empty: not measured.
  std::span<const double> row_scores = {};
  // The matrix's name in the checkpoint, for quantizers that keep a record;
  // empty: unknown.
  std::string tensor = {};
  // Where a quantizer says what it did other than asked, a sentence each (e.g.
  // that it raised the damping); null: nobody listens.
  std::vector<std::string>* notes = nullptr;
  // Null: derived anew. Changes time only.
  DerivedInputs* derived = nullptr;
};

class Quantizer {
 public:
  virtual ~Quantizer() = default;

  // The name in files and flags, e.g. "quanto".
  [[nodiscard]] virtual std::string name() const = 0;
  // Whether LayerInputs::hessian must be given.
  [[nodiscard]] virtual bool needs_hessian() const { return false; }
  // What LayerInputs::row_scores are to be when the format is a row mix;
  // nothing: it makes none.
  [[nodiscard]] virtual std::optional<RowRanking> row_ranking() const {
    return std::nullopt;
  }

  // weight: finite. kInvalidArgument: a NaN or infinity (row and column named),
  // or a broken format; kUnsupported: a format this quantizer does not make.
  // Deterministic; thread-safe.
  [[nodiscard]] virtual Expected<PackedMatrix> Quantize(
      MatrixView weight,
      const LayerInputs& inputs,
      const BitFormat& format) const = 0;
};

// What every implementation checks first: the format (kInvalidArgument) and the
// lengths (CHECK).
Expected<void> ValidateShape(const MatrixView& weight, const BitFormat& format);
// That and each weight: kInvalidArgument names row and column of the first that
// is not finite. O(rows * cols).
Expected<void> ValidateQuantizerInput(const MatrixView& weight,
                                      const BitFormat& format);

// For quantizers that treat each group by itself: the grid of one group.
// `weights`: not empty, finite. Not storable (quant/group_grid.h) when its
// parameters exceed their types. Thread-safe.
using FitGroup = std::function<GroupGrid(std::span<const float> weights)>;
// Fits every group and rounds it to its grid, row by row in one pass over the
// weights. Errors are Quantizer::Quantize's, and kUnsupported where a grid is
// not storable. A group with a weight that is not finite is given to `fit` too:
// it must return, and its grid must then not be storable (FitGroupGrid's is
// not). O(rows * cols) beside the fits.
Expected<PackedMatrix> QuantizeGroups(const MatrixView& weight,
                                      const BitFormat& format,
                                      const FitGroup& fit);

// What can be chosen from outside. A quantizer ignores what it has no use for;
// callers that should not let that happen silently ask needs_hessian().
struct QuantizerOptions {
  // For quantizers with Hessians: quant/gptq_quantizer.h says what they do.
  double damping = 0.01;  // in (0, 10], of the mean of the diagonal
  bool activation_order =
      true;  // columns by falling diagonal, else as they are
  // For row mixes, whatever the quantizer.
  RowRanking row_ranking = RowRanking::kGradientError;
};
// One line for files that must not mix results of different options; without
// the ranking of rows (RankingText).
std::string OptionsText(const QuantizerOptions& options);
// ",rows=error"; for files about row mixes.
std::string RankingText(const QuantizerOptions& options);

// Names that MakeQuantizer knows, in the order of the table. All but "baq" also
// make row mixes (quant/row_mix_quantizer.h).
std::vector<std::string> QuantizerNames();
// kInvalidArgument lists the known names, or names the option that is out of
// range.
Expected<std::unique_ptr<Quantizer>> MakeQuantizer(
    const std::string& name, const QuantizerOptions& options = {});

}  // namespace bitpact

#endif  // BITPACT_QUANT_QUANTIZER_H_
