// SPDX-License-Identifier: Apache-2.0
#include "models/elementwise_reverse.h"

#include <cmath>
#include <cstddef>

#include "core/check.h"

namespace bitpact {

void RmsNormReverse(std::span<const float> x,
                    std::span<const float> gain,
                    float epsilon,
                    std::span<const float> dy,
                    std::span<float> dx) {
  const std::size_t width = gain.size();
  BITPACT_CHECK(width > 0 && x.size() % width == 0 && x.size() == dy.size() &&
                    x.size() == dx.size(),
                "x, dy and dx are [rows, gain's size]");
  for (std::size_t row = 0; row < x.size(); row += width) {
    double squares = 0.0;
    double product = 0.0;
    for (std::size_t i = 0; i < width; ++i) {
      const double value = x[row + i];
      squares += value * value;
      product += static_cast<double>(gain[i] * dy[row + i]) * value;
    }
    const double count = static_cast<double>(width);
    const double factor =
        1.0 / std::sqrt(squares / count + static_cast<double>(epsilon));
    const auto scale = static_cast<float>(factor);
    const auto pull =
        static_cast<float>(factor * factor * factor * product / count);
    for (std::size_t i = 0; i < width; ++i) {
      dx[row + i] += scale * gain[i] * dy[row + i] - pull * x[row + i];
    }
  }
}

void SwiGluReverse(std::span<const float> gate,
                   std::span<const float> up,
                   std::span<const float> dout,
                   std::span<float> dgate,
                   std::span<float> dup) {
  BITPACT_CHECK(gate.size() == up.size() && gate.size() == dout.size() &&
                    gate.size() == dgate.size() && gate.size() == dup.size(),
                "sizes equal");
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const float s = 1.0F / (1.0F + std::exp(-gate[i]));
    const float from = dout[i];
    dgate[i] = from * up[i] * s * (1.0F + gate[i] * (1.0F - s));
    dup[i] = from * gate[i] * s;
  }
}

}  // namespace bitpact
