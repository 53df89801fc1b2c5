// SPDX-License-Identifier: Apache-2.0
#include "quant/layer_factor.h"

#include <algorithm>
#include <mutex>
#include <numeric>

namespace bitpact {
namespace {

using Factor = Expected<GptqFactor>;

std::shared_ptr<const Factor> SharedFactor(const LayerInputs& inputs,
                                           const FactorRequest& request) {
  const auto make = [&] {
    return std::make_shared<const Factor>(
        FactorHessian(inputs.hessian,
                      std::ssize(request.order),
                      request.order,
                      request.damping,
                      request.form));
  };
  if (inputs.derived == nullptr) return make();
  const std::lock_guard lock(inputs.derived->mutex);
  if (inputs.derived->value == nullptr) inputs.derived->value = make();
  return std::static_pointer_cast<const Factor>(inputs.derived->value);
}

}  // namespace

std::vector<std::int64_t> RoundingOrder(std::span<const float> hessian,
                                        std::int64_t cols,
                                        bool by_activation) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(cols));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (by_activation) {
    std::ranges::stable_sort(
        order, std::ranges::greater(), [&](std::int64_t col) {
          return hessian[static_cast<std::size_t>(col * cols + col)];
        });
  }
  return order;
}

std::shared_ptr<const Expected<GptqFactor>> FactorInputs(
    const LayerInputs& inputs, const FactorRequest& request) {
  auto factor = SharedFactor(inputs, request);
  if (*factor && (*factor)->damping_used > request.damping &&
      inputs.notes != nullptr) {
    inputs.notes->push_back("Hessian is not positive definite with damping " +
                            DampingText(request.damping) + "; " +
                            DampingText((*factor)->damping_used) + " was used");
  }
  return factor;
}

}  // namespace bitpact
