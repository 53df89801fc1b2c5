// SPDX-License-Identifier: Apache-2.0
#include "models/baq_paper.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/sequential_quantizer.h"
#include "quant/baq_quantizer.h"
#include "quant/baq_theory.h"
#include "quant/radix_words.h"

namespace bitpact {
namespace {

constexpr int kMostLevels = 256;

struct MatrixLosses {
  const UnitMatrix* matrix = nullptr;
  std::vector<double> losses;
};

// Bytes of a matrix of ranges with these levels.
std::int64_t RangeBytes(const UnitMatrix& matrix,
                        const std::vector<int>& levels) {
  std::map<int, std::int64_t> counts;
  for (const int n : levels) ++counts[n];
  std::int64_t bytes =
      ColumnSideBytes(ColumnGrid::kRange, matrix.rows, matrix.cols);
  for (const auto& [n, count] : counts) {
    bytes += RadixBytes(n, count * matrix.rows);
  }
  return bytes;
}

// The least rate whose bytes hold `bytes`.
BitFormat RangeFormat(const UnitMatrix& matrix, std::int64_t bytes) {
  const double weights =
      static_cast<double>(matrix.rows) * static_cast<double>(matrix.cols);
  int rate =
      static_cast<int>(8.0 * kRateUnits * static_cast<double>(bytes) / weights);
  const auto too_small = [&] {
    return MixedColumnBytes(MixedColumns(rate, ColumnGrid::kRange),
                            matrix.rows,
                            matrix.cols) < bytes;
  };
  while (too_small()) ++rate;
  return MixedColumns(rate, ColumnGrid::kRange);
}

// One first pass; columns in original order.
Expected<std::vector<MatrixLosses>> ColumnLosses(
    const Model& model,
    const std::vector<Unit>& units,
    const TokenSet& calibration,
    const BaqPaperOptions& options) {
  std::map<std::string, std::vector<double>> by_tensor;
  const int levels =
      std::max(2, static_cast<int>(std::lround(std::exp2(options.rate))));
  const auto quantizer = MakeBaqQuantizer(
      {.damping = options.quantizer.damping,
       .activation_order = options.quantizer.activation_order,
       .range_levels =
           [levels](const std::string&, std::int64_t cols) {
             return Expected<std::vector<int>>(
                 std::vector<int>(static_cast<std::size_t>(cols), levels));
           },
       .on_matrix =
           [&](const BaqOutcome& made) {
             by_tensor[made.tensor] = made.losses;
           }});
  std::vector<FormatRule> formats;
  for (const Unit& unit : units) {
    const UnitMatrix& matrix = unit.matrices.front();
    const std::vector<int> alike(static_cast<std::size_t>(matrix.cols), levels);
    formats.push_back({.base = RangeFormat(matrix, RangeBytes(matrix, alike))});
  }
  const auto jobs = JobsOfPlan(model, MakePlan(units, formats, "baq"));
  if (!jobs) return tl::unexpected(jobs.error());
  const auto done =
      QuantizeMatrices(model, *jobs, *quantizer, &calibration, MemoryStore());
  if (!done) return tl::unexpected(done.error());
  std::vector<MatrixLosses> result;
  for (const Unit& unit : units) {
    const UnitMatrix& matrix = unit.matrices.front();
    result.push_back({&matrix, std::move(by_tensor.at(matrix.tensor))});
  }
  return result;
}

std::int64_t TotalBytes(const std::vector<MatrixLosses>& matrices,
                        double rate,
                        double exponent) {
  std::int64_t bytes = 0;
  for (const MatrixLosses& some : matrices) {
    bytes += RangeBytes(*some.matrix,
                        PaperLevels(some.losses, rate, exponent, kMostLevels));
  }
  return bytes;
}

// The greatest reference rate whose bytes fit; bytes rise with it.
Expected<double> FittingRate(const std::vector<MatrixLosses>& matrices,
                             const BaqPaperOptions& options) {
  double weights = 0.0;
  for (const MatrixLosses& some : matrices) {
    weights += static_cast<double>(some.matrix->rows) *
               static_cast<double>(some.matrix->cols);
  }
  const auto limit =
      static_cast<std::int64_t>(options.rate * weights / 8.0 + 1e-6);
  double low = -64.0;
  double high = 16.0;
  if (TotalBytes(matrices, low, options.exponent) > limit) {
    return InvalidArgument("a stored rate of " + std::to_string(options.rate) +
                           " bits a weight does not hold ranges of rows and "
                           "levels of columns");
  }
  for (int step = 0; step < 60; ++step) {
    const double middle = 0.5 * (low + high);
    (TotalBytes(matrices, middle, options.exponent) <= limit ? low : high) =
        middle;
  }
  return low;
}

}  // namespace

Expected<void> Validate(const BaqPaperOptions& options) {
  if (!(options.rate >= 1.0 && options.rate <= 8.0)) {
    return InvalidArgument("rate = " + std::to_string(options.rate) +
                           " violates 1 <= rate <= 8");
  }
  if (!(options.exponent >= 0.1 && options.exponent <= 10.0)) {
    return InvalidArgument("exponent = " + std::to_string(options.exponent) +
                           " violates 0.1 <= exponent <= 10");
  }
  return {};
}

Expected<BaqPaperPlan> PlanBaqPaper(const Model& model,
                                    const TokenSet& calibration,
                                    const BaqPaperOptions& options) {
  if (const auto valid = Validate(options); !valid) {
    return tl::unexpected(valid.error());
  }
  const std::vector<Unit> units = MakeUnits(model, Granularity::kMatrix);
  const auto losses = ColumnLosses(model, units, calibration, options);
  if (!losses) return tl::unexpected(losses.error());
  BaqPaperPlan result;
  result.reference_rate = options.rate;
  if (options.stored) {
    const auto rate = FittingRate(*losses, options);
    if (!rate) return tl::unexpected(rate.error());
    result.reference_rate = *rate;
  }
  std::vector<FormatRule> formats;
  double bits = 0.0;
  double weights = 0.0;
  for (const MatrixLosses& some : *losses) {
    std::vector<int> levels = PaperLevels(
        some.losses, result.reference_rate, options.exponent, kMostLevels);
    formats.push_back(
        {.base = RangeFormat(*some.matrix, RangeBytes(*some.matrix, levels))});
    const double count = static_cast<double>(some.matrix->rows) *
                         static_cast<double>(some.matrix->cols);
    bits += count * ReportedRate(levels);
    weights += count;
    result.levels[some.matrix->tensor] = std::move(levels);
  }
  result.reported_rate = bits / weights;
  result.plan = MakePlan(units, formats, "baq");
  return result;
}

std::function<Expected<std::vector<int>>(const std::string& tensor,
                                         std::int64_t cols)>
LevelsOf(const BaqPaperPlan& plan) {
  return [&plan](const std::string& tensor,
                 std::int64_t) -> Expected<std::vector<int>> {
    const auto found = plan.levels.find(tensor);
    if (found != plan.levels.end()) return found->second;
    return InvalidArgument("no levels for tensor '" + tensor + "'");
  };
}

}  // namespace bitpact
