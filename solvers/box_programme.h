// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_SOLVERS_BOX_PROGRAMME_H_
#define BITPACT_SOLVERS_BOX_PROGRAMME_H_

// A quadratic programme over a box with one budget row,
//
//   minimise   f(x) = constant + sum linear[i] x[i] + 1/2 sum Q[i][j] x[i] x[j]
//   subject to 0 <= x <= upper,  sum weight[i] x[i] <= limit,
//
// which is how much of each matrix to store wider when the share may be any
// number: the continuous form of HIPR's problem (arXiv 2511.17801, eq. 9).

#include <cstddef>
#include <vector>

#include "core/error.h"

namespace bitpact {

struct BoxProgramme {
  double constant = 0.0;
  std::vector<double> linear;
  std::vector<double> quadratic;  // n x n, row-major, symmetric
  std::vector<double> upper;      // > 0
  std::vector<double> weight;     // >= 0
  double limit = 0.0;

  [[nodiscard]] std::size_t size() const { return linear.size(); }
  // f(x). O(n^2).
  [[nodiscard]] double Value(const std::vector<double>& x) const;
};

// kInvalidArgument: lengths that do not fit, numbers that are not finite, an
// upper bound that is not above 0, a negative weight.
Expected<void> Validate(const BoxProgramme& programme);

}  // namespace bitpact

#endif  // BITPACT_SOLVERS_BOX_PROGRAMME_H_
