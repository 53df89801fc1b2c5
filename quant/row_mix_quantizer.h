// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_ROW_MIX_QUANTIZER_H_
#define BITPACT_QUANT_ROW_MIX_QUANTIZER_H_

// Makes row mixes (quant/row_matrix.h) of a quantizer that makes plain formats:
// the rows with the highest scores (LayerInputs::row_scores) by themselves in
// the wider format, the others by themselves. Float16 rows are rounded. Other
// formats pass through to the inner quantizer. That a row's codes do not depend
// on the other rows holds for rounding, HQQ and GPTQ alike, so nothing is lost
// by taking the rows apart.

#include <memory>

#include "quant/quantizer.h"

namespace bitpact {

// Named as `inner`, with its needs and errors; besides, for row mixes,
// kInvalidArgument: scores are missing or not one a row; kUnsupported: a weight
// beyond float16's range in a float16 row. What the inner quantizer says of a
// row counts among the high or the low rows. ranking: what the scores will be.
// Memory: a copy of the weights.
std::unique_ptr<Quantizer> MakeRowMixQuantizer(std::unique_ptr<Quantizer> inner,
                                               RowRanking ranking);

}  // namespace bitpact

#endif  // BITPACT_QUANT_ROW_MIX_QUANTIZER_H_
