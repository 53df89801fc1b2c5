// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_QUANT_LAYER_FACTOR_H_
#define BITPACT_QUANT_LAYER_FACTOR_H_

// What quantizers that round column by column ask of a layer's inputs: the
// order of its columns, and the factor of its Hessian in that order.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/error.h"
#include "quant/gptq_factor.h"
#include "quant/quantizer.h"

namespace bitpact {

// Columns by falling diagonal of the Hessian, equal ones as they are
// ("act-order"); or all as they are. hessian: [cols, cols].
std::vector<std::int64_t> RoundingOrder(std::span<const float> hessian,
                                        std::int64_t cols,
                                        bool by_activation);

struct FactorRequest {
  std::span<const std::int64_t> order;  // of rounding, [cols]
  double damping = 0.01;
  GptqForm form = GptqForm::kLdlq;
};

// FactorHessian of the inputs' Hessian, made once for all matrices that share
// LayerInputs::derived; requests of one object must be alike. The notes say
// when the damping had to be raised. Never null.
std::shared_ptr<const Expected<GptqFactor>> FactorInputs(
    const LayerInputs& inputs, const FactorRequest& request);

}  // namespace bitpact

#endif  // BITPACT_QUANT_LAYER_FACTOR_H_
