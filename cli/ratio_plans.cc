// SPDX-License-Identifier: Apache-2.0
#include "cli/ratio_plans.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "cli/text_table.h"
#include "core/check.h"
#include "estimators/continuous_ratios.h"
#include "solvers/box_minimiser.h"

namespace bitpact {
namespace {

// More levels than this a matrix would be finer than a format's ratio.
constexpr std::int64_t kMostLevels = kRatioUnits / 2;

int RatioOfLevel(std::int64_t level, std::int64_t steps) {
  return static_cast<int>((2 * level * kRatioUnits + steps) / (2 * steps));
}

}  // namespace

Expected<void> ValidateRatios(const std::vector<double>& ratios) {
  if (ratios.size() < 2) {
    return InvalidArgument("--ratios: at least two candidates");
  }
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    const double units = std::round(ratios[i] * kRatioUnits);
    if (!(ratios[i] >= 0.0 && ratios[i] <= 1.0) ||
        std::abs(units - ratios[i] * kRatioUnits) > 1e-6) {
      return InvalidArgument("--ratios: " + FormatNumber(ratios[i], 6) +
                             " violates 0 <= ratio <= 1 in steps of 0.0001");
    }
    if (i > 0 && ratios[i] <= ratios[i - 1]) {
      return InvalidArgument("--ratios: " + FormatNumber(ratios[i], 4) +
                             " behind " + FormatNumber(ratios[i - 1], 4) +
                             "; candidates ascend, each once");
    }
  }
  return {};
}

FormatRule RatioFormat(const RatioSetting& setting,
                       int high_bits,
                       int ratio_e4) {
  FormatRule rule = setting.narrow;
  rule.base = RowMix(rule.base, high_bits, ratio_e4);
  return rule;
}

AllocationPlan UniformRatioPlan(const RatioSetting& setting,
                                int high_bits,
                                std::int64_t byte_limit) {
  const auto plan_of = [&](int ratio) {
    return MakeUniformPlan(setting.units,
                           RatioFormat(setting, high_bits, ratio),
                           setting.quantizer);
  };
  int fits = 0;
  int over = kRatioUnits + 1;
  while (over - fits > 1) {
    const int middle = fits + (over - fits) / 2;
    (plan_of(middle).size_bytes <= byte_limit ? fits : over) = middle;
  }
  return plan_of(fits);
}

Expected<ContinuousPlan> MakeContinuousPlan(const RatioSetting& setting,
                                            const Surrogate& surrogate,
                                            const std::vector<double>& ratios,
                                            std::int64_t byte_limit) {
  std::vector<std::vector<std::int64_t>> bytes;
  BoxLevels levels;
  levels.limit = byte_limit;
  const double greatest = *std::ranges::max_element(ratios);
  std::vector<std::int64_t> steps;  // levels a ratio of 1
  for (const Unit& unit : setting.units) {
    BITPACT_CHECK(unit.matrices.size() == 1, "one matrix a unit");
    std::vector<std::int64_t> of_options;
    for (const double ratio : ratios) {
      const int units = static_cast<int>(std::lround(ratio * kRatioUnits));
      of_options.push_back(
          StoredBytes(RatioFormat(setting, setting.high_bits, units), unit));
    }
    bytes.push_back(std::move(of_options));
    steps.push_back(std::min(unit.matrices.front().rows, kMostLevels));
    const auto most = static_cast<std::int64_t>(
        std::floor(greatest * static_cast<double>(steps.back()) + 1e-9));
    std::vector<std::int64_t> sizes;
    for (std::int64_t level = 0; level <= most; ++level) {
      const int ratio = RatioOfLevel(level, steps.back());
      sizes.push_back(
          StoredBytes(RatioFormat(setting, setting.high_bits, ratio), unit));
    }
    levels.sizes.push_back(std::move(sizes));
  }
  const auto programme =
      FitContinuousRatios(surrogate, ratios, bytes, byte_limit);
  if (!programme) return tl::unexpected(programme.error());
  const auto solved = SolveBoxProgramme(*programme);
  if (!solved) return tl::unexpected(solved.error());
  const std::vector<int> chosen = RoundToLevels(*programme, solved->x, levels);
  BITPACT_CHECK(chosen.size() == setting.units.size(),
                "a limit that the narrow format keeps");
  std::vector<FormatRule> formats;
  for (std::size_t u = 0; u < chosen.size(); ++u) {
    formats.push_back(RatioFormat(
        setting, setting.high_bits, RatioOfLevel(chosen[u], steps[u])));
  }
  return ContinuousPlan{MakePlan(setting.units, formats, setting.quantizer),
                        solved->objective,
                        solved->bound,
                        solved->shift};
}

}  // namespace bitpact
