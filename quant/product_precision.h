// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_PRODUCT_PRECISION_H_
#define BITPACT_QUANT_PRODUCT_PRECISION_H_

// What the operands of a product x * w^T are multiplied as. Sums are float32 in
// either.

#include <string>
#include <string_view>

#include "core/error.h"

namespace bitpact {

enum class ProductPrecision {
  kFloat32,
  // Inputs and weights are rounded to bfloat16 (8 bits of mantissa) before they
  // are multiplied, a relative error of at most 2^-8 a product. About twice as
  // fast on processors with AVX512_BF16; others do not have it.
  kBfloat16
};

// "float32", "bfloat16".
std::string_view NameOf(ProductPrecision precision);
// kInvalidArgument names the flag's value and what there is.
Expected<ProductPrecision> ParseProductPrecision(const std::string& name);
// Whether this processor has it.
bool IsAvailable(ProductPrecision precision);

}  // namespace bitpact

#endif  // BITPACT_QUANT_PRODUCT_PRECISION_H_
