// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_ESTIMATORS_CONTINUOUS_RATIOS_H_
#define BITPACT_ESTIMATORS_CONTINUOUS_RATIOS_H_

// HIPR's problem with ratios that may be any number: what was measured at the
// candidate ratios becomes a quadratic function of the ratios,
//
//   cost of unit u    a + b r + c r^2, least squares over its candidates; where
//                     wider rows help (the last candidate costs less than the
//                     first) but the parabola turns before the greatest ratio,
//                     the one with its vertex there
//   pair (u, w)       p + q r + s t + h r t, least squares over all candidates
//
// for solvers/box_programme.h.

#include <cstdint>
#include <vector>

#include "core/error.h"
#include "estimators/surrogate.h"
#include "solvers/box_programme.h"

namespace bitpact {

// ratios: of the surrogate's options, in their order, distinct; at least two.
// bytes: [unit][option]. The weight of a ratio is what the greatest takes more
// than the least, spread evenly; the limit, what is left above the least.
// Ratios run from 0, so that the least must be 0 (kInvalidArgument).
Expected<BoxProgramme> FitContinuousRatios(
    const Surrogate& surrogate,
    const std::vector<double>& ratios,
    const std::vector<std::vector<std::int64_t>>& bytes,
    std::int64_t byte_limit);

}  // namespace bitpact

#endif  // BITPACT_ESTIMATORS_CONTINUOUS_RATIOS_H_
