// SPDX-License-Identifier: Apache-2.0
#ifndef BITPACT_CORE_RANDOM_H_
#define BITPACT_CORE_RANDOM_H_

// One seed, many named streams. A stream is fixed by (seed, name, index) and by
// nothing else, so work that is spread over threads takes one stream a job and
// gives the same numbers for any number of threads:
//
//   RandomStream stream(seed, "spqe/permutation", pair_index);
//
// The engine is std::mt19937_64 (its sequence is fixed by the C++ standard);
// the distributions are Boost.Random's, since the standard leaves its own to
// each library. Names are part of the meaning of a seed: renaming a stream
// changes results and needs a line in CHANGELOG.md.

#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

namespace bitpact {

class RandomStream {
 public:
  RandomStream(std::uint64_t seed,
               std::string_view name,
               std::uint64_t index = 0);

  // Uniform in [0, bound). `bound` > 0.
  std::int64_t UniformInt(std::int64_t bound);
  // Uniform in [0, 1).
  double Uniform();
  // Standard normal.
  double Normal();
  // Fisher-Yates; every order equally likely.
  void Shuffle(std::span<int> values);
  // A uniformly random order of 0..n-1.
  std::vector<int> Permutation(int n);

  // For Boost and standard distributions.
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace bitpact

#endif  // BITPACT_CORE_RANDOM_H_
