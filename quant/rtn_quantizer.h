// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_RTN_QUANTIZER_H_
#define BITPACT_QUANT_RTN_QUANTIZER_H_

// Round to nearest with scales from each group's least and greatest weight:
// optimum-quanto's weight quantization (MaxOptimizer, AbsmaxOptimizer), for
// every BitFormat. Definitions, deviations and error bound: quant/group_grid.h.
// No data, one pass, O(rows * cols).

#include <memory>

#include "quant/quantizer.h"

namespace bitpact {

// Named "quanto". Besides the errors of Quantizer::Quantize, kUnsupported: a
// group's scale or shift exceeds its stored type (65504 for float16).
std::unique_ptr<Quantizer> MakeRtnQuantizer();

}  // namespace bitpact

#endif  // BITPACT_QUANT_RTN_QUANTIZER_H_
