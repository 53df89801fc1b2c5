// SPDX-License-Identifier: Apache-2.0
#include "core/random.h"

#include <numeric>
#include <utility>

#include "boost/random/normal_distribution.hpp"
#include "boost/random/uniform_01.hpp"
#include "boost/random/uniform_int_distribution.hpp"
#include "core/check.h"
#include "xxhash.h"

namespace bitpact {
namespace {

std::mt19937_64 MakeEngine(std::uint64_t seed,
                           std::string_view name,
                           std::uint64_t index) {
  const std::uint64_t name_hash = XXH64(name.data(), name.size(), 0);
  const auto low = [](std::uint64_t v) {
    return static_cast<std::uint32_t>(v & 0xffffffffU);
  };
  const auto high = [](std::uint64_t v) {
    return static_cast<std::uint32_t>(v >> 32U);
  };
  std::seed_seq sequence{low(seed),
                         high(seed),
                         low(name_hash),
                         high(name_hash),
                         low(index),
                         high(index)};
  return std::mt19937_64(sequence);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed,
                           std::string_view name,
                           std::uint64_t index)
    : engine_(MakeEngine(seed, name, index)) {}

std::int64_t RandomStream::UniformInt(std::int64_t bound) {
  BITPACT_DCHECK(bound > 0, "bound must be positive");
  return boost::random::uniform_int_distribution<std::int64_t>(
      0, bound - 1)(engine_);
}

double RandomStream::Uniform() {
  return boost::random::uniform_01<double>()(engine_);
}

double RandomStream::Normal() {
  return boost::random::normal_distribution<double>()(engine_);
}

void RandomStream::Shuffle(std::span<int> values) {
  for (std::size_t i = values.size(); i > 1; --i) {
    const auto j =
        static_cast<std::size_t>(UniformInt(static_cast<std::int64_t>(i)));
    std::swap(values[i - 1], values[j]);
  }
}

std::vector<int> RandomStream::Permutation(int n) {
  std::vector<int> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  Shuffle(order);
  return order;
}

}  // namespace bitpact
