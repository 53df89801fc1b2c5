// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_TESTS_ESTIMATORS_EXAMPLE_METRICS_H_
#define BITPACT_TESTS_ESTIMATORS_EXAMPLE_METRICS_H_

#include <memory>

#include "estimators/sensitivity_estimator.h"

namespace bitpact {

// The metrics that docs/adding-a-metric.md shows.
std::unique_ptr<SensitivityEstimator> MakeRelativeErrorEstimator();
std::unique_ptr<SensitivityEstimator> MakeRescueEstimator();

}  // namespace bitpact

#endif  // BITPACT_TESTS_ESTIMATORS_EXAMPLE_METRICS_H_
