// SPDX-License-Identifier: Apache-2.0
#include "estimators/value_function.h"

#include "core/check.h"

namespace bitpact {

double MeanLoss(std::span<const double> window_nll,
                std::span<const double> window_tokens) {
  BITPACT_CHECK(window_nll.size() == window_tokens.size(),
                "one sum a calibration window");
  double nll = 0.0;
  double tokens = 0.0;
  for (std::size_t i = 0; i < window_nll.size(); ++i) {
    nll += window_nll[i];
    tokens += window_tokens[i];
  }
  return nll / tokens;
}

}  // namespace bitpact
