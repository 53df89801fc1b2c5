// SPDX-License-Identifier: Apache-2.0
//
// Speed of the loops that quantized inference and quantization spend their time
// in, one thread. Compare within one run: BM_PackedMatMul with BM_DenseMatMul
// at equal tokens, both on matrices larger than the caches.
//
//   kernels_bench --benchmark_repetitions=5
//                 --benchmark_report_aggregates_only=true

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "benchmark/benchmark.h"
#include "core/bit_format.h"
#include "core/random.h"
#include "quant/gptq_factor.h"
#include "quant/gptq_quantizer.h"
#include "quant/kernels.h"
#include "quant/matmul.h"
#include "quant/packed_matmul.h"
#include "quant/packed_matrix.h"
#include "quant/quantizer.h"

namespace bitpact {
namespace {

// 92 MB in float32: three times a large last-level cache share.
constexpr std::int64_t kRows = 5632;
constexpr std::int64_t kCols = 4096;
constexpr std::int64_t kWeights = kRows * kCols;

std::vector<float> RandomFloats(std::int64_t count) {
  RandomStream stream(1, "bench/kernels");
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(stream.Normal());
  return values;
}

const std::vector<float>& Weights() {
  static const std::vector<float> weights = RandomFloats(kWeights);
  return weights;
}

BitFormat FormatOf(const benchmark::State& state) {
  return {.bits = static_cast<int>(state.range(0)), .group_size = 64};
}

PackedMatrix Packed(const BitFormat& format) {
  const auto quantizer = MakeQuantizer("quanto");
  return *(*quantizer)->Quantize({Weights(), kRows, kCols}, {}, format);
}

// Counts one pass over `weights` weights an iteration.
void SetWeightRate(benchmark::State& state, std::int64_t weights) {
  state.counters["weights/s"] =
      benchmark::Counter(static_cast<double>(weights),
                         benchmark::Counter::kIsIterationInvariantRate);
}

// Into a tile that stays in the second-level cache.
void BM_Dequantize(benchmark::State& state) {
  const PackedMatrix matrix = Packed(FormatOf(state));
  constexpr std::int64_t kTileRows = 64;
  std::vector<float> tile(static_cast<std::size_t>(kTileRows * kCols));
  for (auto _ : state) {
    for (std::int64_t row = 0; row < kRows; row += kTileRows) {
      matrix.Dequantize(row, kTileRows, tile);
      benchmark::DoNotOptimize(tile.data());
      benchmark::ClobberMemory();
    }
  }
  SetWeightRate(state, kWeights);
}

void BM_DequantizeLevel(benchmark::State& state) {
  const PackedMatrix matrix = Packed(FormatOf(state));
  const auto level = static_cast<std::size_t>(state.range(1));
  if (level >= AvailableKernelLevels().size()) {
    state.SkipWithError("the processor lacks this level");
    return;
  }
  const Kernels& kernels = KernelsOf(AvailableKernelLevels()[level]);
  const PackedShape shape = ShapeOf(matrix);
  std::vector<float> row_values(static_cast<std::size_t>(kCols));
  for (auto _ : state) {
    for (std::int64_t row = 0; row < kRows; ++row) {
      kernels.dequantize_row(shape, RowOf(matrix, row), row_values.data());
      benchmark::DoNotOptimize(row_values.data());
      benchmark::ClobberMemory();
    }
  }
  SetWeightRate(state, kWeights);
}

void BM_PackedMatMul(benchmark::State& state) {
  const PackedMatrix matrix = Packed(FormatOf(state));
  const std::int64_t tokens = state.range(1);
  const std::vector<float> x = RandomFloats(tokens * kCols);
  std::vector<float> y(static_cast<std::size_t>(tokens * kRows));
  for (auto _ : state) {
    PackedMatMul(x, matrix, y, tokens);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  SetWeightRate(state, kWeights * tokens);
}

// Each of the bench's threads multiplies its own half of the rows.
template <typename Multiply>
void TimeRows(benchmark::State& state, std::int64_t rows, Multiply multiply) {
  const std::vector<float> x = RandomFloats(kCols);
  std::vector<float> y(static_cast<std::size_t>(rows));
  for (auto _ : state) {
    multiply(x, y);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  SetWeightRate(state, rows * kCols);
}

void BM_PackedOneToken(benchmark::State& state) {
  const std::int64_t rows = kRows / state.threads();
  const auto quantizer = MakeQuantizer("quanto");
  const auto matrix =
      (*quantizer)
          ->Quantize({std::span(Weights()).first(
                          static_cast<std::size_t>(rows * kCols)),
                      rows,
                      kCols},
                     {},
                     FormatOf(state));
  TimeRows(state, rows, [&](std::span<const float> x, std::span<float> y) {
    PackedMatMul(x, *matrix, y, 1);
  });
}

void BM_DenseOneToken(benchmark::State& state) {
  const std::int64_t rows = kRows / state.threads();
  const auto weights = std::span(Weights()).subspan(
      static_cast<std::size_t>(state.thread_index() * rows * kCols),
      static_cast<std::size_t>(rows * kCols));
  TimeRows(state, rows, [&](std::span<const float> x, std::span<float> y) {
    MatMulTransposed(x, weights, y, 1, kCols, rows);
  });
}

void BM_DenseMatMul(benchmark::State& state) {
  const std::int64_t tokens = state.range(0);
  const std::vector<float> x = RandomFloats(tokens * kCols);
  std::vector<float> y(static_cast<std::size_t>(tokens * kRows));
  for (auto _ : state) {
    MatMulTransposed(x, Weights(), y, tokens, kCols, kRows);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  SetWeightRate(state, kWeights * tokens);
}

void BM_RtnQuantize(benchmark::State& state) {
  const auto quantizer = MakeQuantizer("quanto");
  const MatrixView weights = {Weights(), kRows, kCols};
  for (auto _ : state) {
    const auto matrix = (*quantizer)->Quantize(weights, {}, FormatOf(state));
    benchmark::DoNotOptimize(matrix->codes().data());
  }
  SetWeightRate(state, kWeights);
}

void BM_HqqQuantize(benchmark::State& state) {
  const auto quantizer = MakeQuantizer("hqq");
  constexpr std::int64_t kFewRows = 512;
  const auto some =
      std::span(Weights()).first(static_cast<std::size_t>(kFewRows * kCols));
  for (auto _ : state) {
    const auto matrix =
        (*quantizer)->Quantize({some, kFewRows, kCols}, {}, FormatOf(state));
    benchmark::DoNotOptimize(matrix->codes().data());
  }
  SetWeightRate(state, kFewRows * kCols);
}

// A Hessian like an AR(1) process's covariance.
std::vector<float> SmoothHessian(std::int64_t cols) {
  std::vector<float> hessian(static_cast<std::size_t>(cols * cols));
  for (std::int64_t i = 0; i < cols; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      hessian[static_cast<std::size_t>(i * cols + j)] =
          std::pow(0.8F, static_cast<float>(std::abs(i - j)));
    }
  }
  return hessian;
}

// Given the Hessian, a square matrix of `size` columns, 4 bits, groups of 128;
// `reference`: the order and grids that IST-DASLab/gptq takes by default.
void BM_GptqQuantize(benchmark::State& state) {
  const std::int64_t size = state.range(0);
  const auto quantizer = MakeGptqQuantizer(
      state.range(1) == 0
          ? GptqOptions{}
          : GptqOptions{.activation_order = false,
                        .grid_source = GptqGridSource::kCurrent});
  const std::vector<float> hessian = SmoothHessian(size);
  const auto some =
      std::span(Weights()).first(static_cast<std::size_t>(size * size));
  for (auto _ : state) {
    const auto matrix = quantizer->Quantize({some, size, size},
                                            {.hessian = hessian},
                                            {.bits = 4, .group_size = 128});
    benchmark::DoNotOptimize(matrix->codes().data());
  }
  SetWeightRate(state, size * size);
}

// The factor of the Hessian alone; `inverse`: with trtri.
void BM_FactorHessian(benchmark::State& state) {
  const std::int64_t size = state.range(0);
  const std::vector<float> hessian = SmoothHessian(size);
  const GptqForm form =
      state.range(1) != 0 ? GptqForm::kInverse : GptqForm::kLdlq;
  for (auto _ : state) {
    const auto factor = FactorHessian(hessian, size, {}, 0.01, form);
    benchmark::DoNotOptimize(factor->coupling.data());
  }
}

BENCHMARK(BM_Dequantize)
    ->ArgName("bits")
    ->DenseRange(2, 8)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DequantizeLevel)
    ->ArgNames({"bits", "level"})
    ->ArgsProduct({{2, 3, 4, 8}, {0, 1, 2}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_PackedMatMul)
    ->ArgNames({"bits", "tokens"})
    ->ArgsProduct({{2, 3, 4, 5, 6, 8}, {1, 4, 7, 32, 128, 512}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DenseMatMul)
    ->ArgName("tokens")
    ->Arg(1)
    ->Arg(4)
    ->Arg(7)
    ->Arg(32)
    ->Arg(128)
    ->Arg(512)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_PackedOneToken)
    ->ArgName("bits")
    ->Arg(2)
    ->Arg(3)
    ->Arg(4)
    ->Arg(8)
    ->Threads(1)
    ->Threads(2)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DenseOneToken)
    ->Threads(1)
    ->Threads(2)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_FactorHessian)
    ->ArgNames({"cols", "inverse"})
    ->ArgsProduct({{768, 2048}, {0, 1}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_GptqQuantize)
    ->ArgNames({"size", "reference"})
    ->ArgsProduct({{768, 2048}, {0, 1}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_HqqQuantize)
    ->ArgName("bits")
    ->Arg(2)
    ->Arg(3)
    ->Arg(4)
    ->Arg(8)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_RtnQuantize)
    ->ArgName("bits")
    ->DenseRange(2, 8)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bitpact
