// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_QUANTIZER_H_
#define BITPACT_QUANT_QUANTIZER_H_

// From a float matrix to packed codes. One implementation is one file and one
// line in the table of quantizer.cc; all of them pass
// tests/quant/quantizer_suite_test.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/bit_format.h"
#include "core/error.h"
#include "quant/packed_matrix.h"

namespace bitpact {

// A row-major float32 matrix that somebody else owns. data: [rows, cols].
struct MatrixView {
  std::span<const float> data;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
};

// What a layer was seen to receive; quantizers that need nothing ignore it.
struct LayerInputs {
  // H = 2/tokens * sum x x^T over calibration tokens, [cols, cols], row-major;
  // empty: not collected.
  std::span<const float> hessian;
};

class Quantizer {
 public:
  virtual ~Quantizer() = default;

  // The name in files and flags, e.g. "quanto".
  [[nodiscard]] virtual std::string name() const = 0;
  // Whether LayerInputs::hessian must be given.
  [[nodiscard]] virtual bool needs_hessian() const { return false; }

  // weight: finite. kInvalidArgument: a NaN or infinity (row and column named),
  // or a broken format; kUnsupported: a format this quantizer does not make.
  // Deterministic; thread-safe.
  [[nodiscard]] virtual Expected<PackedMatrix> Quantize(
      MatrixView weight,
      const LayerInputs& inputs,
      const BitFormat& format) const = 0;
};

// What every implementation checks first: the format (kInvalidArgument), the
// lengths (CHECK) and that each weight is finite (kInvalidArgument naming row
// and column). O(rows * cols).
Expected<void> ValidateQuantizerInput(const MatrixView& weight,
                                      const BitFormat& format);

// Names that MakeQuantizer knows, in the order of the table.
std::vector<std::string> QuantizerNames();
// kInvalidArgument lists the known names.
Expected<std::unique_ptr<Quantizer>> MakeQuantizer(const std::string& name);

}  // namespace bitpact

#endif  // BITPACT_QUANT_QUANTIZER_H_
