// SPDX-License-Identifier: Apache-2.0
#include <bit>

#include "Eigen/Core"
#include "quant/kernels_inl.h"

namespace bitpact::internal {
namespace {

struct PortableLanes {
  static constexpr int kLanes = 8;
  static constexpr int kTableBits = 0;
  static constexpr int kRowBlock = 2;
  static constexpr int kWordRows = 2;
  static constexpr int kPanelVectors = 1;
  static constexpr int kTileRows = 4;
  static constexpr int kNarrowRows = 4;
  struct Float {
    std::array<float, kLanes> lane;
  };
  struct Int {
    std::array<std::uint32_t, kLanes> lane;
  };

  template <class Function>
  static Float Each(Function function) {
    Float result;
    for (std::size_t i = 0; i < kLanes; ++i) result.lane[i] = function(i);
    return result;
  }
  template <class Function>
  static Int EachInt(Function function) {
    Int result;
    for (std::size_t i = 0; i < kLanes; ++i) result.lane[i] = function(i);
    return result;
  }

  static Float Set(float value) {
    return Each([=](std::size_t) { return value; });
  }
  static Float Load(const float* from) {
    return Each([=](std::size_t i) { return from[i]; });
  }
  static void Store(float* to, const Float& a) {
    std::ranges::copy(a.lane, to);
  }
  static Float Add(const Float& a, const Float& b) {
    return Each([&](std::size_t i) { return a.lane[i] + b.lane[i]; });
  }
  static Float Sub(const Float& a, const Float& b) {
    return Each([&](std::size_t i) { return a.lane[i] - b.lane[i]; });
  }
  static Float Mul(const Float& a, const Float& b) {
    return Each([&](std::size_t i) { return a.lane[i] * b.lane[i]; });
  }
  static Float Div(const Float& a, const Float& b) {
    return Each([&](std::size_t i) { return a.lane[i] / b.lane[i]; });
  }
  // Rounds the product: std::fma without the instruction is a slow call.
  static Float MulAdd(const Float& a, const Float& b, const Float& c) {
    return Each(
        [&](std::size_t i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
  }
  static Float Min(const Float& a, const Float& b) {
    return Each([&](std::size_t i) {
      return b.lane[i] < a.lane[i] ? b.lane[i] : a.lane[i];
    });
  }
  static Float Max(const Float& a, const Float& b) {
    return Each([&](std::size_t i) {
      return b.lane[i] > a.lane[i] ? b.lane[i] : a.lane[i];
    });
  }
  static float LeastLane(const Float& a) {
    return *std::ranges::min_element(a.lane);
  }
  static float GreatestLane(const Float& a) {
    return *std::ranges::max_element(a.lane);
  }
  static bool AnyNaN(const Float& a) {
    return std::ranges::any_of(a.lane, [](float v) { return v != v; });
  }
  static bool AnyNotBelow(const Float& a, const Float& b) {
    bool any = false;
    for (std::size_t i = 0; i < kLanes; ++i) any |= !(a.lane[i] < b.lane[i]);
    return any;
  }
  static Float ToFloat(const Int& a) {
    return Each([&](std::size_t i) {
      return static_cast<float>(static_cast<std::int32_t>(a.lane[i]));
    });
  }
  static Int ToInt(const Float& a) {
    return EachInt([&](std::size_t i) {
      return static_cast<std::uint32_t>(static_cast<std::int32_t>(a.lane[i]));
    });
  }
  // Adding and subtracting 1.5 * 2^23 rounds |a| < 2^22 to nearest, halves to
  // even.
  static Int RoundToInt(const Float& a) {
    const Float rounder = Set(0x1.8p23F);
    return ToInt(Sub(Add(a, rounder), rounder));
  }
  static Float Abs(const Float& a) {
    return Each([&](std::size_t i) { return std::fabs(a.lane[i]); });
  }
  static Int BitsOf(const Float& a) {
    return EachInt(
        [&](std::size_t i) { return std::bit_cast<std::uint32_t>(a.lane[i]); });
  }
  static Float OfBits(const Int& a) {
    return Each([&](std::size_t i) { return std::bit_cast<float>(a.lane[i]); });
  }
  static Int SubInt(const Int& a, const Int& b) {
    return EachInt([&](std::size_t i) { return a.lane[i] - b.lane[i]; });
  }
  static Int AddInt(const Int& a, int b) {
    return EachInt([&](std::size_t i) {
      return a.lane[i] + static_cast<std::uint32_t>(b);
    });
  }
  static Int And(const Int& a, int mask) {
    return EachInt([&](std::size_t i) {
      return a.lane[i] & static_cast<std::uint32_t>(mask);
    });
  }
  static Int AndInt(const Int& a, const Int& b) {
    return EachInt([&](std::size_t i) { return a.lane[i] & b.lane[i]; });
  }
  static Int Or(const Int& a, const Int& b) {
    return EachInt([&](std::size_t i) { return a.lane[i] | b.lane[i]; });
  }
  template <int kCount>
  static Int ShiftLeft(const Int& a) {
    return EachInt([&](std::size_t i) { return a.lane[i] << kCount; });
  }
  template <int kCount>
  static Int ShiftRight(const Int& a) {
    return EachInt([&](std::size_t i) {
      return static_cast<std::uint32_t>(static_cast<std::int32_t>(a.lane[i]) >>
                                        kCount);
    });
  }
  static Float LookUp(const Float& table, const Int& index) {
    return Each([&](std::size_t i) {
      return table.lane[index.lane[i] % std::uint32_t{kLanes}];
    });
  }
  static Int LoadWords(const std::uint8_t* bytes) {
    Int words;
    std::memcpy(words.lane.data(), bytes, sizeof(words.lane));
    return words;
  }
  template <int kPlane>
  static Int LoadPlane(const std::uint8_t* bytes) {
    constexpr std::size_t kPerByte = 8 / kPlane;
    return EachInt([=](std::size_t i) {
      return static_cast<std::uint32_t>(bytes[i / kPerByte]) >>
             (i % kPerByte * kPlane);
    });
  }
  static void StoreBytes(std::uint8_t* to, const Int (&a)[4]) {
    for (std::size_t i = 0; i < 4 * kLanes; ++i) {
      to[i] = static_cast<std::uint8_t>(a[i / kLanes].lane[i % kLanes]);
    }
  }
  static Float LoadQuarters(const std::array<const float*, 2>& from) {
    return Each([&](std::size_t i) { return from[i / 4][i % 4]; });
  }
  static void Transpose(Float& a, Float& b, Float& c, Float& d) {
    const std::array<Float, 4> from = {a, b, c, d};
    const std::array<Float*, 4> to = {&a, &b, &c, &d};
    for (std::size_t i = 0; i < kLanes; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        to[j]->lane[i] = from[i % 4].lane[i / 4 * 4 + j];
      }
    }
  }
  static Float LoadHalves(const std::uint8_t* bytes) {
    return Each([=](std::size_t i) {
      std::uint16_t bits = 0;
      std::memcpy(&bits, bytes + 2 * i, sizeof(bits));
      return static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(bits));
    });
  }
};

}  // namespace

const Kernels kPortableKernels = MakeKernels<PortableLanes>();

}  // namespace bitpact::internal
