// SPDX-License-Identifier: Apache-2.0
#include "quant/adam.h"

#include <cmath>

#include "core/check.h"

namespace bitpact {

Adam::Adam(std::size_t count, const AdamOptions& options)
    : options_(options), mean_(count), square_(count) {}

void Adam::Step(std::span<const float> gradient, std::span<float> parameters) {
  BITPACT_CHECK(
      gradient.size() == mean_.size() && parameters.size() == mean_.size(),
      "as many parameters as there were");
  ++steps_;
  const auto steps = static_cast<double>(steps_);
  // m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon), arranged so that
  // the corrections are computed once.
  const double correction = std::sqrt(1.0 - std::pow(options_.beta2, steps));
  const auto rate = static_cast<float>(options_.learning_rate * correction /
                                       (1.0 - std::pow(options_.beta1, steps)));
  const auto epsilon = static_cast<float>(options_.epsilon * correction);
  const auto beta1 = static_cast<float>(options_.beta1);
  const auto beta2 = static_cast<float>(options_.beta2);
  const auto l2 = static_cast<float>(options_.l2);
  for (std::size_t i = 0; i < mean_.size(); ++i) {
    const float slope = gradient[i] + l2 * parameters[i];
    mean_[i] = beta1 * mean_[i] + (1.0F - beta1) * slope;
    square_[i] = beta2 * square_[i] + (1.0F - beta2) * slope * slope;
    parameters[i] -= rate * mean_[i] / (std::sqrt(square_[i]) + epsilon);
  }
}

}  // namespace bitpact
