// SPDX-License-Identifier: Apache-2.0
#include "quant/product_precision.h"

#include "quant/bf16_kernels.h"

namespace bitpact {

std::string_view NameOf(ProductPrecision precision) {
  return precision == ProductPrecision::kFloat32 ? "float32" : "bfloat16";
}

Expected<ProductPrecision> ParseProductPrecision(const std::string& name) {
  for (const ProductPrecision precision :
       {ProductPrecision::kFloat32, ProductPrecision::kBfloat16}) {
    if (name == NameOf(precision)) return precision;
  }
  return InvalidArgument("--products '" + name +
                         "' is not one of: float32, bfloat16");
}

bool IsAvailable(ProductPrecision precision) {
  return precision == ProductPrecision::kFloat32 ||
         FindBf16Kernels() != nullptr;
}

}  // namespace bitpact
