// SPDX-License-Identifier: Apache-2.0
#include "quant/matmul.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "core/check.h"
#include "oneapi/dnnl/dnnl.hpp"

// A primitive costs far more to make than a small product to run, so primitives
// are kept by shape. They are shared by all threads: the scratch memory they
// need is the caller's (scratchpad_mode::user) and lies in a per-thread buffer.

namespace bitpact {
namespace {

using dnnl::memory;

// OpenMP's thread count belongs to the calling thread. oneDNN asks for it when
// a primitive is made and again when it runs.
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

// Keeps scratch memory aligned as oneDNN's kernels like it.
struct alignas(64) CacheLine {
  std::array<std::byte, 64> bytes;
};

const dnnl::engine& Engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

struct Product {
  memory::desc x;
  memory::desc w;
  memory::desc y;
  memory::desc scratch;
  dnnl::matmul primitive;
};

std::shared_ptr<const Product> MakeProduct(const MatMulShape& shape) {
  constexpr auto kFloat = memory::data_type::f32;
  auto product = std::make_shared<Product>();
  product->x =
      memory::desc({shape.tokens, shape.in}, kFloat, memory::dims{shape.in, 1});
  product->w =
      memory::desc({shape.in, shape.out}, kFloat, memory::dims{1, shape.in});
  product->y = memory::desc(
      {shape.tokens, shape.out}, kFloat, memory::dims{shape.y_stride, 1});
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc description(
      Engine(), product->x, product->w, product->y, attributes);
#else
  const dnnl::matmul::primitive_desc description(
      dnnl::matmul::desc(product->x, product->w, product->y),
      attributes,
      Engine());
#endif
  product->scratch = description.scratchpad_desc();
  product->primitive = dnnl::matmul(description);
  return product;
}

// Number of shapes kept. Documents of many lengths make many shapes; beyond
// this the cache starts again rather than grow without end.
constexpr std::size_t kLargestCache = 2048;

std::shared_ptr<const Product> FindProduct(const MatMulShape& shape) {
  using Key = std::array<std::int64_t, 4>;
  static std::shared_mutex mutex;
  static std::map<Key, std::shared_ptr<const Product>> products;
  const Key key = {shape.tokens, shape.in, shape.out, shape.y_stride};
  {
    const std::shared_lock lock(mutex);
    const auto found = products.find(key);
    if (found != products.end()) return found->second;
  }
  auto made = MakeProduct(shape);
  const std::unique_lock lock(mutex);
  if (products.size() >= kLargestCache) products.clear();
  return products.emplace(key, std::move(made)).first->second;
}

std::size_t Count(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
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
  const OneThread one_thread;
  const std::shared_ptr<const Product> product = FindProduct(shape);
  thread_local dnnl::stream stream(Engine());
  thread_local std::vector<CacheLine> scratch;
  scratch.resize(std::max(scratch.size(),
                          product->scratch.get_size() / sizeof(CacheLine) + 1));
  // oneDNN's interface has no memory of constants; it reads x and w only.
  auto* const source = const_cast<float*>(x.data());
  auto* const weights = const_cast<float*>(w.data());
  product->primitive.execute(
      stream,
      {{DNNL_ARG_SRC, memory(product->x, Engine(), source)},
       {DNNL_ARG_WEIGHTS, memory(product->w, Engine(), weights)},
       {DNNL_ARG_DST, memory(product->y, Engine(), y.data())},
       {DNNL_ARG_SCRATCHPAD,
        memory(product->scratch, Engine(), scratch.data())}});
  stream.wait();
}

void MatMulTransposed(std::span<const float> x,
                      std::span<const float> w,
                      std::span<float> y,
                      std::int64_t tokens,
                      std::int64_t in,
                      std::int64_t out) {
  BITPACT_CHECK(y.size() == Count(tokens, out), "y is [tokens, out]");
  MatMulTransposedInto(
      x, w, y, {.tokens = tokens, .in = in, .out = out, .y_stride = out});
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
