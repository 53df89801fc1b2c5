// SPDX-License-Identifier: Apache-2.0
#include "cli/comparison.h"

#include <algorithm>
#include <cmath>

namespace bitpact {
namespace {

constexpr double kLeastTime = 1e-3;

}  // namespace

double TargetOf(double best, double delta) {
  return best + delta * std::max(1e-9, std::abs(best));
}

double TimeToTarget(const std::vector<TracePoint>& trace, double target) {
  for (const TracePoint& point : trace) {
    if (point.objective <= target) return point.time_s;
  }
  return std::numeric_limits<double>::infinity();
}

double PrimalGap(double objective, double best) {
  if (!std::isfinite(objective)) return 1.0;
  if (objective <= best) return 0.0;
  if (objective * best < 0.0) return 1.0;
  return (objective - best) / std::max(std::abs(objective), std::abs(best));
}

double PrimalIntegral(const std::vector<TracePoint>& trace,
                      double best,
                      double horizon_s) {
  double sum = 0.0;
  double last_time = 0.0;
  double gap = 1.0;
  for (const TracePoint& point : trace) {
    const double time = std::min(point.time_s, horizon_s);
    sum += gap * (time - last_time);
    last_time = time;
    gap = PrimalGap(point.objective, best);
  }
  return sum + gap * (horizon_s - last_time);
}

std::vector<Profile> PerformanceProfiles(
    const std::vector<std::string>& solvers,
    const std::vector<std::vector<double>>& times) {
  std::vector<Profile> profiles;
  const std::size_t problems = times.empty() ? 0 : times.front().size();
  for (std::size_t s = 0; s < solvers.size(); ++s) {
    std::vector<double> ratios;
    for (std::size_t p = 0; p < problems; ++p) {
      double least = std::numeric_limits<double>::infinity();
      for (const auto& of_solver : times) {
        least = std::min(least, std::max(kLeastTime, of_solver[p]));
      }
      if (!std::isfinite(times[s][p])) continue;
      ratios.push_back(std::max(kLeastTime, times[s][p]) / least);
    }
    std::sort(ratios.begin(), ratios.end());
    Profile profile{solvers[s], {}};
    for (std::size_t i = 0; i < ratios.size(); ++i) {
      const bool is_last_of_value =
          i + 1 == ratios.size() || ratios[i + 1] > ratios[i];
      if (!is_last_of_value) continue;
      profile.steps.push_back(
          {ratios[i],
           static_cast<double>(i + 1) / static_cast<double>(problems)});
    }
    profiles.push_back(std::move(profile));
  }
  return profiles;
}

}  // namespace bitpact
