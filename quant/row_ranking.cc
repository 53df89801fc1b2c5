// SPDX-License-Identifier: Apache-2.0
#include "quant/row_ranking.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/check.h"
#include "quant/error_energy.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"
#include "quant/rtn_quantizer.h"

namespace bitpact {
namespace {

constexpr std::array kNames = {"error", "fisher", "gradient-error"};

}  // namespace

std::vector<std::string> RowRankingNames() {
  return {kNames.begin(), kNames.end()};
}

std::string RowRankingName(RowRanking ranking) {
  return kNames.at(static_cast<std::size_t>(ranking));
}

Expected<RowRanking> ParseRowRanking(const std::string& name) {
  std::string known;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames.at(i)) return static_cast<RowRanking>(i);
    known += (i == 0 ? "" : ", ") + std::string(kNames.at(i));
  }
  return InvalidArgument("ranking = '" + name + "' is not one of " + known);
}

Expected<std::vector<double>> RoundingEnergies(std::span<const float> weight,
                                               std::int64_t rows,
                                               std::int64_t cols,
                                               const BitFormat& format,
                                               std::span<const float> hessian) {
  const Expected<PackedMatrix> packed =
      MakeRtnQuantizer()->Quantize({weight, rows, cols}, {}, format);
  if (!packed) return tl::unexpected(packed.error());
  std::vector<float> error(weight.size());
  packed->Dequantize(0, rows, error);
  for (std::size_t i = 0; i < error.size(); ++i) error[i] -= weight[i];
  return RowErrorEnergies(error, rows, cols, hessian);
}

std::vector<std::int32_t> BestRows(std::span<const double> scores,
                                   std::int64_t count) {
  BITPACT_CHECK(count >= 0 && count <= std::ssize(scores), "rows there are");
  std::vector<std::int32_t> rows(scores.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::ranges::stable_sort(rows, [&](std::int32_t a, std::int32_t b) {
    return scores[static_cast<std::size_t>(a)] >
           scores[static_cast<std::size_t>(b)];
  });
  rows.resize(static_cast<std::size_t>(count));
  std::ranges::sort(rows);
  return rows;
}

}  // namespace bitpact
