// SPDX-License-Identifier: Apache-2.0
#include "quant/matmul.h"

#include <omp.h>

#include <algorithm>
#include <cstddef>

#include "core/check.h"
#include "oneapi/dnnl/dnnl.h"
#include "quant/kernels.h"
#include "quant/panels.h"
#include "quant/tiled_product.h"

// Libraries were tried first. oneDNN's matmul primitive, as Debian 12 has it,
// splits sums by the number of rows on AVX2 (not on AVX-512), and a kernel has
// to be made for every shape; dnnl_sgemm and OpenBLAS choose other kernels for
// few rows. None promises what quant/matmul.h does.

namespace bitpact {
namespace {

// OpenMP's thread count belongs to the calling thread.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }

 private:
  int before_;
};

std::size_t Count(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
}

Panels& ThreadPanels() {
  thread_local Panels panels(BestKernels());
  return panels;
}

}  // namespace

void MatMulTransposedInto(std::span<const float> x,
                          std::span<const float> w,
                          std::span<float> y,
                          const MatMulShape& shape) {
  const auto [tokens, in, out, y_stride] = shape;
  BITPACT_CHECK(tokens >= 0 && in >= 0 && out >= 0 && y_stride >= out,
                "shape of a product");
  if (tokens == 0 || out == 0) return;
  BITPACT_CHECK(x.size() == Count(tokens, in), "x is [tokens, in]");
  BITPACT_CHECK(w.size() == Count(out, in), "w is [out, in]");
  BITPACT_CHECK(y.size() >= Count(tokens - 1, y_stride) + Count(1, out),
                "y reaches to its last row's end");
  if (in == 0) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      std::ranges::fill(y.subspan(Count(t, y_stride), Count(1, out)), 0.0F);
    }
    return;
  }
  if (tokens <= kMostFewRows) {
    BestKernels().multiply_rows({.rows = w.data(),
                                 .num_rows = out,
                                 .few = x.data(),
                                 .num_few = tokens,
                                 .inner = in,
                                 .run = RunColumns(in),
                                 .y = y.data(),
                                 .y_stride = y_stride});
    return;
  }
  const bool packs_x = PackingTokensIsCheaper(tokens, in, out);
  const std::span<const float> packed = packs_x ? x : w;
  const std::int64_t packed_rows = packs_x ? tokens : out;
  Panels& panels = ThreadPanels();
  const std::int64_t step = BlockRows(packed_rows);
  for (std::int64_t row = 0; row < packed_rows; row += step) {
    const std::int64_t count = std::min(step, packed_rows - row);
    panels.Pack(packed.subspan(Count(row, in), Count(count, in)), count, in);
    panels.Multiply(packs_x ? w : x,
                    packs_x ? out : tokens,
                    {.y = y.data() + row * (packs_x ? y_stride : 1),
                     .stride = y_stride,
                     .turned = packs_x});
  }
}

void MatMulTransposed(std::span<const float> x,
                      std::span<const float> w,
                      std::span<float> y,
                      std::int64_t tokens,
                      std::int64_t in,
                      std::int64_t out,
                      ProductPrecision precision) {
  BITPACT_CHECK(y.size() == Count(tokens, out), "y is [tokens, out]");
  const MatMulShape shape = {
      .tokens = tokens, .in = in, .out = out, .y_stride = out};
  if (precision == ProductPrecision::kFloat32 || tokens <= 0 || in <= 0) {
    MatMulTransposedInto(x, w, y, shape);
    return;
  }
  BITPACT_CHECK(x.size() == Count(tokens, in), "x is [tokens, in]");
  BITPACT_CHECK(w.size() == Count(out, in), "w is [out, in]");
  MultiplyByTiles(
      x, y, shape, precision, [w, in](std::int64_t row, std::int64_t count) {
        return w.subspan(Count(row, in), Count(count, in));
      });
}

void AddTransposedProduct(std::span<const float> a,
                          std::span<const float> b,
                          std::span<float> c,
                          const UpdateShape& shape) {
  const auto [rows, cols, inner, a_stride, b_stride, c_stride] = shape;
  BITPACT_CHECK(rows >= 0 && cols >= 0 && inner >= 0 && a_stride >= rows &&
                    b_stride >= cols && c_stride >= cols,
                "shape of an update");
  if (rows == 0 || cols == 0 || inner == 0) return;
  BITPACT_CHECK(a.size() >= Count(inner - 1, a_stride) + Count(1, rows) &&
                    b.size() >= Count(inner - 1, b_stride) + Count(1, cols) &&
                    c.size() >= Count(rows - 1, c_stride) + Count(1, cols),
                "a, b and c reach to their last rows' ends");
  const OneThread one_thread;
  const dnnl_status_t status = dnnl_sgemm('T',
                                          'N',
                                          rows,
                                          cols,
                                          inner,
                                          1.0F,
                                          a.data(),
                                          a_stride,
                                          b.data(),
                                          b_stride,
                                          1.0F,
                                          c.data(),
                                          c_stride);
  BITPACT_CHECK(status == dnnl_success, "dnnl_sgemm runs");
}

void MatMulTransposedReference(std::span<const float> x,
                               std::span<const float> w,
                               std::span<float> y,
                               std::int64_t tokens,
                               std::int64_t in,
                               std::int64_t out) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t o = 0; o < out; ++o) {
      double sum = 0.0;
      for (std::int64_t i = 0; i < in; ++i) {
        sum += static_cast<double>(x[Count(t, in) + Count(1, i)]) *
               static_cast<double>(w[Count(o, in) + Count(1, i)]);
      }
      y[Count(t, out) + Count(1, o)] = static_cast<float>(sum);
    }
  }
}

}  // namespace bitpact
