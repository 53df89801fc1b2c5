// SPDX-License-Identifier: Apache-2.0
#include "estimators/surrogate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/check.h"
#include "core/random.h"

namespace bitpact {
namespace {

std::vector<double> MeanRanks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    return values[a] < values[b];
  });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() &&
           values[order[last + 1]] == values[order[first]]) {
      ++last;
    }
    const double rank = 0.5 * static_cast<double>(first + last);
    for (std::size_t i = first; i <= last; ++i) ranks[order[i]] = rank;
    first = last + 1;
  }
  return ranks;
}

double Mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

FormatAssignment DrawAssignment(const ValueFunction& game,
                                RandomStream& random) {
  const int steps = game.num_units() * (game.num_options() - 1);
  FormatAssignment assignment(static_cast<std::size_t>(game.num_units()), 0);
  std::vector<int> can_fall(static_cast<std::size_t>(game.num_units()));
  std::iota(can_fall.begin(), can_fall.end(), 0);
  for (std::int64_t left = random.UniformInt(steps) + 1; left > 0; --left) {
    const auto at = static_cast<std::size_t>(
        random.UniformInt(static_cast<std::int64_t>(can_fall.size())));
    int& option = assignment[static_cast<std::size_t>(can_fall[at])];
    if (++option == game.num_options() - 1) {
      can_fall[at] = can_fall.back();
      can_fall.pop_back();
    }
  }
  return assignment;
}

// `drawn` against the all-0 assignment.
Expected<FitQuality> Judge(ValueFunction& game,
                           const Surrogate& surrogate,
                           std::vector<FormatAssignment> drawn) {
  drawn.emplace_back(static_cast<std::size_t>(game.num_units()), 0);
  const Expected<std::vector<Evaluation>> values = game.Evaluate(drawn);
  if (!values) return tl::unexpected(values.error());
  drawn.pop_back();
  std::vector<double> predicted;
  std::vector<double> measured;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    predicted.push_back(surrogate.Predict(drawn[i]));
    measured.push_back((*values)[i].loss - values->back().loss);
  }
  return CompareWithMeasured(predicted, measured);
}

}  // namespace

double Surrogate::Predict(std::span<const int> assignment) const {
  BITPACT_CHECK(assignment.size() == linear.size(), "one option a unit");
  double value = constant;
  for (std::size_t u = 0; u < linear.size(); ++u) {
    value += linear[u][static_cast<std::size_t>(assignment[u])];
  }
  for (const SurrogatePair& pair : pairs) {
    if (assignment[static_cast<std::size_t>(pair.unit_a)] == pair.option_a &&
        assignment[static_cast<std::size_t>(pair.unit_b)] == pair.option_b) {
      value += pair.value;
    }
  }
  return value;
}

double FitQuality::r_squared() const {
  return measured_deviation == 0.0
             ? 0.0
             : 1.0 - std::pow(rms_error / measured_deviation, 2);
}

FitQuality CompareWithMeasured(std::span<const double> predicted,
                               std::span<const double> measured) {
  BITPACT_CHECK(predicted.size() == measured.size(), "two lists of one length");
  FitQuality fit;
  if (measured.empty()) return fit;
  const auto count = static_cast<double>(measured.size());
  const double mean = Mean(measured);
  double squares = 0.0;
  double spread = 0.0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    squares += std::pow(predicted[i] - measured[i], 2);
    spread += std::pow(measured[i] - mean, 2);
  }
  fit.assignments = static_cast<int>(measured.size());
  fit.rank_correlation = RankCorrelation(predicted, measured);
  fit.rms_error = std::sqrt(squares / count);
  fit.measured_deviation = std::sqrt(spread / count);
  fit.bias = Mean(predicted) - mean;
  return fit;
}

Expected<FitQuality> MeasureFit(ValueFunction& game,
                                const Surrogate& surrogate,
                                int count,
                                std::uint64_t seed) {
  if (count == 0 || game.num_options() < 2) return FitQuality{};
  std::vector<FormatAssignment> drawn;
  for (int i = 0; i < count; ++i) {
    RandomStream random(
        seed, "estimators/held_out", static_cast<std::uint64_t>(i));
    drawn.push_back(DrawAssignment(game, random));
  }
  return Judge(game, surrogate, std::move(drawn));
}

FormatAssignment DrawAtBudget(
    std::span<const std::vector<std::int64_t>> option_bytes,
    std::int64_t byte_limit,
    RandomStream& random) {
  FormatAssignment assignment;
  std::vector<int> steps;
  std::int64_t left = byte_limit;
  for (std::size_t u = 0; u < option_bytes.size(); ++u) {
    const int last = static_cast<int>(option_bytes[u].size()) - 1;
    assignment.push_back(last);
    left -= option_bytes[u].back();
    steps.insert(
        steps.end(), static_cast<std::size_t>(last), static_cast<int>(u));
  }
  BITPACT_CHECK(left >= 0, "the last options are over the limit");
  random.Shuffle(steps);
  for (const int step : steps) {
    const auto u = static_cast<std::size_t>(step);
    const auto option = static_cast<std::size_t>(assignment[u]);
    const std::int64_t more =
        option_bytes[u][option - 1] - option_bytes[u][option];
    if (more > left) continue;
    left -= more;
    --assignment[u];
  }
  return assignment;
}

Expected<FitQuality> MeasureFitAtBudget(
    ValueFunction& game,
    const Surrogate& surrogate,
    std::span<const std::vector<std::int64_t>> option_bytes,
    std::int64_t byte_limit,
    int count,
    std::uint64_t seed) {
  if (count == 0 || game.num_options() < 2) return FitQuality{};
  std::int64_t least = 0;
  for (const std::vector<std::int64_t>& bytes : option_bytes) {
    least += bytes.back();
  }
  if (least > byte_limit) {
    return InvalidArgument("byte_limit = " + std::to_string(byte_limit) +
                           " is below the least possible " +
                           std::to_string(least));
  }
  std::vector<FormatAssignment> drawn;
  for (int i = 0; i < count; ++i) {
    RandomStream random(
        seed, "estimators/held_out_at_budget", static_cast<std::uint64_t>(i));
    drawn.push_back(DrawAtBudget(option_bytes, byte_limit, random));
  }
  return Judge(game, surrogate, std::move(drawn));
}

double RankCorrelation(std::span<const double> a, std::span<const double> b) {
  BITPACT_CHECK(a.size() == b.size(), "two lists of one length");
  if (a.size() < 2) return 0.0;
  const std::vector<double> x = MeanRanks(a);
  const std::vector<double> y = MeanRanks(b);
  const double mean_x = Mean(x);
  const double mean_y = Mean(y);
  double xy = 0.0;
  double xx = 0.0;
  double yy = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  return xx == 0.0 || yy == 0.0 ? 0.0 : xy / std::sqrt(xx * yy);
}

}  // namespace bitpact
