// SPDX-License-Identifier: Apache-2.0
#include "quant/baq_theory.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/check.h"

namespace bitpact {
namespace {

double Mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

// log2 of the geometric mean of positive values.
double MeanLog2(std::span<const double> values) {
  double sum = 0.0;
  for (const double value : values) sum += std::log2(value);
  return sum / static_cast<double>(values.size());
}

}  // namespace

std::vector<double> ColumnSensitivities(std::span<const double> ranges,
                                        std::span<const double> pivots) {
  double squares = 0.0;
  for (const double range : ranges) squares += range * range;
  std::vector<double> sensitivities;
  for (const double pivot : pivots) {
    sensitivities.push_back(pivot * squares / 12.0);
  }
  return sensitivities;
}

std::vector<double> Floored(std::span<const double> sensitivities) {
  BITPACT_CHECK(!sensitivities.empty(), "at least one column");
  for (const double value : sensitivities) {
    BITPACT_CHECK(std::isfinite(value) && value >= 0.0,
                  "sensitivities are finite and >= 0");
  }
  const double mean = Mean(sensitivities);
  std::vector<double> floored(sensitivities.begin(), sensitivities.end());
  for (double& value : floored) {
    value = mean > 0.0 ? std::max(value, kLeastShare * mean) : 1.0;
  }
  return floored;
}

double PredictedGain(std::span<const double> sensitivities) {
  const std::vector<double> floored = Floored(sensitivities);
  // Rounding may put equal values a little above 1.
  return std::min(1.0, std::exp2(MeanLog2(floored)) / Mean(floored));
}

std::vector<double> ClosedFormRates(std::span<const double> sensitivities,
                                    double rate) {
  std::vector<double> rates = Floored(sensitivities);
  const double mean = MeanLog2(rates);
  for (double& value : rates) value = rate + 0.5 * (std::log2(value) - mean);
  return rates;
}

std::vector<int> PaperLevels(std::span<const double> losses,
                             double rate,
                             double exponent,
                             int most) {
  BITPACT_CHECK(exponent > 0.0 && most >= 1, "exponent > 0 and a level");
  const std::vector<double> floored = Floored(losses);
  const double mean = MeanLog2(floored);
  std::vector<int> levels;
  for (const double loss : floored) {
    const double bits = rate + (std::log2(loss) - mean) / exponent;
    const double target = std::clamp(
        std::exp2(std::min(bits, 62.0)), 1.0, static_cast<double>(most));
    levels.push_back(static_cast<int>(std::nearbyint(target)));
  }
  return levels;
}

double ReportedRate(std::span<const int> levels) {
  double sum = 0.0;
  for (const int n : levels) sum += std::log2(n);
  return sum / static_cast<double>(levels.size());
}

}  // namespace bitpact
