// SPDX-License-Identifier: Apache-2.0
#include "models/elementwise.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "models/simd_kernels.h"

namespace bitpact {

void RmsNorm(std::span<const float> x,
             std::span<const float> gain,
             float epsilon,
             std::span<float> out) {
  BITPACT_CHECK(
      !gain.empty() && x.size() % gain.size() == 0 && x.size() == out.size(),
      "x and out are [rows, gain's size]");
  BestSimdKernels().rms_norm(x.data(),
                             gain.data(),
                             out.data(),
                             std::ssize(x) / std::ssize(gain),
                             std::ssize(gain),
                             epsilon);
}

void SwiGlu(std::span<float> gate, std::span<const float> up) {
  BITPACT_CHECK(gate.size() == up.size(), "sizes equal");
  BestSimdKernels().swi_glu(gate.data(), up.data(), std::ssize(gate));
}

void AddTo(std::span<const float> from, std::span<float> to) {
  BITPACT_CHECK(from.size() == to.size(), "sizes equal");
  BestSimdKernels().add(from.data(), to.data(), std::ssize(to));
}

double LogSumExp(std::span<const float> logits) {
  BITPACT_CHECK(!logits.empty(), "at least one logit");
  const SimdKernels& kernels = BestSimdKernels();
  const float most = kernels.max(logits.data(), std::ssize(logits));
  return static_cast<double>(most) +
         std::log(kernels.sum_exp(logits.data(), std::ssize(logits), most));
}

double KlDivergence(std::span<const float> reference,
                    std::span<const float> logits) {
  BITPACT_CHECK(reference.size() == logits.size(), "sizes equal");
  const double kl =
      BestSimdKernels().kl(reference.data(),
                           logits.data(),
                           std::ssize(reference),
                           static_cast<float>(LogSumExp(reference)),
                           static_cast<float>(LogSumExp(logits)));
  return std::max(0.0, kl);
}

}  // namespace bitpact
