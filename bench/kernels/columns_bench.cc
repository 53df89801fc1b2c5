// SPDX-License-Identifier: Apache-2.0
//
// What it costs that columns of equal levels do not lie side by side: products
// with a matrix of mixed columns whose levels are scattered over the columns,
// and with one that has the same columns in ascending order, as if the
// permutation were folded into whoever makes the inputs.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "core/bit_format.h"
#include "core/random.h"
#include "quant/column_layout.h"
#include "quant/column_matrix.h"
#include "quant/packed_matmul.h"

namespace bitpact {
namespace {

constexpr std::int64_t kRows = 2048;
constexpr std::int64_t kCols = 4096;

// Levels as BAQ gives them at about 2.4 bits: 2 to 16, most of them 4 to 7.
PackedMatrix MixedMatrix(bool sorted) {
  RandomStream stream(1, "bench/columns");
  std::vector<std::byte> columns;
  for (std::int64_t col = 0; col < kCols; ++col) {
    const double place = 4.5 + 2.0 * stream.Normal();
    const int index = static_cast<int>(std::clamp(place, 1.0, 11.0));
    columns.push_back(static_cast<std::byte>(index | 8 << 4));
  }
  if (sorted) std::ranges::sort(columns);
  std::vector<std::uint8_t> codes;
  for (const std::byte column : columns) {
    const int levels = LevelsOfColumn(ColumnGrid::kScaled, column);
    for (std::int64_t row = 0; row < kRows; ++row) {
      codes.push_back(static_cast<std::uint8_t>(row % levels));
    }
  }
  const std::vector<std::byte> rows(kRows, std::byte{160});
  return *PackColumns(
      MixedColumns(40000), kRows, kCols, {columns, rows, codes});
}

void BM_ColumnProduct(benchmark::State& state) {
  const PackedMatrix matrix = MixedMatrix(state.range(0) != 0);
  const std::int64_t tokens = state.range(1);
  RandomStream stream(2, "bench/columns");
  std::vector<float> x(static_cast<std::size_t>(tokens * kCols));
  for (float& value : x) value = static_cast<float>(stream.Normal());
  std::vector<float> y(static_cast<std::size_t>(tokens * kRows));
  for (auto _ : state) {
    PackedMatMul(x, matrix, y, tokens);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.counters["weights/s"] =
      benchmark::Counter(static_cast<double>(kRows * kCols * tokens),
                         benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(BM_ColumnProduct)
    ->ArgNames({"sorted", "tokens"})
    ->ArgsProduct({{0, 1}, {1, 16, 128}});

}  // namespace
}  // namespace bitpact
