// SPDX-License-Identifier: Apache-2.0
#include "models/elementwise.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "models/simd.h"

namespace bitpact {
namespace {

using simd::Floats;
using simd::kLanes;

// Calls are in elements; the last vector of a row may be short.
BITPACT_SIMD_INLINE int LanesLeft(std::int64_t at, std::int64_t size) {
  return static_cast<int>(std::min<std::int64_t>(kLanes, size - at));
}

// A full vector takes the fast path, since LoadSome copies by length.
BITPACT_SIMD_INLINE Floats LoadUpTo(const float* from, int count, float fill) {
  return count == kLanes ? simd::Load(from) : simd::LoadSome(from, count, fill);
}

BITPACT_SIMD_INLINE void StoreUpTo(Floats value, float* to, int count) {
  if (count == kLanes) {
    simd::Store(value, to);
  } else {
    simd::StoreSome(value, to, count);
  }
}

struct RmsNormKernel {
  BITPACT_SIMD_INLINE static void Run(const float* x,
                                      std::span<const float> gain,
                                      float epsilon,
                                      float* out,
                                      std::int64_t rows) {
    const auto width = static_cast<std::int64_t>(gain.size());
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* from = x + row * width;
      float* to = out + row * width;
      Floats squares{};
      for (std::int64_t i = 0; i < width; i += kLanes) {
        const Floats value = LoadUpTo(from + i, LanesLeft(i, width), 0.0F);
        squares += value * value;
      }
      const float mean = simd::SumLanes(squares) / static_cast<float>(width);
      const float factor = 1.0F / std::sqrt(mean + epsilon);
      for (std::int64_t i = 0; i < width; i += kLanes) {
        const int lanes = LanesLeft(i, width);
        const Floats value = LoadUpTo(from + i, lanes, 0.0F) * factor;
        StoreUpTo(
            value * LoadUpTo(gain.data() + i, lanes, 0.0F), to + i, lanes);
      }
    }
  }
};

struct SwiGluKernel {
  BITPACT_SIMD_INLINE static void Run(float* gate,
                                      const float* up,
                                      std::int64_t size) {
    for (std::int64_t i = 0; i < size; i += kLanes) {
      const int lanes = LanesLeft(i, size);
      const Floats value = LoadUpTo(gate + i, lanes, 0.0F);
      const Floats silu = value / (simd::Exp(-value) + 1.0F);
      StoreUpTo(silu * LoadUpTo(up + i, lanes, 0.0F), gate + i, lanes);
    }
  }
};

struct AddKernel {
  BITPACT_SIMD_INLINE static void Run(const float* from,
                                      float* to,
                                      std::int64_t size) {
    for (std::int64_t i = 0; i < size; i += kLanes) {
      const int lanes = LanesLeft(i, size);
      StoreUpTo(LoadUpTo(to + i, lanes, 0.0F) + LoadUpTo(from + i, lanes, 0.0F),
                to + i,
                lanes);
    }
  }
};

// Values that are summed in float before the sum goes into a double.
constexpr std::int64_t kFloatRun = 512;

struct MaxKernel {
  BITPACT_SIMD_INLINE static float Run(std::span<const float> values) {
    const auto size = static_cast<std::int64_t>(values.size());
    constexpr float kLeast = -std::numeric_limits<float>::infinity();
    Floats most = Floats{} + kLeast;
    for (std::int64_t i = 0; i < size; i += kLanes) {
      most = simd::Max(most,
                       LoadUpTo(values.data() + i, LanesLeft(i, size), kLeast));
    }
    return simd::MaxLane(most);
  }
};

struct SumExpKernel {
  BITPACT_SIMD_INLINE static double Run(std::span<const float> values,
                                        float shift) {
    const auto size = static_cast<std::int64_t>(values.size());
    constexpr float kNothing = -std::numeric_limits<float>::infinity();
    double total = 0.0;
    for (std::int64_t begin = 0; begin < size; begin += kFloatRun) {
      const std::int64_t end = std::min(begin + kFloatRun, size);
      Floats sum{};
      for (std::int64_t i = begin; i < end; i += kLanes) {
        sum += simd::Exp(
            LoadUpTo(values.data() + i, LanesLeft(i, size), kNothing) - shift);
      }
      total += static_cast<double>(simd::SumLanes(sum));
    }
    return total;
  }
};

struct KlKernel {
  BITPACT_SIMD_INLINE static double Run(std::span<const float> reference,
                                        std::span<const float> logits,
                                        float reference_log_sum,
                                        float log_sum) {
    const auto size = static_cast<std::int64_t>(reference.size());
    double total = 0.0;
    for (std::int64_t begin = 0; begin < size; begin += kFloatRun) {
      const std::int64_t end = std::min(begin + kFloatRun, size);
      Floats sum{};
      for (std::int64_t i = begin; i < end; i += kLanes) {
        // Lanes behind the end get log p = log q = -1e30 and add nothing.
        const int lanes = LanesLeft(i, size);
        const Floats log_p =
            LoadUpTo(reference.data() + i, lanes, -1e30F) - reference_log_sum;
        const Floats log_q =
            LoadUpTo(logits.data() + i, lanes, -1e30F) - log_sum;
        const Floats p = simd::Exp(log_p);
        sum += p * (log_p - log_q) - (p - simd::Exp(log_q));
      }
      total += static_cast<double>(simd::SumLanes(sum));
    }
    return total;
  }
};

}  // namespace

void RmsNorm(std::span<const float> x,
             std::span<const float> gain,
             float epsilon,
             std::span<float> out) {
  BITPACT_CHECK(
      !gain.empty() && x.size() % gain.size() == 0 && x.size() == out.size(),
      "x and out are [rows, gain's size]");
  DispatchSimd<RmsNormKernel>(
      x.data(),
      gain,
      epsilon,
      out.data(),
      static_cast<std::int64_t>(x.size() / gain.size()));
}

void SwiGlu(std::span<float> gate, std::span<const float> up) {
  BITPACT_CHECK(gate.size() == up.size(), "sizes equal");
  DispatchSimd<SwiGluKernel>(
      gate.data(), up.data(), static_cast<std::int64_t>(gate.size()));
}

void AddTo(std::span<const float> from, std::span<float> to) {
  BITPACT_CHECK(from.size() == to.size(), "sizes equal");
  DispatchSimd<AddKernel>(
      from.data(), to.data(), static_cast<std::int64_t>(to.size()));
}

double LogSumExp(std::span<const float> logits) {
  BITPACT_CHECK(!logits.empty(), "at least one logit");
  const float most = DispatchSimd<MaxKernel>(logits);
  return static_cast<double>(most) +
         std::log(DispatchSimd<SumExpKernel>(logits, most));
}

double KlDivergence(std::span<const float> reference,
                    std::span<const float> logits) {
  BITPACT_CHECK(reference.size() == logits.size(), "sizes equal");
  const auto reference_log_sum = static_cast<float>(LogSumExp(reference));
  const auto log_sum = static_cast<float>(LogSumExp(logits));
  return std::max(
      0.0,
      DispatchSimd<KlKernel>(reference, logits, reference_log_sum, log_sum));
}

}  // namespace bitpact
