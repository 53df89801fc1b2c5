// SPDX-License-Identifier: Apache-2.0
//
// Dense float32 products, one thread, at the shapes of models: our own beside
// the sgemm of OpenBLAS, which does not promise a row the same bits for any
// number of rows. Run interleaved and compare within one run:
//
//   kernels_bench --benchmark_filter=BM_Product --benchmark_repetitions=5
//                 --benchmark_enable_random_interleaving=true
//                 --benchmark_report_aggregates_only=true

#include <array>
#include <cstdint>
#include <vector>

#include "benchmark/benchmark.h"
#include "cblas.h"
#include "core/random.h"
#include "omp.h"
#include "quant/matmul.h"

namespace bitpact {
namespace {

std::vector<float> Normals(std::int64_t count) {
  RandomStream stream(1, "bench/dense");
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(stream.Normal());
  return values;
}

// library: 0 ours, 1 OpenBLAS (for one token its sgemv).
void BM_Product(benchmark::State& state) {
  const std::int64_t in = state.range(0);
  const std::int64_t out = state.range(1);
  const std::int64_t tokens = state.range(2);
  const std::vector<float> x = Normals(tokens * in);
  const std::vector<float> w = Normals(out * in);
  std::vector<float> y(static_cast<std::size_t>(tokens * out));
  omp_set_num_threads(1);
  openblas_set_num_threads(1);
  for (auto _ : state) {
    if (state.range(3) == 0) {
      MatMulTransposed(x, w, y, tokens, in, out);
    } else if (tokens == 1) {
      cblas_sgemv(CblasRowMajor,
                  CblasNoTrans,
                  static_cast<int>(out),
                  static_cast<int>(in),
                  1.0F,
                  w.data(),
                  static_cast<int>(in),
                  x.data(),
                  1,
                  0.0F,
                  y.data(),
                  1);
    } else {
      cblas_sgemm(CblasRowMajor,
                  CblasNoTrans,
                  CblasTrans,
                  static_cast<int>(tokens),
                  static_cast<int>(out),
                  static_cast<int>(in),
                  1.0F,
                  x.data(),
                  static_cast<int>(in),
                  w.data(),
                  static_cast<int>(in),
                  0.0F,
                  y.data(),
                  static_cast<int>(out));
    }
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  state.counters["flop/s"] =
      benchmark::Counter(2.0 * static_cast<double>(in * out * tokens),
                         benchmark::Counter::kIsIterationInvariantRate);
  state.counters["weight bytes/s"] =
      benchmark::Counter(4.0 * static_cast<double>(in * out),
                         benchmark::Counter::kIsIterationInvariantRate);
}

// What one pass over as many bytes as 4096 x 5632 weights takes at least.
void BM_ReadMemory(benchmark::State& state) {
  const std::vector<float> w = Normals(std::int64_t{4096} * 5632);
  for (auto _ : state) {
    std::array<float, 64> sums{};
    for (std::size_t i = 0; i + sums.size() <= w.size(); i += sums.size()) {
      for (std::size_t lane = 0; lane < sums.size(); ++lane) {
        sums[lane] += w[i + lane];
      }
    }
    benchmark::DoNotOptimize(sums);
  }
  state.counters["weight bytes/s"] =
      benchmark::Counter(4.0 * static_cast<double>(w.size()),
                         benchmark::Counter::kIsIterationInvariantRate);
}

void Shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"in", "out", "tokens", "library"});
  for (const auto& [in, out, tokens] : {std::array{64, 64, 128},
                                        std::array{64, 64, 512},
                                        std::array{64, 172, 128},
                                        std::array{288, 768, 256},
                                        std::array{768, 768, 32},
                                        std::array{768, 2048, 512},
                                        std::array{768, 2048, 1},
                                        std::array{2048, 2048, 1},
                                        std::array{4096, 5632, 1},
                                        std::array{4096, 5632, 4},
                                        std::array{2048, 2048, 512}}) {
    for (const int library : {0, 1}) {
      bench->Args({in, out, tokens, library});
    }
  }
}

BENCHMARK(BM_ReadMemory)->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Product)->Apply(Shapes)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace bitpact
